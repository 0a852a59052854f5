"""The job that sets a study beside what was published, and the protocol of each of its cells."""

from typing import Any

from codeii.schema.amounts import ALL
from codeii.schema.params import Experiment, FoldSplit, HashedSplit, Params, PublishedSplit
from codeii.workflow.awaiting import missing_from_tables
from codeii.workflow.fingerprint import code_fingerprint
from codeii.workflow.job import Job
from codeii.workflow.runs import chosen_experiments

PTBXL_FOLDS = (["1", "2", "3", "4", "5", "6", "7", "8"], ["9"], ["10"])


def reproduce_job(declared: Params, jobs: list[Job]) -> Job:
    """Verdicts of all that was declared; jobs : all that they may be made from."""
    inputs = {
        need: [job.manifest for job in jobs if job.rule == rule]
        for need, rule in (("scores", "evaluate"), ("comparisons", "compare"))
    }
    test = declared.reproduction
    cells = _cells(declared)
    settings = {"margin": test.equivalence_margin, "alpha": test.alpha, "cells": cells}
    code = code_fingerprint("codeii.reproduction.run")
    return Job("reproduce", "verdicts", {}, "results/verdicts", inputs, settings, code)


def _cells(params: Params) -> list[dict[str, Any]]:
    """Every start of every model of the experiments that have runs on all their data."""
    missing = missing_from_tables(params)
    lacking = {
        tuple(run[:3]): words
        for kind, words in (("runs", "data not released"), ("runs_without_weights", "weights absent"))
        for run in missing[kind]
    }
    return [
        {
            "experiment": name,
            "model": model,
            "start": start,
            "encoder": _encoder(params, start),
            "mode": params.starts[start].mode,
            "random": params.starts[start].init == "random",
            "task": params.tasks[experiment.task].label_set if _by_label_set(params, experiment) else experiment.task,
            "protocol": _protocol(params, experiment),
            "not_run": lacking.get((name, model, start), ""),
        }
        for name, experiment in chosen_experiments(params).items()
        if ALL in experiment.amounts
        for model in experiment.models
        for start in experiment.starts
    ]


def _by_label_set(params: Params, experiment: Experiment) -> bool:
    """Whether the label set alone says which published task it is: a label set of our twin says nothing."""
    return not params.tasks[experiment.task].label_set.endswith("_twin")


def _encoder(params: Params, start: str) -> str:
    weights = params.weights.get(params.starts[start].init)
    return (weights.encoder or "") if weights else ""


def _protocol(params: Params, experiment: Experiment) -> dict[str, Any]:
    task = params.tasks[experiment.task]
    cut = params.preprocessing[experiment.preprocessing].placement == "sections"
    return {
        "release": params.sources[task.source].version,
        "split": split_words(task.splits),
        "unlabelled_records": task.unlabelled_records,
        "minimum_seconds": task.minimum_seconds or None,
        "crops": experiment.sections if cut else "whole records",
    }


def split_words(splits: FoldSplit | HashedSplit | PublishedSplit) -> str:
    """A split as protocols name it."""
    if isinstance(splits, FoldSplit):
        folds = (list(splits.train), list(splits.validation), list(splits.test))
        return "folds 1-8, 9, 10" if folds == PTBXL_FOLDS else f"folds {' '.join(splits.test)} for test"
    if isinstance(splits, PublishedSplit):
        return f"published split {splits.name}"
    return "our own split by patient"
