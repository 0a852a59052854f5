"""Metrics against stored results of scikit-learn and of the PTB-XL benchmark's own code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeii.evaluation.bootstrap import percentile_interval
from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.ranking import curve_of, rank
from codeii.evaluation.scoring import macro, rank_classes, score_classes
from codeii.evaluation.thresholds import choose_threshold


def stored(shared: Path, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    folder = shared / "parity"
    with np.load(folder / f"{name}.npz") as arrays:
        return json.loads((folder / f"{name}.json").read_text()), dict(arrays)


@pytest.mark.parametrize("case", ["c1", "c2_ties"])
def test_binary_scores_equal_the_stored_ones(shared: Path, case: str) -> None:
    numbers, arrays = stored(shared, "metrics_calibration_and_sklearn")
    target, probability = arrays[f"{case}|y"] != 0, arrays[f"{case}|p"]
    curve = curve_of(rank(probability, target, probability, 0.5), np.ones((1, len(target)), np.int32))
    names = ["auroc", "auprc", "brier", "f1", "ppv", "sensitivity", "specificity"]
    found = {name: metric(curve)[0] for name, metric in zip(names, load_metrics(names), strict=True)}
    decided = numbers[case]["at_0.5"]
    true_negative, false_positive = decided["confusion_tn_fp_fn_tp"][:2]
    expected = {
        "auroc": numbers[case]["roc_auc"],
        "auprc": numbers[case]["average_precision"],
        "brier": numbers[case]["brier"],
        "ppv": decided["precision"],
        "f1": decided["f1"],
        "sensitivity": decided["recall"],
        "specificity": true_negative / (true_negative + false_positive),
    }
    assert found == pytest.approx(expected, rel=0, abs=1e-12)


def test_calibration_error_is_the_mean_gap_of_the_stored_quantile_bins(shared: Path) -> None:
    numbers, arrays = stored(shared, "metrics_calibration_and_sklearn")
    target, probability = arrays["c1|y"] != 0, arrays["c1|p"]  # 400 without ties: bins of 40
    bins = numbers["c1"]["quantile"]
    expected = np.abs(np.subtract(bins["prob_true"], bins["prob_pred"])).mean()
    curve = curve_of(rank(probability, target, probability, 0.5), np.ones((1, len(target)), np.int32))
    assert load_metrics(["ece"])[0](curve)[0] == pytest.approx(expected, rel=0, abs=1e-12)


def test_macros_of_several_classes_equal_the_stored_ones(shared: Path) -> None:
    numbers, arrays = stored(shared, "metrics_calibration_and_sklearn")
    target, score = arrays["ml|y"] != 0, arrays["ml|s"]
    ranked = [rank(score[:, c], target[:, c], score[:, c], 0.5) for c in range(target.shape[1])]
    metrics = load_metrics(["auroc", "auprc", "f1", "sensitivity"])
    found = macro(score_classes(ranked, metrics, np.ones((1, len(target)), np.int32)), np.ones(6, bool))[:, 0]
    expected = [numbers["ml"]["macro"][name] for name in ("auc", "ap", "f1", "recall")]
    assert found.tolist() == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("case", ["h300x9", "h200x5"])
def test_macro_auroc_and_its_bootstrap_equal_the_benchmarks(shared: Path, case: str) -> None:
    numbers, arrays = stored(shared, "metrics_ptbxl_benchmark")
    target, score = arrays[f"{case}|y_true"] != 0, arrays[f"{case}|y_score"]
    index, expected = arrays[f"{case}|bootstrap_index"], arrays[f"{case}|bootstrap_metrics"]
    times = np.stack([np.bincount(row, minlength=len(target)) for row in index]).astype(np.int32)
    ranked = rank_classes(score, target, np.full(target.shape[1], 0.5))
    auroc, every = load_metrics(["auroc"]), np.ones(target.shape[1], bool)
    point = score_classes(ranked, auroc, np.ones((1, len(target)), np.int32))
    assert point[0, :, 0].tolist() == pytest.approx(numbers["cases"][case]["per_class_auc"], rel=0, abs=1e-12)
    assert macro(point, every)[0, 0] == pytest.approx(numbers["cases"][case]["point"]["macro_auc"], rel=0, abs=1e-12)
    replicates = macro(score_classes(ranked, auroc, times), every)
    np.testing.assert_allclose(replicates[0], expected[:, 2], rtol=0, atol=1e-12)
    for level, names in ((0.9, ("q05", "q95")), (0.95, ("q025", "q975"))):
        interval = [numbers["cases"][case][name]["macro_auc"] for name in names]
        assert np.ravel(percentile_interval(replicates, level)).tolist() == pytest.approx(interval, rel=0, abs=1e-12)


@pytest.mark.parametrize("case", ["h300x9", "h200x5"])
def test_youden_thresholds_equal_the_benchmarks(shared: Path, case: str) -> None:
    _, arrays = stored(shared, "metrics_ptbxl_benchmark")
    target, score = arrays[f"{case}|train_y_true"] != 0, arrays[f"{case}|train_y_score"]
    found = [choose_threshold(score[:, c], target[:, c], "youden") for c in range(target.shape[1])]
    assert found == arrays[f"{case}|thresholds_youden"].tolist()
