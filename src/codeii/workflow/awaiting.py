"""What of a study is not run for want of a source or of published weights: which parts, why, and what to set.

A source may await its release; a file of weights published by others may not be on this machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from codeii.schema.amounts import AMOUNT
from codeii.schema.params import Experiment, Params
from codeii.workflow.runs import chosen_experiments, runs_of
from codeii.workflow.weights import where_to_put

AWAITING = "which is awaiting release"
MISSING = ("runs", "submissions", "runs_without_weights", "submissions_without_weights")
OF_RUN = ("experiment", "model", "start", *AMOUNT)


@dataclass(frozen=True, slots=True)
class NotRun:
    """One part of the chosen study that falls away, and the step by which it hangs on what is not there."""

    part: Literal["experiment", "start", "predictions"]
    experiment: str
    start: str  # of a start; "" otherwise
    lacks: Literal["data", "weights"]
    awaited: str  # the source, or the weights
    because: str
    runs: int


def awaits(params: Params, source: str) -> bool:
    """Whether the data of a source are not to be had yet."""
    return params.sources[source].origin == "awaiting"


def not_run(params: Params) -> list[NotRun]:
    """Everything that falls away, computed once: whole experiments first, then starts, then predictions."""
    chosen = chosen_experiments(params)
    lost: dict[str, NotRun] = {}
    for name, experiment in chosen.items():
        source = params.tasks[experiment.task].source
        if awaits(params, source):
            because = f"its task {experiment.task} reads {source}, {AWAITING}"
            lost[name] = NotRun("experiment", name, "", "data", source, because, _count(name, experiment))
    starts: list[NotRun] = []
    for name, experiment in chosen.items():
        if name in lost:
            continue
        gone = list(_lost_starts(params, name, experiment, lost))
        if len(gone) == len(experiment.starts):
            because = f"none of its starts is left: {gone[0].because}"
            lost[name] = replace(gone[0], part="experiment", start="", because=because, runs=_count(name, experiment))
        else:
            starts += gone
    left = {name: experiment for name, experiment in chosen.items() if name not in lost}
    return [*lost.values(), *starts, *_lost_predictions(params, left)]


def what_can_run(params: Params) -> Params:
    """The same study without what falls away; the study itself where nothing does.

    Raises ValueError where nothing is left to run.
    """
    lost = not_run(params)
    if not lost:
        return params
    whole = {part.experiment for part in lost if part.part == "experiment"}
    starts = {(part.experiment, part.start) for part in lost if part.part == "start"}
    left = {
        name: experiment.model_copy(
            update={
                "starts": [start for start in experiment.starts if (name, start) not in starts],
                "predict": [source for source in experiment.predict if not awaits(params, source)],
            }
        )
        for name, experiment in chosen_experiments(params).items()
        if name not in whole
    }
    if not left:
        raise ValueError("\n".join(["nothing of this study can be run yet:", *not_run_words(params)]))
    run = params.run.model_copy(update={"experiments": None})
    return params.model_copy(update={"experiments": left, "run": run})


def not_run_words(params: Params) -> list[str]:
    """One sentence for each part that falls away, then one for each thing awaited: why, and what to do."""
    lost = not_run(params)
    lines = []
    for part in (part for part in lost if part.part == "experiment"):
        lines.append(f"not run: experiment {part.experiment} ({_runs(part.runs)}), because {part.because}")
    for start in dict.fromkeys(part.start for part in lost if part.part == "start"):
        mine = [part for part in lost if part.start == start and part.part == "start"]
        names = ", ".join(part.experiment for part in mine)
        runs = _runs(sum(part.runs for part in mine))
        lines.append(f"not run: start {start} of {names} ({runs}), because {mine[0].because}")
    for part in (part for part in lost if part.part == "predictions"):
        lines.append(f"not run: predictions of {part.experiment} for {part.awaited}, because {part.because}")
    lines += list(_new_references(params, lost))
    lines += [where_to_put(name, params.weights[name]) for name in absent_weights(params)]
    return lines + [why_awaited(params, source) for source in awaited_sources(params)] if lost else []


def awaited_sources(params: Params) -> list[str]:
    """Sources that the chosen study needs and that are not to be had yet, in the order it needs them."""
    needed = [
        source
        for experiment in chosen_experiments(params).values()
        for source in (params.tasks[experiment.task].source, *experiment.predict)
    ]
    return [source for source in dict.fromkeys(needed) if awaits(params, source)]


def absent_weights(params: Params) -> list[str]:
    """Weights that the chosen study starts from and whose file is not here, in the order declared."""
    starts = (start for experiment in chosen_experiments(params).values() for start in experiment.starts)
    given = {params.starts[start].init for start in starts}
    return [name for name, weights in params.weights.items() if name in given and not weights.there]


def missing_from_tables(params: Params) -> dict[str, list[Any]]:
    """What tables and figures name as not run.

    `runs` (experiment, model, start, fraction, per_class) and `submissions` (source, experiment, model) want data;
    `runs_without_weights` and `submissions_without_weights` want a file of weights.
    """
    chosen = chosen_experiments(params)
    missing: dict[str, list[Any]] = {name: [] for name in MISSING}
    for part in not_run(params):
        experiment = chosen[part.experiment]
        suffix = "_without_weights" if part.lacks == "weights" else ""
        if part.part != "predictions":
            every = (run for run in runs_of(part.experiment, experiment) if part.start in ("", run.start))
            missing[f"runs{suffix}"] += [[run.facts[name] for name in OF_RUN] for run in every]
        awaited = experiment.predict if part.part == "experiment" else [part.awaited]
        if part.part != "start":
            every_file = [[source, part.experiment, model] for model in experiment.models for source in awaited]
            missing[f"submissions{suffix}"] += every_file
    return {name: _once(rows) for name, rows in missing.items()}


def _count(name: str, experiment: Experiment) -> int:
    return len(runs_of(name, experiment))


def _lost_starts(params: Params, name: str, experiment: Experiment, lost: dict[str, NotRun]) -> Iterator[NotRun]:
    for start in experiment.starts:
        init = params.starts[start].init
        runs = _count(name, experiment) // len(experiment.starts)
        if init in lost:
            because = f"it starts from {init}, which is not run as {lost[init].because}"
            yield replace(lost[init], part="start", experiment=name, start=start, because=because, runs=runs)
        elif init in params.weights and not params.weights[init].there:
            yield NotRun("start", name, start, "weights", init, f"the file of weights.{init} is absent", runs)


def _lost_predictions(params: Params, left: dict[str, Experiment]) -> Iterator[NotRun]:
    for name, experiment in left.items():
        for source in experiment.predict:
            if awaits(params, source):
                yield NotRun("predictions", name, "", "data", source, f"{source} is awaiting release", 0)


def _new_references(params: Params, lost: list[NotRun]) -> Iterator[str]:
    """Where the first start falls away, the next is what the others are compared with."""
    for part in lost:
        starts = params.experiments[part.experiment].starts
        if part.part == "start" and part.start == starts[0]:
            gone = {other.start for other in lost if other.experiment == part.experiment}
            first = next(start for start in starts if start not in gone)
            yield f"note: starts of {part.experiment} are compared with {first}, as {part.start} is not run"


def why_awaited(params: Params, source: str) -> str:
    """Why a source cannot be had yet and what to set once it can, as a sentence."""
    settings = params.sources[source]
    said = settings.awaiting
    reason = f": {said.reason}" if said else ""
    checked = f" (so on {said.checked})" if said and said.checked else ""
    to_set = (said.what_to_set if said else None) or (
        f"when you have it, set sources.{source} to origin: local with path and layout "
        '(docs/study.md, "When CODE-II is released")'
    )
    return f"sources.{source} is awaiting release{reason}{checked}; {to_set}"


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _once(rows: list[Any]) -> list[Any]:
    return [row for at, row in enumerate(rows) if row not in rows[:at]]
