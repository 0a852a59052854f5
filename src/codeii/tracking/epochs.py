"""A run's epochs, from its events or from its history.csv, as the tracker takes them."""

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeii.artifacts.checkpoint import HISTORY

if TYPE_CHECKING:
    from mlflow.entities import Metric, RunTag

LOSS = "validation_loss"
SAME = 1e-3  # relative; epochs that differ by more are of other code or data, by less of another machine
NO_METRICS = ("event", "time", "epoch")
STEPS = {"step": "steps"}  # as history.csv calls it


@dataclass(frozen=True, slots=True)
class Epoch:
    """What was measured in one epoch, and when."""

    number: int
    time_ms: int
    values: dict[str, float]
    not_finite: dict[str, str]  # metric -> nan, inf or -inf: MLflow would store infinity as 1.797e308


def told(events: Iterable[Mapping[str, Any]]) -> list[Epoch]:
    """The epochs that a run has told of."""
    return [_epoch(event, milliseconds(event)) for event in events if event["event"] == "epoch"]


def finished(run: Path, live: Iterable[Epoch]) -> list[Epoch]:
    """The epochs of history.csv in a run's folder; time, throughput and memory from those it told of, where it did."""
    of_number = {epoch.number: epoch for epoch in live}
    path = run / HISTORY
    written_ms = int(path.stat().st_mtime * 1000)
    with path.open(newline="", encoding="utf-8") as file:
        rows = [_epoch(row, written_ms) for row in csv.DictReader(file)]
    return [_with(row, of_number.get(row.number)) for row in rows]


def differ(one: float | None, other: float | None) -> bool:
    """Whether two losses of an epoch cannot be of the same run; what is not known does not differ."""
    return one is not None and other is not None and not math.isclose(one, other, rel_tol=SAME)


def milliseconds(event: Mapping[str, Any]) -> int:
    """Time of an event as MLflow counts it."""
    return round(datetime.fromisoformat(event["time"]).timestamp() * 1000)


def metrics_of(epochs: Iterable[Epoch]) -> "list[Metric]":
    """Metrics by epoch."""
    from mlflow.entities import Metric

    return [
        Metric(name, value, epoch.time_ms, epoch.number) for epoch in epochs for name, value in epoch.values.items()
    ]


def tags_of(epochs: Iterable[Epoch]) -> "list[RunTag]":
    """A tag for each metric that was not finite, with the epochs and what it was."""
    from mlflow.entities import RunTag

    found: dict[str, list[str]] = {}
    for epoch in epochs:
        for name, word in epoch.not_finite.items():
            found.setdefault(name, []).append(f"epoch {epoch.number}: {word}")
    return [RunTag(f"codeii.not_finite.{name}", ", ".join(words)[:5000]) for name, words in found.items()]


def _epoch(row: Mapping[str, Any], time_ms: int) -> Epoch:
    numbers = {}
    for name, value in row.items():
        if name not in NO_METRICS and value not in ("", None):
            numbers[STEPS.get(name, name)] = float(value)
    finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
    others = {name: str(value) for name, value in numbers.items() if name not in finite}
    return Epoch(int(row["epoch"]), time_ms, finite, others)


def _with(row: Epoch, live: Epoch | None) -> Epoch:
    if live is None or differ(row.values.get(LOSS), live.values.get(LOSS)):
        return row
    return Epoch(row.number, live.time_ms, {**live.values, **row.values}, {**live.not_finite, **row.not_finite})
