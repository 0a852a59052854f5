"""The synthetic population of a source: who comes, how often, with what, and the tracings that are recorded.

Every exam depends on the source, the seed and its own number alone (its fold also on the patients before it), so that
exams can be simulated in any order or in parallel: `plan` is cheap, `exam_of` makes the signals.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from codeii.synthetic.draw import draw_age, draw_findings, draw_table
from codeii.synthetic.effects import apply
from codeii.synthetic.exam import TwinExam
from codeii.synthetic.heart import Heart, draw_heart, draw_recording
from codeii.synthetic.label import statements_of
from codeii.synthetic.tracing import simulate
from codeii.synthetic.twin_source import TwinSource, twin_source

Value = TypeVar("Value")

# Streams of random numbers, so that none disturbs another.
PATIENT, BODY, STRENGTH, VISIT, RECORDING, TRACING, ORDER = range(7)
SAME_FINDINGS = 0.7  # share of later visits that show what the first one showed


@dataclass(frozen=True, slots=True)
class PlannedExam:
    """Everything of an exam but its signals."""

    source: str
    seed: int
    number: int  # 0, 1, ... in the population
    patient: int  # 0, 1, ...
    age_years: float
    sex: str
    findings: tuple[str, ...]
    statements: tuple[str, ...]
    fold: str
    rate_hz: int
    samples: tuple[int, ...]  # length of each tracing


def population(source: str, count: int, seed: int) -> Iterator[TwinExam]:
    """The first `count` exams of a source's synthetic population, one after another; the same seed, the same bytes.

    Raises ValueError on a source without a twin or a negative count.
    """
    return map(exam_of, plan(source, count, seed))


def plan(source: str, count: int, seed: int) -> Iterator[PlannedExam]:
    """The first `count` exams without their signals. Raises ValueError as `population` does."""
    if count < 0:
        raise ValueError(f"count {count} is negative; expected 0 or more exams")
    return _plan(twin_source(source), count, seed)


def exam_of(planned: PlannedExam) -> TwinExam:
    """Simulate the tracings of a planned exam."""
    source = twin_source(planned.source)
    heart = heart_of(planned)
    tracings = [
        simulate(
            heart,
            samples,
            planned.rate_hz,
            source.mains_hz,
            _sequence(planned.source, planned.seed, TRACING, planned.number, tracing),
        )[0]
        for tracing, samples in enumerate(planned.samples)
    ]
    return TwinExam(
        exam_id=str(planned.number + 1),
        patient_id=str(planned.patient + 1),
        age_years=planned.age_years,
        sex=planned.sex,
        statements=planned.statements,
        findings=planned.findings,
        fold=planned.fold,
        rate_hz=planned.rate_hz,
        tracings_mv=tuple(tracings),
    )


def heart_of(planned: PlannedExam) -> Heart:
    """The heart behind an exam: the patient's body, the visit's recording, then the findings."""
    key = (planned.source, planned.seed)
    body = draw_heart(_rng(*key, BODY, planned.patient), planned.age_years, planned.sex)
    recorded = draw_recording(_rng(*key, RECORDING, planned.number), body)
    return apply(recorded, planned.findings, _sequence(*key, STRENGTH, planned.patient))


def _plan(source: TwinSource, count: int, seed: int) -> Iterator[PlannedExam]:
    fold_of: dict[int, str] = {}
    open_seats: dict[str, list[int]] = {}
    taken = np.zeros(len(source.folds), np.int64)
    for number in range(count):
        patient, visit = _patient_of(source, seed, number)
        rng = _rng(source.name, seed, PATIENT, patient)
        age, sex = draw_age(rng, source), "male" if rng.random() < source.male else "female"
        present = draw_findings(rng, source, age, sex)
        if patient not in fold_of:
            seats = open_seats.setdefault(_stratum(source, present), [])
            fold_of[patient] = _fold(source, rng, seats, taken)
        rng = _rng(source.name, seed, VISIT, number)
        if visit:
            age = round(min(age + visit * 2.5 * float(rng.random()), source.age_high), 1)
            present = present if rng.random() < SAME_FINDINGS else draw_findings(rng, source, age, sex)
        rate = _weighted(rng, source.rates_hz)
        yield PlannedExam(
            source=source.name,
            seed=seed,
            number=number,
            patient=patient,
            age_years=age,
            sex=sex,
            findings=present,
            statements=statements_of(rng, source, present),
            fold=fold_of[patient],
            rate_hz=rate,
            samples=tuple(_length(rng, source, rate) for _ in range(_weighted(rng, source.tracings))),
        )


def _patient_of(source: TwinSource, seed: int, number: int) -> tuple[int, int]:
    """Patient of an exam, and how many exams of that patient come before it.

    Exams are dealt in blocks of `per_patient`; within a block their order is drawn.
    """
    seats = np.repeat(np.arange(len(source.per_patient)), source.per_patient)
    block, place = divmod(number, len(seats))
    if len(seats) == len(source.per_patient):
        return number, 0
    dealt = _rng(source.name, seed, ORDER, block).permutation(seats)
    return block * len(source.per_patient) + int(dealt[place]), int((dealt[:place] == dealt[place]).sum())


def _stratum(source: TwinSource, present: tuple[str, ...]) -> str:
    """The rarest finding of a patient, by which folds are balanced."""
    table = draw_table(source.name)
    rank = dict(zip(table.names, table.first + table.benign, strict=True))
    return min(present, key=lambda finding: (rank[finding], finding), default="none")


def _fold(source: TwinSource, rng: np.random.Generator, seats: list[int], taken: np.ndarray) -> str:
    """Fold of the next patient of a stratum.

    Every run of its patients fills all folds once (`seats` holds those still open and is changed); among the open
    ones the smallest so far is taken (`taken` counts the patients and is changed), equal ones by lot.
    """
    if not seats:
        seats.extend(range(len(source.folds)))
    lot = rng.permutation(len(source.folds))
    seat = min(seats, key=lambda number: (taken[number], lot[number]))
    seats.remove(seat)
    taken[seat] += 1
    return source.folds[seat]


def _length(rng: np.random.Generator, source: TwinSource, rate_hz: int) -> int:
    low, high = _weighted(rng, source.seconds)
    return round((low + (high - low) * rng.random()) * rate_hz)


def _weighted(rng: np.random.Generator, weights: Mapping[Value, float]) -> Value:
    upto = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(upto, rng.random() * upto[-1], "right"))]


def _number_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _sequence(source: str, seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([_number_of(source), seed, *key])


def _rng(source: str, seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(_sequence(source, seed, *key)))
