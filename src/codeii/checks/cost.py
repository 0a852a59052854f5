"""What the trainings of a study cost at most, before they run: record visits, and hours at a measured rate.

A visit is one record through the network and back. Validation, prediction and the sections of long records are not
counted. Folds of a source are taken for equal parts where there are three or more; of two, all records are counted.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codeii.artifacts import events
from codeii.artifacts.manifest import IntegrityError, load_manifest
from codeii.schema.labels import read_label_set
from codeii.schema.leads import LEAD_SETS
from codeii.schema.params import FoldSplit, Params, PublishedSplit, Task
from codeii.schema.recipe import Recipe
from codeii.schema.split_lists import read_split_list
from codeii.training.settings import TrainSettings
from codeii.workflow.job import Job
from codeii.workflow.plugins import PACKAGE

SCRATCH = Path("scratch")  # where runs tell their events
SHIPPED = PACKAGE / "checks" / "records_per_second.csv"
EQUAL_FOLDS = 3  # fewer are no folds of a cross-validation: 12,000 and 3,000 exams of CODE-II-open


@dataclass(frozen=True, slots=True)
class Rate:
    """Records a second of a training, and what they were measured on."""

    per_second: float
    cores: int  # that it keeps busy; 0 where it is not told in cores
    words: str


def cost_words(params: Params, waiting: Sequence[Job], given: float | None) -> list[str]:
    """The sum over the trainings to run, as one line; none where there is nothing to train.

    waiting : training jobs; given : records a second as measured by whoever asks, None: from here or as shipped
    """
    if not waiting:
        return []
    here = {} if given else measured_here()
    visits: dict[Rate | str, int] = {}  # a model's name where no rate is known
    unknown = set()
    for job in waiting:
        count = visits_of(params, job)
        if count is None:
            unknown.add(params.tasks[job.settings["task"]].source)
            continue
        rate = Rate(given, 0, "as given") if given else rate_of(job.settings, here)
        key = rate or job.settings["model"]
        visits[key] = visits.get(key, 0) + count
    words = [f"training: at most {sum(visits.values()):,} record visits in {len(waiting)} runs, early stopping ignored"]
    words += [_hours(rate, count) for rate, count in visits.items() if isinstance(rate, Rate)]
    if unmeasured := [f"{model} ({count:,} visits)" for model, count in visits.items() if isinstance(model, str)]:
        words.append(f"no measured rate: {', '.join(unmeasured)} (--records-per-second N)")
    if unknown:
        words.append(f"not in the sum: runs on {', '.join(sorted(unknown))}, of unknown number of records")
    return ["; ".join(words)]


def visits_of(params: Params, job: Job) -> int | None:
    """Most record visits of a training: of a linear probe one each, for its features. None where records are unknown.

    A count per class is taken for so many records of each class and of none.
    """
    settings, recipe = job.settings, Recipe.model_validate(job.settings["recipe"])
    task = params.tasks[settings["task"]]
    records = training_records(params, task, Path(job.inputs["targets"][0]))
    if records is None:
        return None
    if settings["per_class"]:
        wanted: int = settings["per_class"] * (len(read_label_set(task.label_set).classes) + 1)
        records = min(records, wanted)
    else:
        records = math.ceil(settings["fraction"] * records)
    if settings["mode"] == "linear_probe":
        return records
    steps = recipe.epochs * math.ceil(records / recipe.batch_size)
    return records * recipe.epochs * max(1, math.ceil(recipe.steps_at_least / steps))


def training_records(params: Params, task: Task, targets: Path) -> int | None:
    """Records of the training split: counted where the targets are made, else at most so many as the source has."""
    try:
        return int(load_manifest(targets, "targets").facts["records"]["train"])
    except IntegrityError:
        source = params.sources[task.source]
    twin = source.twin if source.origin == "synthetic" else None
    records = twin.records if twin else _published_records(task.source)
    return None if records is None else _at_most_in_training(task, records)


def _published_records(source: str) -> int | None:
    records: int | None = import_module(f"codeii.sources.{source}").CARD.records
    return records


def _at_most_in_training(task: Task, records: int) -> int:
    splits = task.splits
    if isinstance(splits, PublishedSplit):
        return _listed(splits.name)
    if not isinstance(splits, FoldSplit):
        return math.ceil(splits.shares["train"] * records)
    folds = len(splits.train) + len(splits.validation) + len(splits.test)
    share = len(splits.train) / folds if folds >= EQUAL_FOLDS else 1.0
    return math.ceil(share * records * (1.0 if splits.validation else 1 - splits.validation_share))


@cache
def _listed(name: str) -> int:
    return list(read_split_list(name).split_of.values()).count("train")


def measured_here() -> dict[str, Rate]:
    """What runs of whole networks told in this tree, by what sets their speed: the mean over their epochs."""
    told: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(SCRATCH.rglob(events.EVENTS)):
        happened = events.read(path.parent)
        start = next((event for event in happened if event["event"] == "start"), {})
        try:
            settings = TrainSettings.model_validate(start.get("settings")).model_dump(mode="json")
        except ValidationError:  # told by another version, which may have trained at another speed
            continue
        if settings["mode"] == "full":
            threads = {"threads": settings["recipe"]["threads"]}
            epochs = [event | threads for event in happened if event["event"] == "epoch"]
            told.setdefault(_kind(settings), []).extend(epochs)
    return {kind: _mean_rate(epochs) for kind, epochs in told.items() if epochs}


def _mean_rate(epochs: Sequence[Mapping[str, Any]]) -> Rate:
    records = sum(epoch["records_per_s"] * epoch["seconds"] for epoch in epochs)
    per_second = records / sum(epoch["seconds"] for epoch in epochs)
    if epochs[-1].get("gpu_memory_mb") is not None:
        return Rate(per_second, 0, "a GPU here, validation included")
    threads = int(epochs[-1]["threads"])
    return Rate(per_second, threads, f"{threads} thread{'s' if threads > 1 else ''} here, validation included")


def rate_of(settings: Mapping[str, Any], here: Mapping[str, Rate]) -> Rate | None:
    """The rate of a training: as measured here, else as shipped; None where neither knows its network and input."""
    if found := here.get(_kind(settings)):
        return found
    for row in _shipped():
        wanted = dict(word.split("=", 1) for word in row["settings"].split())
        words = {name: _word(settings["model_settings"].get(name)) for name in wanted}
        of_input = tuple(row[name] for name in ("samples", "leads", "precision"))
        if row["model"] == settings["model"] and words == wanted and of_input == _input(settings):
            return Rate(float(row["records_per_second"]), 1, f"{row['hardware']}, {row['precision']}")
    return None


@cache
def _shipped() -> list[dict[str, str]]:
    with SHIPPED.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _input(settings: Mapping[str, Any]) -> tuple[str, str, str]:
    """Samples, leads and precision as the shipped table spells them."""
    recipe, shape = settings["recipe"], settings["preprocessing"]
    samples = recipe["augmentation"]["crop_samples"] or shape["samples"]
    return str(samples), str(len(LEAD_SETS[shape["leads"]])), recipe["precision"]


def _kind(settings: Mapping[str, Any]) -> str:
    """What sets the speed of a training of the whole network."""
    how = (*_input(settings), settings["recipe"]["compile"])
    return repr((settings["model"], sorted(settings["model_settings"].items()), how))


def _hours(rate: Rate, visits: int) -> str:
    hours = _about(visits / rate.per_second * max(1, rate.cores) / 3600)
    unit = "core hours" if rate.cores else "hours"
    return f"{hours} {unit} at {_about(rate.per_second)} records a second ({rate.words})"


def _about(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
