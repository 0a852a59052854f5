"""Analyses of the runs of one experiment and model: read predictions and targets, write what lies beyond the scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.analyses import COLUMNS, POOLED, write_analyses
from codeii.artifacts.predictions import Predictions, ensembles_of_set, runs_of_set
from codeii.artifacts.targets import Targets, read_targets
from codeii.evaluation.bootstrap import draw_patients, percentile_interval
from codeii.evaluation.calibration import Bins, bins_of, expected_error, fit_temperature, log_loss, wilson
from codeii.evaluation.confusion import confusion_rows
from codeii.evaluation.exams import Truth, logits_of, truth_of
from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.pairs import Arm
from codeii.evaluation.ranking import to_probability
from codeii.evaluation.rows import Row
from codeii.evaluation.run import by_arm, read_runs
from codeii.evaluation.subgroups import Asked, group_rows, groups_of
from codeii.evaluation.thresholds import RULES, choose_thresholds
from codeii.schema.params import Analyses, Evaluation

AS_TRAINED, RECALIBRATED = "as trained", "recalibrated"


@dataclass(frozen=True, slots=True)
class Setting:
    """What all arms of an experiment are analysed with."""

    evaluation: Evaluation
    analyses: Analyses
    classes: tuple[str, ...]
    validation: Truth
    test: Truth
    people: pd.DataFrame  # (exam,) sex and age_years of the test split
    times: np.ndarray  # (replicate, patient)


def analyse(predictions: Path, targets: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Analyse the arms of an experiment that learned from the most data: their ensemble, or where there is one seed it.

    Parameters
    ----------
    predictions : manifest of the prediction set: all runs of one experiment and model
    targets : manifest of the task
    settings : `evaluation` and `analyses`, the blocks of params.yaml
    code : fingerprint of the code
    folder : where the analyses go

    Raises
    ------
    ValueError
        A run is given twice, or its exams or classes are not the task's.
    """
    task = read_targets(targets)
    setting = setting_of(task, settings)
    rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    arms = list(_chosen(predictions, task.classes))
    for of, run in arms:
        for name, found in _analyse_run(run, setting).items():
            rows[name] += [(*of, *row) for row in found]
    write_analyses(
        folder,
        {name: pd.DataFrame(rows[name], columns=list(columns)) for name, columns in COLUMNS.items()},
        settings=settings,
        code=code,
        inputs=[predictions, targets],
        facts={
            "runs": len(arms),
            "exams": {"validation": len(setting.validation.target), "test": len(setting.test.target)},
            "not_calibrated": "" if setting.validation.evaluable.any() else "no class of the validation split",
            "protocol": str(task.manifest.facts.get("protocol", "")),
        },
        synthetic=task.manifest.synthetic or any(run.manifest.synthetic for _, run in arms),
    )


def setting_of(task: Targets, settings: Mapping[str, Any]) -> Setting:
    """Both splits by exam, the people of the test split, and the resamples of the evaluation."""
    wanted = Evaluation.model_validate(settings["evaluation"])
    test = truth_of(task, "test")
    people = task.of("test").drop_duplicates("exam_id").set_index("exam_id").loc[list(test.exam_ids)]
    return Setting(
        evaluation=wanted,
        analyses=Analyses.model_validate(settings["analyses"]),
        classes=task.classes,
        validation=truth_of(task, "validation"),
        test=test,
        people=people[["sex", "age_years"]],
        times=draw_patients(len(np.unique(test.patient)), wanted.replicates, wanted.seed),
    )


def _chosen(predictions: Path, classes: Sequence[str]) -> Iterator[tuple[Row, Predictions]]:
    """Each start at the largest amount of data, with the columns that name it."""
    ensembles = by_arm(read_runs(ensembles_of_set(predictions), classes))
    arms = by_arm(read_runs(runs_of_set(predictions), classes))
    most = max((arm.amount for arm in arms), default=None)
    for arm, of_seed in arms.items():
        if arm.amount == most:
            seed, run = next(iter({**ensembles.get(arm, {}), **of_seed}.items()))
            yield (*_words(arm), str(seed)), run


def _words(arm: Arm) -> Row:
    return arm.experiment, arm.model, arm.start, arm.fraction, arm.per_class


