"""A table at rest: full precision for programs, formatted words for people, and its HTML."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent
_FIGURE, _TO = r"[-+\u2212]?[\d.,]*\d", r"(\u2013| to )"
_NUMBER = re.compile(
    rf"{_FIGURE}(\s?%|\sper\sclass| of {_FIGURE}|{_TO}{_FIGURE})?( \({_FIGURE}{_TO}{_FIGURE}\))?(, {_FIGURE} classes)?"
)
_WORDS_AMONG_NUMBERS = ("", "not run", "?")
_PROSE = 80  # characters: a cell longer than this is read as sentences and needs a wide column


@dataclass(frozen=True, slots=True)
class Part:
    """One grid of a table.

    `values` (full precision) becomes `<name>.csv`, the first part of a table `table.csv`; None where another part's
    file holds the numbers. `shown` holds the same facts as text, headings as column names.
    """

    name: str
    shown: pd.DataFrame
    values: pd.DataFrame | None = None
    title: str = ""
    note: str = ""
    folded: bool = False


def not_run(reason: str, columns: Sequence[str]) -> tuple[Part, ...]:
    """A table without rows that says why."""
    return (Part("table", pd.DataFrame(), pd.DataFrame(columns=list(columns)), note=f"not run: {reason}"),)


def numeric(column: Sequence[str]) -> bool:
    """Whether a column's cells are numbers, to be set flush right."""
    reasons = ("not evaluable", "not run: ")
    cells = [cell for cell in column if cell not in _WORDS_AMONG_NUMBERS and not cell.startswith(reasons)]
    return bool(cells) and all(_NUMBER.fullmatch(cell) for cell in cells)


def environment() -> Environment:
    """Templates of the room; everything put into them is escaped."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def table_html(parts: Sequence[Part], name: str, caption: str, warning: str) -> str:
    """HTML fragment of a table: caption, warning in words, and each part."""
    grids = [grid(part) for part in parts]
    template = environment().get_template("table.html.j2")
    return template.render(name=name, grids=grids, caption=caption_html(caption, warning))


def caption_html(caption: str, warning: str) -> str:
    """A title line and paragraphs of text as HTML, escaped, below the warning in words where there is one."""
    title, paragraphs = title_and_caption(caption)
    return environment().get_template("caption.html.j2").render(title=title, paragraphs=paragraphs, warning=warning)


def title_and_caption(docstring: str) -> tuple[str, list[str]]:
    """First line without its full stop, and the paragraphs that follow, each on one line."""
    title, *rest = [" ".join(block.split()) for block in docstring.strip().split("\n\n")]
    return title.removesuffix("."), rest


def grid(part: Part) -> dict[str, Any]:
    """What the template needs of a part: headings, which columns are numbers, rows of text.

    `again` counts a row's leading cells that repeat the row above: they are shown pale. `prose` marks columns of
    sentences, which are given room.
    """
    headings = [str(name) for name in part.shown.columns]
    rows = [[str(cell) for cell in row] for row in part.shown.itertuples(index=False, name=None)]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(headings)
    again = [_repeated(above, row) for above, row in zip([[], *rows[:-1]], rows, strict=True)] if rows else []
    return {
        "headings": headings,
        "right": [numeric(column) for column in columns],
        "prose": [_prose(column) for column in columns],
        "rows": list(zip(rows, again, strict=True)),
        "title": part.title,
        "note": part.note,
        "folded": part.folded,
    }


def _prose(column: Sequence[str]) -> bool:
    """Whether a column holds sentences; a reason why there is nothing is not one."""
    return not numeric(column) and any(len(cell) > _PROSE and not cell.startswith("not ") for cell in column)


def _repeated(above: Sequence[str], row: Sequence[str]) -> int:
    """Number of leading cells equal in both rows."""
    return next((place for place, (one, other) in enumerate(zip(above, row, strict=False)) if one != other), 0)
