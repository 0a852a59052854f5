"""What a finding does to a heart: the effects column of `physiology/findings.csv`, read once and applied in order."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from codeii.synthetic.heart import Heart
from codeii.synthetic.read_tables import patterns, qrs_shapes, read_rows

_EFFECT = re.compile(r"(\w+?)(?:@(\w+))?(=|\*=|\+=)([\w.-]+)(?::([\d.-]+))?")
_SHAPES = ("qrs", "ectopic")
_VECTORS = ("q", "r", "r_loss", "st", "j", "scoop", "t", "t_turn", "u")
_SCALARS = tuple(field.name for field in fields(Heart) if field.name not in (*_SHAPES, *_VECTORS, "body"))


@dataclass(frozen=True, slots=True)
class Effect:
    """One change of one field of a heart."""

    field: str
    pattern: str  # "" for a number, else the leads a vector is laid over
    operation: str  # "=", "*=" or "+="
    low: float
    high: float
    shape: str  # name of a QRS shape, "" for numbers


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of `findings.csv`."""

    name: str
    slot: str
    group: str
    benign: bool
    age: float
    male: float
    effects: tuple[Effect, ...]
    description: str


def parse_effect(text: str) -> Effect:
    """One effect such as `pr_ms=215:320`, `st@inferior+=0.2:0.4` or `qrs=lbbb`.

    Raises ValueError on an unknown field, pattern, shape or operation.
    """
    match = _EFFECT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"effect {text!r} is not of the form field=value, field*=low:high or field@pattern+=low:high")
    name, pattern, operation, low, high = match.group(1), match.group(2) or "", *match.group(3, 4, 5)
    if name in _SHAPES and operation == "=" and low in qrs_shapes():
        return Effect(name, "", operation, 0.0, 0.0, low)
    known = _VECTORS if pattern else _SCALARS
    if name not in known or (pattern and (pattern not in patterns() or operation != "+=")):
        raise ValueError(f"effect {text!r}: fields are {', '.join(known)}; patterns are {', '.join(patterns())}")
    first, last = float(low), float(high or low)
    if first > last:
        raise ValueError(f"effect {text!r}: {first} is above {last}")
    return Effect(name, pattern, operation, first, last, "")


@cache
def findings() -> Mapping[str, Finding]:
    """Every finding by name, in the order of the table."""
    return MappingProxyType(
        {
            row["finding"]: Finding(
                row["finding"],
                row["slot"],
                row["group"],
                row["benign"] == "1",
                float(row["age"]),
                float(row["male"]),
                tuple(parse_effect(text) for text in row["effects"].split(";")),
                row["description"],
            )
            for row in read_rows("findings")
        }
    )


def apply(heart: Heart, names: Iterable[str], seed: np.random.SeedSequence) -> Heart:
    """The heart with these findings, in the order of the table; strengths are drawn from each finding's own stream.

    Raises ValueError on an unknown finding.
    """
    wanted = set(names)
    unknown = sorted(wanted - set(findings()))
    if unknown:
        raise ValueError(f"finding {', '.join(unknown)} is not in findings.csv")
    streams = seed.generate_state(len(findings()), np.uint64)
    for number, finding in enumerate(findings().values()):
        if finding.name in wanted:
            rng = np.random.Generator(np.random.PCG64(int(streams[number])))
            for effect in finding.effects:
                heart = _changed(heart, effect, rng)
    return heart


def _changed(heart: Heart, effect: Effect, rng: np.random.Generator) -> Heart:
    if effect.shape:
        return _with(heart, effect.field, effect.shape)
    value = effect.low + (effect.high - effect.low) * rng.random()
    before = getattr(heart, effect.field)
    if effect.pattern:
        return _with(heart, effect.field, before + value * patterns()[effect.pattern])
    after = {"=": value, "*=": before * value, "+=": before + value}[effect.operation]
    return _with(heart, effect.field, after)


def _with(heart: Heart, field: str, value: Any) -> Heart:
    return replace(heart, **{field: value})
