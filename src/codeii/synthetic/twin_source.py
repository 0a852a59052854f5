"""How each source's twin looks from outside, and which finding gives which statement there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from codeii.synthetic.read_tables import read_rows


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One finding of a source: how common it is and what the source's readers make of it."""

    statement: str  # "" where the source does not mention the finding
    finding: str
    prevalence: float
    missed: float  # share of exams with the finding that lack the statement
    overcalled: float  # share of exams without the finding that carry the statement


@dataclass(frozen=True, slots=True)
class TwinSource:
    """One row of `physiology/sources.csv`."""

    name: str
    labels: tuple[LabelRow, ...]
    rates_hz: Mapping[int, float]  # rate -> weight
    seconds: Mapping[tuple[float, float], float]  # shortest and longest -> weight
    mains_hz: int
    tracings: Mapping[int, float]  # tracings of an exam -> weight
    healthy: float  # share of exams with benign findings at most
    age_mean: float
    age_sd: float
    age_low: float
    age_high: float
    male: float
    per_patient: tuple[int, ...]  # exams of successive patients, repeated
    folds: tuple[str, ...]  # of equal size; a name given twice is twice as large
    when_normal: str
    when_sinus: str
    most: int


def _weights(text: str) -> dict[str, float]:
    pairs = [part.split(":") for part in text.split()]
    return {value: float(weight) for value, weight in pairs}


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    return float(low), float(high or low)


def _labels(table: str) -> tuple[LabelRow, ...]:
    """Labels of a source; those of CODE-II stand in the findings table itself."""
    if table == "code_ii":
        rows = [row | {"statement": row["code_ii_class"]} for row in read_rows("findings") if row["code_ii_class"]]
    else:
        rows = read_rows(table)
    return tuple(
        LabelRow(row["statement"], row["finding"], *(float(row[key]) for key in ("prevalence", "missed", "overcalled")))
        for row in rows
    )


@cache
def twin_sources() -> Mapping[str, TwinSource]:
    """Every source that has a twin, by name."""
    sources = {}
    for row in read_rows("sources"):
        sources[row["source"]] = TwinSource(
            name=row["source"],
            labels=_labels(row["table"]),
            rates_hz={int(rate): weight for rate, weight in _weights(row["rates_hz"]).items()},
            seconds={_range(text): weight for text, weight in _weights(row["seconds"]).items()},
            mains_hz=int(row["mains_hz"]),
            tracings={int(count): weight for count, weight in _weights(row["tracings"]).items()},
            healthy=float(row["healthy"]),
            age_mean=float(row["age_mean"]),
            age_sd=float(row["age_sd"]),
            age_low=float(row["age_low"]),
            age_high=float(row["age_high"]),
            male=float(row["male"]),
            per_patient=tuple(int(count) for count in row["per_patient"].split()),
            folds=tuple(row["folds"].split()) or ("",),
            when_normal=row["when_normal"],
            when_sinus=row["when_sinus"],
            most=int(row["most"]),
        )
    return MappingProxyType(sources)


def twin_source(name: str) -> TwinSource:
    """The twin's description of a source. Raises ValueError on a source without a twin."""
    if name not in twin_sources():
        raise ValueError(f"source {name!r} has no synthetic twin; there are {', '.join(twin_sources())}")
    return twin_sources()[name]