def _analyse_run(run: Predictions, setting: Setting) -> dict[str, list[Row]]:
    validation, test = (
        logits_of(run, split, truth.exam_ids)
        for split, truth in (("validation", setting.validation), ("test", setting.test))
    )
    thresholds = choose_thresholds(
        to_probability(validation), setting.validation.target, RULES, setting.evaluation.sensitivity
    )[RULES.index(setting.evaluation.threshold)]
    metrics = setting.analyses.metrics
    asked = Asked(
        logit=test,
        truth=setting.test,
        thresholds=thresholds,
        metrics=dict(zip(metrics, load_metrics(metrics), strict=True)),
        times=setting.times,
        level=setting.evaluation.level,
        fewest=setting.analyses.fewest_exams,
    )
    calibration, recalibration = calibration_rows(validation, test, setting)
    judged = np.flatnonzero(setting.test.evaluable)
    called = to_probability(test)[:, judged] >= thresholds[judged]
    return {
        "calibration": calibration,
        "recalibration": recalibration,
        "subgroups": group_rows(asked, groups_of(setting.people, setting.analyses.age_bands)),
        "confusion": confusion_rows(
            called, setting.test.target[:, judged], tuple(setting.classes[number] for number in judged)
        ),
    }


def calibration_rows(validation: np.ndarray, test: np.ndarray, setting: Setting) -> tuple[list[Row], list[Row]]:
    """Rows of `calibration` and `recalibration` without the columns of the arm.

    validation, test : (exam, class) float32 logits. Without a class that the validation split can judge there is no
    temperature, and nothing is recalibrated.
    """
    fitted, judged = setting.validation.evaluable, np.flatnonzero(setting.test.evaluable)
    if not len(judged):
        return [], []
    logit = {AS_TRAINED: test.astype(np.float64)}
    temperature = float("nan")
    if fitted.any():
        elements = validation[:, fitted].astype(np.float64).ravel()
        temperature = fit_temperature(elements, setting.validation.target[:, fitted].ravel())
        logit[RECALIBRATED] = logit[AS_TRAINED] / temperature
    target = setting.test.target[:, judged]
    probability = {name: 1 / (1 + np.exp(-values[:, judged])) for name, values in logit.items()}
    bins = {name: _binned(values, target, setting, judged) for name, values in probability.items()}
    rows = [
        (name, of_class, *row)
        for name, of_classes in bins.items()
        for of_class, found in of_classes.items()
        for row in _bin_rows(found, setting.evaluation.level)
    ]
    if RECALIBRATED not in logit:
        return rows, []
    errors = {name: expected_error(of_classes[POOLED]) for name, of_classes in bins.items()}
    apart = errors[RECALIBRATED] - errors[AS_TRAINED]
    ece = ("ece", errors[AS_TRAINED], errors[RECALIBRATED], apart, float("nan"), float("nan"))
    losses = {name: log_loss(values[:, judged], target).mean(axis=1) for name, values in logit.items()}
    squares = {name: ((values - target) ** 2).mean(axis=1) for name, values in probability.items()}
    scores = [ece, ("log_loss", *_gained(losses, setting)), ("brier", *_gained(squares, setting))]
    return rows, [(temperature, *score, len(target)) for score in scores]


def _binned(probability: np.ndarray, target: np.ndarray, setting: Setting, judged: np.ndarray) -> dict[str, Bins]:
    number = setting.analyses.bins
    found = {POOLED: bins_of(probability.ravel(), target.ravel(), number)}
    for column, of_class in enumerate(judged):
        found[setting.classes[of_class]] = bins_of(probability[:, column], target[:, column], number)
    return found


def _bin_rows(bins: Bins, level: float) -> list[Row]:
    columns = bins.n, bins.n_positives, bins.mean, bins.observed, *wilson(bins.n_positives, bins.n, level)
    return [(number, *(one.item() for one in row)) for number, row in enumerate(zip(*columns, strict=True))]


def _gained(of_exam: Mapping[str, np.ndarray], setting: Setting) -> tuple[float, ...]:
    """Means over exams before and after, and their difference with its interval over resampled patients."""
    change = of_exam[RECALIBRATED] - of_exam[AS_TRAINED]
    patients = setting.times.shape[1]
    change_of, exams_of = (np.bincount(setting.test.patient, weights, patients) for weights in (change, None))
    times = setting.times.astype(np.float64)
    drawn = np.atleast_1d((times @ change_of) / (times @ exams_of)) if len(times) else np.zeros(0)
    low, high = percentile_interval(drawn, setting.evaluation.level)
    means = (float(of_exam[name].mean()) for name in (AS_TRAINED, RECALIBRATED))
    return (*means, float(change.mean()), float(low), float(high))
