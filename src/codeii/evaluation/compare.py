"""Comparisons of a task: read the scores and predictions of all its experiments, write what tells them apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from codeii.artifacts.comparisons import COLUMNS, write_comparisons
from codeii.artifacts.predictions import ensembles_of_set, runs_of_set
from codeii.artifacts.scores import Scores, read_scores
from codeii.artifacts.targets import Targets, read_targets
from codeii.evaluation import delong
from codeii.evaluation.bootstrap import draw_patients, resamples_sha256
from codeii.evaluation.exams import Truth, logits_of, truth_of
from codeii.evaluation.holm import holm
from codeii.evaluation.pairs import Arm, Resampled, compare_arms, pairs_of
from codeii.evaluation.rows import Row
from codeii.evaluation.run import by_arm, read_runs
from codeii.evaluation.series import efficiency_rows, fit_rows, point_rows
from codeii.schema.params import Evaluation


def compare(
    scores: Sequence[Path],
    predictions: Sequence[Path],
    targets: Path,
    settings: Mapping[str, Any],
    code: str,
    folder: Path,
) -> None:
    """Compare all arms of a task and write what was found.

    Parameters
    ----------
    scores, predictions : manifests of the task's experiments and models
    targets : manifest of the task
    settings : `evaluation` (the block of params.yaml), and under `experiments` what two of them must share, by name,
        for their arms to be points of one curve
    code : fingerprint of the code
    folder : where the comparisons go

    Raises
    ------
    ValueError
        Scores were made on other exams, resamples or metrics than the others, an arm is given twice, or predictions
        are not of the task's exams and classes.
    """
    task = read_targets(targets)
    truth = truth_of(task, "test")
    wanted = Evaluation.model_validate(settings["evaluation"])
    times = draw_patients(len(np.unique(truth.patient)), wanted.replicates, wanted.seed)
    judged = [read_scores(path) for path in scores]
    check_same_resamples(list(zip(scores, judged, strict=True)), resamples_sha256(times), wanted.metrics)
    arms = arms_of(judged)
    metrics = judged[0].replicates.metrics, judged[0].replicates.classes
    n_exams = len(truth.target)
    rows: dict[str, list[Row]] = {
        "comparisons": compare_arms(arms, *metrics, wanted.level, n_exams),
        "delong": _delong_rows(predictions, task, truth, wanted.level),
        "curves": point_rows(arms, judged, wanted.level, n_exams),
        "fits": fit_rows(arms, *metrics, settings["experiments"], wanted.level),
        "efficiency": efficiency_rows(arms, *metrics, settings["experiments"], wanted.level),
    }
    write_comparisons(
        folder,
        {name: pd.DataFrame(rows[name], columns=list(columns)) for name, columns in COLUMNS.items()},
        times,
        settings=settings,
        code=code,
        inputs=[*scores, *predictions, targets],
        facts={
            "task": task.manifest.settings.get("name", ""),
            "arms": len(arms),
            "exams": n_exams,
            "patients": int(times.shape[1]),
            "replicates": int(times.shape[0]),
            "resamples_sha256": resamples_sha256(times),
            "smallest_p": 2 / (1 + len(times)) if len(times) else None,
            "protocol": judged[0].manifest.facts.get("protocol", ""),
        },
        synthetic=task.manifest.synthetic or any(one.manifest.synthetic for one in judged),
    )


def check_same_resamples(judged: Sequence[tuple[Path, Scores]], expected: str, metrics: Sequence[str]) -> None:
    """Raise ValueError naming the first scores that were not made on these resamples with these metrics."""
    classes = judged[0][1].replicates.classes
    for path, one in judged:
        found = one.manifest.facts.get("resamples_sha256")
        if found != expected:
            raise ValueError(f"{path}: scored on resamples {found}, the task has {expected}; evaluate it again")
        if one.replicates.metrics != tuple(metrics) or one.replicates.classes != classes:
            raise ValueError(
                f"{path}: scores of {one.replicates.metrics}, expected {tuple(metrics)}; evaluate it again"
            )


def arms_of(judged: Sequence[Scores]) -> dict[Arm, Resampled]:
    """The arms of all scores, in their order. Raises ValueError where one is given twice."""
    arms: dict[Arm, Resampled] = {}
    for one in judged:
        name, model = (str(one.scores[word].iat[0]) for word in ("experiment", "model"))
        kept = one.replicates
        for number, (start, fraction, per_class, _, n_seeds) in enumerate(kept.arms.to_numpy(object)):
            arm = Arm(name, model, start, fraction, per_class)
            if arm in arms:
                raise ValueError(f"scores of {arm.words} are given twice")
            arms[arm] = Resampled(n_seeds, kept.point[number], kept.values[number])
    return arms


def _delong_rows(predictions: Sequence[Path], task: Targets, truth: Truth, level: float) -> list[Row]:
    """Every pair of arms, class by class: their ensembles, or where an arm has one seed that run."""
    chosen: dict[Arm, tuple[int | str, list[delong.Components | None]]] = {}
    for path in predictions:
        ensembles = by_arm(read_runs(ensembles_of_set(path), task.classes))
        for arm, of_seed in by_arm(read_runs(runs_of_set(path), task.classes)).items():
            seed, run = next(iter({**ensembles.get(arm, {}), **of_seed}.items()))
            logit = logits_of(run, "test", truth.exam_ids)
            chosen[arm] = (
                seed,
                [
                    delong.components(logit[:, number], truth.target[:, number]) if judged else None
                    for number, judged in enumerate(truth.evaluable)
                ],
            )
    rows: list[Row] = []
    for late, early in pairs_of(list(chosen)):
        rows += _delong_of_pair(late, early, chosen, task.classes, truth, float(ndtri((1 + level) / 2)))
    return rows


def _delong_of_pair(
    late: Arm,
    early: Arm,
    chosen: Mapping[Arm, tuple[int | str, list[delong.Components | None]]],
    classes: Sequence[str],
    truth: Truth,
    width: float,
) -> list[Row]:
    seed, versus_seed = chosen[late][0], chosen[early][0]
    seeds = str(seed) if seed == versus_seed else f"{seed} and {versus_seed}"
    patients = len(np.unique(truth.patient))
    patient = truth.patient if patients < len(truth.patient) else None
    found = [
        (number, first, second, delong.compare(first, second, truth.target[:, number], patient))
        for number, (first, second) in enumerate(zip(chosen[late][1], chosen[early][1], strict=True))
        if first is not None and second is not None
    ]
    adjusted = holm(np.array([gap.p for *_, gap in found]))
    family = int((~np.isnan(adjusted)).sum())
    return [
        (
            *(late.experiment, late.model, late.start, early.experiment, early.model, early.start, *late.amount, seeds),
            *(classes[number], first.auroc, second.auroc, gap.difference),
            *(gap.difference - width * gap.error, gap.difference + width * gap.error, gap.z, gap.p, float(p), family),
            *(len(truth.target), int(truth.positives[number]), patients),
        )
        for (number, first, second, gap), p in zip(found, adjusted, strict=True)
    ]
