"""One tracing as a format reader returns it, and the refusals that all format readers share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from codeii.schema.leads import LEADS, in_standard_order
from codeii.schema.record import RecordFault
from codeii.schema.units import microvolts_per, to_counts_uv

LONGEST = 2_000_000  # samples in one lead: half an hour at 1000 Hz; more is a wrong or hostile header


@dataclass(frozen=True, slots=True)
class Tracing:
    """Twelve leads in `LEADS` order, and what else the file says."""

    signal_uv: np.ndarray  # (12, sample) int16, one count per microvolt
    rate_hz: int
    flags: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)  # lower-case key -> text, as in `#Age: 56`


def to_tracing(
    signal: np.ndarray, names: Sequence[str], unit: str, rate_hz: int, notes: Mapping[str, str] | None = None
) -> Tracing:
    """Signal (lead, sample) in `unit` with its lead names -> `Tracing`. An int16 signal in uV is kept as it is.

    Raises RecordFault on an unknown unit, on a sample that is not finite, and on leads that are unknown, given
    twice, or missing and not derivable. A sample beyond +-32.767 mV is clipped and flagged.
    """
    factor = factor_of(unit)
    flags = ("leads_derived",) if len(names) < len(LEADS) else ()
    if signal.dtype == np.int16 and factor == 1.0:
        return Tracing(twelve_leads(signal, names), rate_hz, flags, notes or {})
    with np.errstate(over="ignore", invalid="ignore"):  # an absurd value becomes infinite and is refused below
        signal_uv = twelve_leads(signal.astype(np.float64, copy=False) * factor, names)
    without = int((~np.isfinite(signal_uv)).sum())
    if without:
        raise RecordFault("no_value", "signal", f"{without} samples without a value", "a number in every sample")
    counts, clipped = to_counts_uv(signal_uv)
    return Tracing(counts, rate_hz, (*flags, "clipped") if clipped else flags, notes or {})


def factor_of(unit: str) -> float:
    """Microvolts in one `unit`; RecordFault where the word is not a voltage."""
    try:
        return microvolts_per(unit)
    except ValueError as error:
        raise RecordFault("wrong_unit", "unit", repr(unit), "nV, uV, mV or V") from error


def twelve_leads(signal: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """`in_standard_order`, with its refusals as RecordFault."""
    try:
        return in_standard_order(signal, list(names))
    except ValueError as error:
        raise RecordFault("wrong_leads", "leads", " ".join(names)[:200], str(error)) from error


def within(folder: Path, name: str) -> Path:
    """Path of `name` below `folder`; RecordFault where it is absolute or climbs out."""
    parts = name.replace("\\", "/").split("/")
    if not name or name.startswith(("/", "~")) or ".." in parts or "\0" in name or ":" in parts[0]:
        raise RecordFault("unreadable", "file name", repr(name[:200]), "a name inside the folder of the source")
    return folder / name


def appearance(raw: bytes) -> str:
    """The first bytes of a file in words: what a reader found instead of what it wanted."""
    if not raw:
        return "an empty file"
    start = raw[:512].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        return "a web page"
    return f"bytes {raw[:16]!r}"


def absent(path: Path) -> RecordFault:
    """The fault of a file that is not there: normal for a partial copy."""
    return RecordFault("absent", "file", "no such file", path.name)
