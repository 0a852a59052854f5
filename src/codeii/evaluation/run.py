"""Scores of the runs of one experiment and model: read predictions and targets, write scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from codeii.artifacts.checkpoint import PUBLISHED
from codeii.artifacts.manifest import load_manifest
from codeii.artifacts.predictions import ENSEMBLE, Predictions, ensembles_of_set, read_predictions, runs_of_set
from codeii.artifacts.scores import ARM_COLUMNS, SCORE_COLUMNS, Replicates, write_scores
from codeii.artifacts.targets import read_targets
from codeii.evaluation.bootstrap import resamples_sha256
from codeii.evaluation.exams import check_classes, logits_of, truth_of
from codeii.evaluation.judge import (
    Bench,
    facts_of,
    judge_run,
    mean_rows,
    prepare_bench,
    run_rows,
    undefined_resamples,
)
from codeii.evaluation.pairs import Arm, Resampled
from codeii.evaluation.rows import Row
from codeii.schema.params import Evaluation


class RunName(BaseModel):
    """What the manifest of a run's predictions says under `settings.run`."""

    model_config = ConfigDict(frozen=True)
    experiment: str
    model: str
    start: str
    fraction: float
    per_class: int
    seed: int | Literal["ensemble"]


def evaluate(
    predictions: Path, targets: Path, leakage: Path, settings: Mapping[str, Any], code: str, folder: Path
) -> None:
    """Judge the runs of one experiment and write their scores.

    Parameters
    ----------
    predictions : manifest of the prediction set: all runs of one experiment and model
    targets : manifest of the task
    leakage : manifest of the check that nothing leaks into them; there is no score without it
    settings : `evaluation` (the block of params.yaml), and `preprocessing` by name and mode
    code : fingerprint of the code
    folder : where the scores go

    Raises
    ------
    ValueError
        A run is given twice, or its exams or classes are not the task's.
    """
    load_manifest(leakage, "leakage")
    task = read_targets(targets)
    runs = read_runs(runs_of_set(predictions), task.classes)
    ensembles = by_arm(read_runs(ensembles_of_set(predictions), task.classes))
    wanted = Evaluation.model_validate(settings["evaluation"])
    bench = prepare_bench(truth_of(task, "validation"), truth_of(task, "test"), task.classes, wanted)
    scores: list[Row] = []
    means: dict[Arm, Resampled] = {}
    undefined: dict[str, int] = {}
    for arm, of_arm in by_arm(runs).items():
        rows, means[arm], undefined = _judge_arm(arm, {**of_arm, **ensembles.get(arm, {})}, bench)
        scores += rows
    write_scores(
        folder,
        pd.DataFrame(scores, columns=list(SCORE_COLUMNS)),
        _replicates(means, bench),
        settings=settings,
        code=code,
        inputs=[predictions, targets, leakage],
        facts={
            **facts_of(bench),
            "runs": len(runs),
            "ensembles": len(ensembles),
            "resamples_sha256": resamples_sha256(bench.times),
            "undefined_resamples": undefined,
            PUBLISHED: published_origins(runs),
            **protocol_of(
                task.manifest.facts, str(settings.get("preprocessing", "")), str(settings.get("sections", ""))
            ),
        },
        synthetic=task.manifest.synthetic or any(run.manifest.synthetic for run in runs.values()),
    )


def protocol_of(of_targets: Mapping[str, Any], preprocessing: str, sections: str = "") -> dict[str, str]:
    """What stands beside every score: the protocol of the targets, the preprocessing, and the split's own hash.

    sections : how the sections of a record are brought together, "" where a record is not cut
    """
    said = [str(of_targets.get("protocol", "")), f"preprocessing {preprocessing}" if preprocessing else ""]
    said.append(f"{sections} over sections" if sections else "")
    words = "; ".join(word for word in said if word)
    return {"protocol": words, "split_hash": str(of_targets.get("split_hash", ""))}


def published_origins(runs: Mapping[RunName, Predictions]) -> dict[str, Any]:
    """What stands beside the scores of a start from weights published by others: start -> what is said of them."""
    said = {name.start: run.manifest.facts.get(PUBLISHED) for name, run in runs.items()}
    return {start: facts for start, facts in said.items() if facts}


def read_runs(paths: Sequence[Path], classes: Sequence[str]) -> dict[RunName, Predictions]:
    """Runs by name. Raises ValueError where one is given twice or has other classes than the task."""
    runs: dict[RunName, Predictions] = {}
    for path in paths:
        run = read_predictions(path)
        name = RunName.model_validate(run.manifest.settings["run"])
        if name in runs:
            raise ValueError(f"{path}: predictions of this run were already given: {name}")
        check_classes(run.classes, classes)
        runs[name] = run
    return runs


def by_arm(runs: Mapping[RunName, Predictions]) -> dict[Arm, dict[int | str, Predictions]]:
    """Runs that differ in nothing but the seed, by seed."""
    arms: dict[Arm, dict[int | str, Predictions]] = {}
    for name, run in runs.items():
        arm = Arm(name.experiment, name.model, name.start, name.fraction, name.per_class)
        arms.setdefault(arm, {})[name.seed] = run
    return arms


def _judge_arm(
    arm: Arm, runs: Mapping[int | str, Predictions], bench: Bench
) -> tuple[list[Row], Resampled, dict[str, int]]:
    """Score rows of the runs, of their mean and of their ensemble; the mean resampled; and the undefined resamples.

    The mean is over the seeds alone: an ensemble is no seed.
    """
    of = (arm.experiment, arm.model, arm.start, arm.fraction, arm.per_class)
    rows: list[Row] = []
    validations, points = [], []
    undefined: dict[str, int] = {}
    total = np.zeros((len(bench.metrics.names), len(bench.test_tally.names), len(bench.times)))
    for seed, run in runs.items():
        validation = logits_of(run, "validation", bench.validation.exam_ids)
        one = judge_run(validation, logits_of(run, "test", bench.test.exam_ids), bench)
        rows += run_rows((*of, str(seed)), one, bench)
        if seed == ENSEMBLE:
            continue
        total += one.replicates
        validations.append(one.validation)
        points.append(one.test)
        undefined = undefined_resamples(one, bench)
    total /= len(points)
    rows += mean_rows(of, validations, points, total, bench)
    several = slice(bench.test_tally.averages.start, None)
    mean = Resampled(len(points), np.mean(points, axis=0)[:, several], total[:, several].copy())
    return rows, mean, undefined


def _replicates(means: Mapping[Arm, Resampled], bench: Bench) -> Replicates:
    """What the comparisons of a task are made from; scores that there are not become NaN."""
    arms = [(arm.start, *arm.amount, "mean", mean.n_seeds) for arm, mean in means.items()]
    several = slice(bench.test_tally.averages.start, None)
    made = bench.made[:, several]
    return Replicates(
        arms=pd.DataFrame(arms, columns=[*ARM_COLUMNS, "n_seeds"]),
        metrics=tuple(bench.wanted.metrics),
        classes=bench.test_tally.names[several],
        point=np.stack([np.where(made, mean.value, np.nan) for mean in means.values()]),
        values=np.stack([np.where(made[..., None], mean.replicates, np.nan) for mean in means.values()]),
    )
