"""Read and check `params.yaml`: every fault is one sentence with its dotted path, before the first job."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codeii.schema.amounts import ALL
from codeii.schema.labels import label_set_names
from codeii.schema.params import Experiment, FoldSplit, HashedSplit, Params, PublishedSplit, sentence_of
from codeii.schema.split_lists import source_of_list, split_list_names
from codeii.workflow.plugins import check_name, metrics_of_one_class, model_settings, names_in
from codeii.workflow.weights import check_fit, check_weights

RANDOM = "random"


def load_params(paths: list[Path]) -> Params:
    """Read YAML files, later ones over earlier ones (mappings merge, lists are replaced), and check the whole.

    Raises ValueError with one sentence per fault.
    """
    import yaml

    merged: dict[str, Any] = {}
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path}: there is no such file of parameters")
        merged = merge(merged, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    return check_params(merged)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Deep merge as Snakemake does it for `--configfile`: mappings merge, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def check_params(values: Mapping[str, Any]) -> Params:
    """Check types, ranges and every name. Raises ValueError with one sentence per fault."""
    try:
        params = Params.model_validate(dict(values))
    except ValidationError as error:
        raise ValueError("\n".join(sentence_of(dict(fault)) for fault in error.errors())) from None
    _check_sources(params)
    _check_tasks(params)
    _check_models(params)
    check_weights(params, RANDOM)
    for name, experiment in params.experiments.items():
        _check_experiment(params, f"experiments.{name}", name)
        for source in experiment.predict:
            check_name(f"experiments.{name}.predict", source, list(params.sources))
    for index, name in enumerate(params.run.experiments or []):
        check_name(f"run.experiments.{index}", name, list(params.experiments))
    _check_waivers(params)
    for metric in params.evaluation.metrics:
        check_name("evaluation.metrics", metric, names_in("evaluation/metrics"))
    for name in params.explanation.experiments:
        check_name("explanation.experiments", name, list(params.experiments))
    for metric in params.analyses.metrics:
        check_name("analyses.metrics", metric, metrics_of_one_class())
    for table in params.reporting.tables:
        check_name("reporting.tables", table, names_in("reporting/tables"))
    for figure in params.reporting.figures:
        check_name("reporting.figures", figure, names_in("reporting/figures"))
    return params


def _check_sources(params: Params) -> None:
    for name, source in params.sources.items():
        check_name("sources", name, names_in("sources"))
        if source.origin == "synthetic" and source.twin is None:
            raise ValueError(f"sources.{name}.twin: missing; a synthetic source says how many records to make")
        if source.origin == "local" and source.path is None:
            raise ValueError(f"sources.{name}.path: missing; a local source says in which folder it lies")
        if source.origin in ("primary", "archive") and getattr(source, source.origin) is None:
            raise ValueError(
                f"sources.{name}.{source.origin}: missing; origin {source.origin} says where the files are"
            )
        if source.primary and not (source.primary.listing or source.primary.files):
            raise ValueError(f"sources.{name}.primary: neither listing nor files; one of them names what is fetched")


def _check_tasks(params: Params) -> None:
    for name, task in params.tasks.items():
        check_name(f"tasks.{name}.source", task.source, list(params.sources))
        check_name(f"tasks.{name}.label_set", task.label_set, label_set_names())
        if isinstance(task.splits, HashedSplit):
            total = sum(task.splits.shares.values())
            if abs(total - 1) > 1e-9 or len(task.splits.shares) != 3:
                raise ValueError(f"tasks.{name}.splits.shares: train, validation and test sum to {total:g}, expected 1")
        if isinstance(task.splits, FoldSplit):
            folds = [*task.splits.train, *task.splits.validation, *task.splits.test]
            twice = sorted({fold for fold in folds if folds.count(fold) > 1})
            if twice:
                raise ValueError(f"tasks.{name}.splits: fold {', '.join(twice)} is in more than one split")
        if isinstance(task.splits, PublishedSplit):
            check_name(f"tasks.{name}.splits.name", task.splits.name, split_list_names())
            of = source_of_list(task.splits.name)
            if of != task.source:
                found = f"{task.splits.name} names records of {of}"
                raise ValueError(f"tasks.{name}.splits.name: {found}, expected those of {task.source}")


def _check_waivers(params: Params) -> None:
    for index, waiver in enumerate(params.leakage.waive):
        if waiver.task is not None:
            check_name(f"leakage.waive.{index}.task", waiver.task, list(params.tasks))
        for record in waiver.records or ():
            check_name(f"leakage.waive.{index}.records", record.partition("/")[0], list(params.sources))


def _check_models(params: Params) -> None:
    for name, settings in params.models.items():
        check_name("models", name, names_in("models"))
        try:
            model_settings(name)(**settings)
        except ValidationError as error:
            faults = [sentence_of({**fault, "loc": ("models", name, *fault["loc"])}) for fault in error.errors()]
            raise ValueError("\n".join(faults)) from None


def _check_experiment(params: Params, path: str, name: str) -> None:
    experiment = params.experiments[name]
    check_name(f"{path}.task", experiment.task, list(params.tasks))
    check_name(f"{path}.preprocessing", experiment.preprocessing, list(params.preprocessing))
    check_name(f"{path}.recipe", experiment.recipe, list(params.recipes))
    _check_augmentation(params, path, experiment)
    for model in experiment.models:
        check_name(f"{path}.models", model, names_in("models"))
    for key in ("starts", "fractions", "per_class", "seeds", "models"):
        values = getattr(experiment, key)
        if len(set(values)) != len(values):
            raise ValueError(f"{path}.{key}: {values} names something twice")
    if len({f"{fraction:g}" for fraction in experiment.fractions}) != len(experiment.fractions):
        raise ValueError(f"{path}.fractions: {experiment.fractions} are equal to six digits, which name the runs")
    for start in experiment.starts:
        check_name(f"{path}.starts", start, list(params.starts))
        _check_init(params, path, name, start)


def _check_augmentation(params: Params, path: str, experiment: Experiment) -> None:
    wanted = params.recipes[experiment.recipe].augmentation
    given = params.preprocessing[experiment.preprocessing]
    where = f"recipes.{experiment.recipe}.augmentation"
    if wanted.crop_samples > given.samples:
        found = f"found {wanted.crop_samples}; the tensors of {experiment.preprocessing} have {given.samples}"
        raise ValueError(f"{where}.crop_samples: {found} ({path})")
    if wanted.noise_uv and given.normalisation != "none":
        found = f"found {wanted.noise_uv:g}; the tensors of {experiment.preprocessing} are normalised, not in volts"
        raise ValueError(f"{where}.noise_uv: {found} ({path})")


def _check_init(params: Params, path: str, name: str, start: str) -> None:
    init = params.starts[start].init
    if init == RANDOM:
        return
    check_name(f"starts.{start}.init", init, [RANDOM, *params.experiments, *params.weights])
    if init in params.weights:
        check_fit(params, path, params.experiments[name], start)
        recipe = params.experiments[name].recipe
        if params.recipes[recipe].standardise != "none":
            found = f"recipes.{recipe}.standardise: found {params.recipes[recipe].standardise!r}; {start} of {path}"
            raise ValueError(f"{found} starts from published weights, which keep their own preprocessing; say none")
        return
    given, wanted = params.experiments[init], params.experiments[name]
    if any(params.starts[first].init != RANDOM for first in given.starts):
        raise ValueError(f"starts.{start}.init: {init!r} itself starts from a checkpoint; chains are not supported")
    if ALL not in given.amounts:
        found = f"per_class {given.per_class}" if given.per_class else str(given.fractions)
        raise ValueError(f"{path}.starts: {start} needs fraction 1.0 of {init}, which has {found}")
    if given.preprocessing != wanted.preprocessing:
        found = f"{wanted.preprocessing!r}, but {init} was trained on {given.preprocessing!r}"
        raise ValueError(f"{path}.preprocessing: {found}; a checkpoint keeps its preprocessing")
    for model in wanted.models:
        check_name(f"{path}.models (start {start})", model, list(given.models))
