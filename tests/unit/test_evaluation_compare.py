"""All arms of a task compared: from scores and predictions on disk to comparisons on disk."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.test_evaluation_run import CLASSES, PROVENANCE, SETTINGS, records_of, run_of

from codeii.artifacts.comparisons import Comparisons, read_comparisons, read_resamples
from codeii.artifacts.manifest import write_manifest
from codeii.artifacts.predictions import ENSEMBLE, read_predictions, write_prediction_set, write_predictions
from codeii.artifacts.targets import write_targets
from codeii.evaluation.compare import compare
from codeii.evaluation.run import evaluate

SHARED = {"preprocessing": "p", "recipe": "r", "sections": "mean"}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    parts = [records_of("validation", 40, 1), records_of("test", 80, 2)]
    ids = pd.concat([part[0] for part in parts], ignore_index=True)
    matrix = np.concatenate([part[1] for part in parts])
    return write_targets(tmp_path / "targets", ids, matrix, CLASSES, settings={"name": "a_task"}, **PROVENANCE)


def experiment(task: Path, name: str, arms: dict[tuple[str, float], float], seeds: int = 1) -> tuple[Path, Path]:
    """Predictions of an experiment: its arms (start, fraction) by their skill. Returns the set and its scores."""
    base, runs, ensembles = task.parents[1] / name, [], []
    for (start, fraction), skill in arms.items():
        for seed in [*range(seeds), *([ENSEMBLE] if seeds > 1 else [])]:
            made = run_of(task, base / "as_made", start, seed, skill, fraction)
            run = read_predictions(made)
            settings = {"run": run.manifest.settings["run"] | {"experiment": name}}
            folder = f"{start}-{fraction}-{seed}"
            write_predictions(base / folder, run.records, run.exams, settings=settings, **PROVENANCE)
            (ensembles if seed == ENSEMBLE else runs).append(folder)
    shutil.rmtree(base / "as_made")
    made_set = write_prediction_set(base, runs, settings={}, code="c", inputs=[], synthetic=True, ensembles=ensembles)
    return made_set, scored(task, made_set)


def scored(task: Path, predictions: Path, **changes: Any) -> Path:
    leakage = write_manifest(task.parent / "leakage", "leakage", files=[], settings={}, **PROVENANCE)
    folder = predictions.parent.with_name(f"{predictions.parent.name}-scores")
    evaluate(predictions, task, leakage, {"evaluation": SETTINGS | changes}, "c", folder)
    return folder / "manifest.json"


def compared(task: Path, experiments: dict[str, tuple[Path, Path]], folder: Path, **changes: Any) -> Comparisons:
    settings = {"evaluation": SETTINGS | changes, "experiments": dict.fromkeys(experiments, SHARED)}
    predictions, scores = zip(*experiments.values(), strict=True)
    compare(scores, predictions, task, settings, "c", folder)
    return read_comparisons(folder / "manifest.json")


@pytest.fixture
def experiments(task: Path) -> dict[str, tuple[Path, Path]]:
    few = {(start, share): skill for start, skill in (("scratch", 0.4), ("pretrained", 1.0)) for share in (0.01, 0.1)}
    return {
        "few": experiment(task, "few", few, seeds=2),
        "all": experiment(task, "all", {("scratch", 1.0): 1.5, ("pretrained", 1.0): 2.0, ("other", 1.0): 2.0}),
    }


def macro(table: pd.DataFrame, metric: str = "auroc") -> pd.DataFrame:
    return table[(table["metric"] == metric) & (table["class"] == "macro")]


def test_every_two_arms_of_one_amount_are_compared_and_corrected_together(
    experiments: dict[str, tuple[Path, Path]], task: Path, tmp_path: Path
) -> None:
    found = macro(compared(task, experiments, tmp_path / "c").comparisons)
    pairs = list(zip(found["start"], found["versus"], found["fraction"], strict=True))
    assert sorted(pairs) == sorted(
        [
            *[("pretrained", "scratch", share) for share in (0.01, 0.1, 1.0)],
            *[("other", "scratch", 1.0), ("other", "pretrained", 1.0)],
        ]
    )
    assert (found["n_family"] == 5).all() and (found["p_holm"] >= found["p"]).all()
    assert (found["p"] >= 2 / 61 - 1e-12).all()
    few = found[found["fraction"] == 0.1].iloc[0]
    assert few["low"] > 0 and few["p"] == pytest.approx(2 / 61) and few["n_seeds"] == few["versus_n_seeds"] == 2
    assert few["basic_low"] == pytest.approx(2 * few["difference"] - few["high"])


def test_a_difference_is_that_of_the_scores_and_resamples_are_those_of_the_evaluation(
    experiments: dict[str, tuple[Path, Path]], task: Path, tmp_path: Path
) -> None:
    found = compared(task, experiments, tmp_path / "c")
    scores = pd.read_csv(experiments["few"][1].parent / "scores.csv")
    means = macro(scores[(scores["seed"] == "mean") & (scores["split"] == "test") & (scores["fraction"] == 0.1)])
    by_start = means.set_index("start")["value"]
    row = macro(found.comparisons).query("fraction == 0.1").iloc[0]
    assert row["difference"] == pytest.approx(by_start["pretrained"] - by_start["scratch"], abs=1e-15)
    assert read_resamples(tmp_path / "c" / "manifest.json").shape == (60, 40)


def test_equal_arms_differ_by_nothing(task: Path, tmp_path: Path) -> None:
    same = {name: experiment(task, name, {("scratch", 1.0): 1.0}) for name in ("one", "two")}
    found = compared(task, same, tmp_path / "c")
    assert (found.comparisons[["difference", "low", "high"]] == 0).all(axis=None)
    assert (found.comparisons["p"] == 1).all() and found.delong["p"].dropna().eq(1).all()


def test_ensembles_stand_for_their_seeds_in_the_test_of_classes(
    experiments: dict[str, tuple[Path, Path]], task: Path, tmp_path: Path
) -> None:
    found = compared(task, experiments, tmp_path / "c").delong
    seeds = found.groupby(found["fraction"] < 1)["seed"].unique()
    assert (list(seeds[True]), list(seeds[False])) == ([ENSEMBLE], ["0"])
    assert set(found["class"]) == {"NORM", "MI", "RARE"}
    rare = found[found["class"] == "RARE"]
    assert rare["p"].isna().all() and rare["difference"].notna().all()  # one positive exam has no variance
    assert (found["n_patients"] == 40).all() and (found["n_exams"] == 80).all()
    assert found[found["class"] == "MI"]["n_family"].eq(2).all()


def test_curves_run_through_both_experiments_and_say_how_far_seeds_and_patients_spread(
    experiments: dict[str, tuple[Path, Path]], task: Path, tmp_path: Path
) -> None:
    found = compared(task, experiments, tmp_path / "c")
    points = macro(found.curves).set_index(["start", "fraction"])
    assert len(points) == 7 and points["test_sd"].gt(0).all()
    assert points["seed_sd"].notna().equals(points["n_seeds"] > 1)
    fits = macro(found.fits)
    slopes = fits[fits["parameter"] == "per_tenfold"].set_index("start")
    assert set(slopes.index) == {"scratch", "pretrained"} and set(slopes["experiments"]) == {"few + all"}
    assert (slopes["n_points"] == 3).all() and slopes.loc["scratch", "value"] > 0
    saved = macro(found.efficiency).query("start == 'pretrained' and versus == 'scratch'").set_index("fraction")
    assert saved.loc[0.01, "times"] > 1 and set(saved.index) == {0.01, 0.1, 1.0}


def test_arms_trained_otherwise_are_on_no_common_curve(
    experiments: dict[str, tuple[Path, Path]], task: Path, tmp_path: Path
) -> None:
    predictions, scores = zip(*experiments.values(), strict=True)
    shared = {"few": SHARED, "all": SHARED | {"recipe": "another"}}
    compare(scores, predictions, task, {"evaluation": SETTINGS, "experiments": shared}, "c", tmp_path / "c")
    fits = read_comparisons(tmp_path / "c" / "manifest.json").fits
    assert set(fits["reason"]) == {"2 amounts of training data; a fit needs 3"} and fits["value"].isna().all()


def test_without_resamples_there_are_differences_without_intervals(task: Path, tmp_path: Path) -> None:
    sets = experiment(task, "all", {("scratch", 1.0): 1.0, ("pretrained", 1.0): 2.0})
    scored(task, sets[0], replicates=0)
    found = compared(task, {"all": sets}, tmp_path / "c", replicates=0)
    assert found.comparisons["difference"].notna().all() and found.comparisons[["low", "p"]].isna().all(axis=None)
    assert found.manifest.facts["smallest_p"] is None


def test_scores_of_other_resamples_are_refused(
    experiments: dict[str, tuple[Path, Path]], task: Path, tmp_path: Path
) -> None:
    scored(task, experiments["few"][0], seed=1)
    with pytest.raises(ValueError, match=r"few-scores/manifest.json: scored on resamples .*; evaluate it again"):
        compared(task, experiments, tmp_path / "c")


def test_an_arm_given_twice_is_refused(experiments: dict[str, tuple[Path, Path]], task: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"scores of few/resnet1d/scratch-f0\.01 are given twice"):
        compared(task, experiments | {"again": experiments["few"]}, tmp_path / "c")


def test_the_same_inputs_give_the_same_bytes(
    experiments: dict[str, tuple[Path, Path]], task: Path, tmp_path: Path
) -> None:
    for name in ("once", "again"):
        compared(task, experiments, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert len(files) == 7
    assert all((tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)
