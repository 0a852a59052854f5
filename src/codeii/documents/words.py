"""How numbers and names go into Markdown: escaped, so that a class or record name stays a name."""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~^$@])")
_SPACE = re.compile(r"\s+")
_ADDRESS = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp)(?=:)|\bwww(?=\.)")  # what some readers make links of
NOT_DEFINED = "not defined"


def in_markdown(value: Any) -> Any:
    """Any value as text that neither Markdown nor HTML reads as more than text, on one line.

    What a template or macro made itself is left as it is.
    """
    if hasattr(value, "__html__"):
        return value
    one_line = _SPACE.sub(" ", "".join(sign if sign.isprintable() else " " for sign in str(value)))
    plain = _MARKDOWN.sub(r"\\\1", str(escape(one_line)).replace("&#34;", '"').replace("&#39;", "'"))
    return Markup(_ADDRESS.sub(r"\g<0>&#8203;", plain))


def environment() -> Environment:
    """Templates of the room; everything put into them is escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=in_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"number": number, "count": count, "interval": interval, "listed": listed, "settings": settings}
    return made


def number(value: float | None, digits: int = 3) -> str:
    """A score to three digits; in words where it is not defined."""
    return NOT_DEFINED if value is None else f"{value:.{digits}f}"


def count(value: float) -> str:
    """A whole number with its thousands set apart."""
    return f"{int(value):,}"


def interval(row: dict[str, Any]) -> str:
    """A score with its interval, where there is one."""
    if row["value"] is None or row["low"] is None or row["high"] is None:
        return number(row["value"])
    return f"{number(row['value'])} ({number(row['low'])} to {number(row['high'])})"


def listed(values: Iterable[Any], most: int = 12) -> str:
    """Names with commas; of more than a few, the first ones and how many there are."""
    names = [str(value) for value in values]
    if len(names) <= most:
        return ", ".join(names) or "none"
    return f"{', '.join(names[:most])} and others ({len(names)} in all)"


def settings(value: Any, without: tuple[str, ...] = ()) -> str:
    """Settings that are set, name and value, as one line."""
    return "; ".join(f"{name} {_said(item)}" for name, item in value.items() if name not in without and item != {})


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return f"({settings(value)})"
    if isinstance(value, list):
        return listed(value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float) and math.isfinite(value):
        return json.dumps(value)
    return str(value)
