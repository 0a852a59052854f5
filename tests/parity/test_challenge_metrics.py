"""Metrics of the PTB-XL benchmark, CPSC 2018 and Challenge 2020 against results of their own code."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeii.evaluation.metrics import challenge2020, cpsc2018_f1, f2, g2
from codeii.evaluation.whole import Whole, rescued

CASES_2020 = ("case_a_120", "case_b_40_missing_classes_nan_bad_file", "case_c_8", "case_d_60_mostly_right")


def whole_of(target: np.ndarray, probability: np.ndarray, called: np.ndarray, times: np.ndarray, **more: Any) -> Whole:
    classes = tuple(f"c{number}" for number in range(target.shape[1]))
    said = {"classes": classes, "first": np.full(len(target), -1), **more}
    return Whole(target=target, probability=probability, called=called, times=times, **said)


@pytest.mark.parametrize("case", ["h300x9", "h200x5"])
def test_f2_and_g2_equal_the_benchmarks_with_its_own_thresholds(shared: Path, case: str) -> None:
    numbers = json.loads((shared / "parity/metrics_ptbxl_benchmark.json").read_text())["cases"][case]
    with np.load(shared / "parity/metrics_ptbxl_benchmark.npz") as arrays:
        parts = ("y_true", "y_score", "thresholds_Gbeta", "binary", "bootstrap_index", "bootstrap_metrics")
        target, score, thresholds, binary, index, expected = (arrays[f"{case}|{part}"] for part in parts)
    called = score >= np.nextafter(thresholds, np.inf)  # the benchmark calls above a threshold, we at it
    assert (rescued(called, score) == binary).all()
    assert (~called.any(axis=1)).sum() == numbers["n_rows_rescued_by_argmax"]
    times = np.stack([np.ones(len(target)), *(np.bincount(row, minlength=len(target)) for row in index)])
    whole = whole_of(target != 0, score, called, times.astype(np.float64))
    for column, (name, metric) in enumerate({"F_beta_macro": f2, "G_beta_macro": g2}.items()):
        macro = np.mean(list(metric.score_all(whole).values()), axis=0)
        assert macro[0] == pytest.approx(numbers["point"][name], rel=0, abs=1e-12)
        np.testing.assert_allclose(macro[1:], expected[:, column], rtol=0, atol=1e-12)


def test_an_exam_without_a_class_changes_neither_f2_nor_g2() -> None:
    rng = np.random.default_rng(0)
    target, score = rng.random((40, 3)) < 0.4, rng.random((40, 3))
    target[5] = False
    every, without = np.ones((1, 40)), np.ones((1, 40))
    without[0, 5] = 0
    for metric in (f2, g2):
        found = [metric.score_all(whole_of(target, score, score > 0.5, times)) for times in (every, without)]
        assert found[0] == found[1] and (~metric.judged(target)).tolist() == (~target.any(axis=1)).tolist()


def cpsc_labels(shared: Path) -> dict[str, list[int]]:
    with (shared / "data/cpsc2018/REFERENCE.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {row[0]: [int(label) - 1 for label in row[1:] if label] for row in rows}


@pytest.mark.parametrize("number", range(5))
def test_the_cpsc_2018_score_equals_the_official_scripts(shared: Path, number: int) -> None:
    case = json.loads((shared / "parity/metrics_cpsc2018_official_score.json").read_text())["cases"][number]
    labels = cpsc_labels(shared)
    chosen = [labels[name] for name in case["recordings"] or labels]
    target, probability = np.zeros((len(chosen), 9), bool), np.full((len(chosen), 9), 0.1)
    for row, (named, digit) in enumerate(zip(chosen, case["predictions"], strict=True)):
        target[row, named] = True
        probability[row, int(digit) - 1] = 0.9
    first = np.array([named[0] for named in chosen])
    # class order is that of the label set, whatever it is
    order = np.random.default_rng(number).permutation(9)
    classes = tuple(cpsc2018_f1.CLASSES[at] for at in order)
    whole = whole_of(
        target[:, order],
        probability[:, order],
        probability[:, order] > 1,
        np.ones((1, len(chosen))),
        classes=classes,
        first=np.argsort(order)[first],
    )
    found = {name: values[0] for name, values in cpsc2018_f1.score_all(whole).items()}
    official = case["result"]
    expected = {name: official[f"F1{at + 1}"] for at, name in enumerate(cpsc2018_f1.CLASSES)}
    expected |= {"F_AF": official["Faf"], "F_Block": official["Fblock"], "F_PC": official["Fpc"]}
    expected |= {"F_ST": official["Fst"]}
    assert found == pytest.approx(expected, rel=0, abs=1e-12)
    assert np.mean([found[name] for name in classes]) == pytest.approx(official["F1"], rel=0, abs=1e-12)


def test_an_unknown_first_class_is_refused_where_it_matters() -> None:
    target = np.zeros((2, 9), bool)
    target[0, [1, 4]] = target[1, 3] = True
    for best, fits in ((1, True), (0, False)):
        probability = np.zeros((2, 9))
        probability[:, best] = 1
        said = {"classes": cpsc2018_f1.CLASSES, "first": np.array([-1, 3])}
        whole = whole_of(target, probability, target, np.ones((1, 2)), **said)
        if fits:
            assert cpsc2018_f1.score_all(whole)["AF"].tolist() == [2 / 3]
        else:
            with pytest.raises(ValueError, match="do not say which class of an exam with several comes first"):
                cpsc2018_f1.score_all(whole)


def test_the_weights_of_challenge_2020_are_those_of_its_table(shared: Path) -> None:
    with (shared / "data/challenge_tables/evaluation-2020/weights.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    table = {(line[0], code): float(value) for line in lines for code, value in zip(header[1:], line[1:], strict=True)}
    codes, weights = challenge2020.scored_weights()
    assert len(codes) == 24 and set(codes) | set(challenge2020.SAME) == set(header[1:])
    own = {**challenge2020.SAME, **{code: code for code in codes}}
    for (true, called), weight in table.items():
        assert weights[codes.index(own[true]), codes.index(own[called])] == weight


@pytest.mark.parametrize("name", CASES_2020)
def test_the_challenge_2020_metric_equals_the_official_one(shared: Path, name: str) -> None:
    case = json.loads((shared / "parity/metrics_challenge2020.json").read_text())["cases"][name]
    classes = tuple(dict.fromkeys([*case["columns"], *(code for labels in case["labels"] for code in labels)]))
    target, called = (np.zeros((case["n"], len(classes)), bool) for _ in range(2))
    for row, labels in enumerate(case["labels"]):
        target[row, [classes.index(code) for code in labels]] = True
    for row, answers in enumerate(case["binary"]):
        bad = row in case["bad_output_files"]
        for code, answer in zip(case["columns"], answers, strict=True):
            called[row, classes.index(code)] |= answer == 1 and not bad
    whole = whole_of(target, np.zeros(target.shape), called, np.ones((1, case["n"])), classes=classes)
    assert challenge2020.score_all(whole)["all"][0] == pytest.approx(case["result"]["challenge_metric"], abs=1e-12)


def test_always_sinus_rhythm_scores_0_and_the_truth_scores_1() -> None:
    classes = cpsc2018_f1.CLASSES
    target = np.eye(9, dtype=bool)
    always = np.zeros((9, 9), bool)
    always[:, classes.index("Normal")] = True
    for called, expected in ((target, 1.0), (always, 0.0)):
        whole = whole_of(target, np.zeros((9, 9)), called, np.ones((1, 9)), classes=classes)
        assert challenge2020.score_all(whole)["all"].tolist() == pytest.approx([expected], abs=1e-15)
    nothing = whole_of(target[:1], np.zeros((1, 9)), target[:1], np.ones((1, 1)), classes=classes)
    assert math.isnan(challenge2020.score_all(nothing)["all"][0])  # sinus rhythm alone: always calling it is right
