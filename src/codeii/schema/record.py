"""One exam's tracing as read from a source, or the reason why it could not be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np

from codeii.schema.shard import WHOLE, Shard

SEXES = ("female", "male", "unknown")


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of every record that is kept: columns of the record store."""

    peak_to_peak_uv: float  # largest over the leads
    limb_residual: float  # 0 where III, aVR, aVL and aVF follow from I and II, about 1 where leads are wrong
    limb_gap_uv: float  # largest distance, at any sample, of a limb lead from the one derived from I and II
    mean_uv: float  # largest distance of a lead's mean from zero
    clipped_share: float  # of all samples: at the limit of the integers, or held at the lead's own extreme
    still_s: float  # longest stretch in which a lead does not change
    step_uv: float  # largest difference of neighbouring samples
    wander_uv: float  # largest range of the means of whole seconds
    mains_50_uv: float  # amplitude of a sine at 50 Hz in the worst lead; NaN where the rate is too low
    mains_60_uv: float


MEASURES = tuple(field.name for field in fields(Measures))


@dataclass(frozen=True, slots=True)
class Record:
    """One tracing of one exam, twelve leads in `LEADS` order, one microvolt per count."""

    record_id: str
    exam_id: str
    patient_id: str
    tracing: int  # 1, 2, ... in order of acquisition
    signal_uv: np.ndarray  # (12, sample) int16
    rate_hz: int
    statements: Mapping[str, float | None]  # raw statement -> likelihood in percent, None where the source gives none
    fold: str  # the source's own partition as text, "" where it has none
    age_years: float  # NaN where unknown
    sex: str  # one of SEXES
    flags: tuple[str, ...] = ()  # what the reader noticed and kept, e.g. "clipped", "age_masked"
    measures: Measures | None = None  # None before the record has passed the gates


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One record that is left out, and why: what field, what was found, what was expected."""

    record_id: str
    reason: str  # one word of REASONS
    field: str
    found: str
    expected: str


# Why a record may be left out. "absent" is normal for a partial copy; every other word counts as a fault.
REASONS = (
    "absent",
    "unreadable",
    "wrong_length",
    "wrong_rate",
    "wrong_leads",
    "wrong_unit",
    "wrong_checksum",
    "no_value",
    "flat",
    "wrong_amplitude",
    "bad_metadata",
    "duplicate_id",
)


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a source before it is read; printed as its data card."""

    title: str
    version: str
    doi: str
    licence: str
    records: int | None  # published count, None where unknown
    patients: int | None
    rates_hz: tuple[int, ...]
    mains_hz: int  # where it was recorded
    lead_spelling: str
    unit: str  # unit and gain of the stored samples, in words
    statements: str  # vocabulary of the raw labels, in words
    split_protocol: str
    known_issues: tuple[str, ...]
    citation: str
    # Median over records of the largest peak-to-peak amplitude over leads, mV: outside, the unit or gain is wrong.
    # Below 1 mV in every lead an ECG is of low voltage, which the median one is not; published sources have 2.7 to 4.4.
    # The early gains of the Challenges (200 and 4880 for 1000) are outside; a factor of two is not.
    amplitude_mv: tuple[float, float] = (1.0, 6.0)


class Source(Protocol):
    """Shape of a file in `sources/`."""

    CARD: Card

    def read_records(
        self, raw: Path, options: Mapping[str, object], shard: Shard = WHOLE
    ) -> Iterator[Record | Exclusion]:
        """Every record of the shard that its metadata names, in the source's own order, one pass, constant memory.

        raw : folder of the source as published; options : the source's `layout` block of params.yaml.
        """


@dataclass
class RecordFault(ValueError):
    """Raised by a format reader; the source turns it into an `Exclusion` with the record's id."""

    reason: str
    field: str
    found: str
    expected: str
    advice: str = ""

    def __str__(self) -> str:
        text = f"{self.field}: found {self.found}, expected {self.expected}"
        return f"{text}; {self.advice}" if self.advice else text

    def exclusion(self, record_id: str) -> Exclusion:
        """The fault as a row of `excluded.csv`."""
        return Exclusion(record_id, self.reason, self.field, self.found, self.expected)
