"""Predictions by record and by exam, and the file for a blind test."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import tensor_store

from codeii.artifacts.manifest import read_manifest
from codeii.artifacts.predictions import read_predictions, runs_of_set
from codeii.artifacts.targets import read_targets, write_targets
from codeii.artifacts.tensor_store import read_tensor_store
from codeii.networks.arithmetic import computes_bfloat16
from codeii.prediction.aggregate import exam_means, probabilities
from codeii.prediction.run import predict
from codeii.prediction.submission import submit
from codeii.training.run import train

Inputs = dict[str, Path]
SUBMIT = {"source": "blind", "experiment": "tiny_experiment", "model": "resnet1d"}


@pytest.fixture(scope="module")
def checkpoints(tiny_inputs: Inputs, tiny_settings: dict[str, Any], tmp_path_factory: Any) -> list[Path]:
    folder: Path = tmp_path_factory.mktemp("checkpoints")
    recipe = {**tiny_settings["recipe"], "epochs": 2}
    for seed in (0, 1):
        settings = {**tiny_settings, "seed": seed, "recipe": recipe}
        train(tiny_inputs["tensors"], tiny_inputs["targets"], None, settings, "c", folder / f"{seed}", folder / "state")
    return [folder / f"{seed}" / "manifest.json" for seed in (0, 1)]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_the_logit_of_an_exam_is_the_mean_of_its_tracings(exam_of_record: list[int]) -> None:
    exam_ids = pd.Series([f"e{number}" for number in exam_of_record])
    logits = np.random.default_rng(0).normal(size=(len(exam_ids), 3)).astype(np.float32)
    exams, means = exam_means(exam_ids, logits)
    assert exams == list(dict.fromkeys(exam_ids))
    assert means.dtype == np.float32
    for exam, mean in zip(exams, means, strict=True):
        np.testing.assert_allclose(mean, logits[exam_ids == exam].mean(axis=0), rtol=1e-5, atol=1e-7)


def test_probabilities_do_not_overflow() -> None:
    logits = np.array([-1000, -1, 0, 1, 1000], np.float32)
    np.testing.assert_allclose(probabilities(logits), [0, 0.2689414213699951, 0.5, 0.7310585786300049, 1], rtol=1e-12)


def test_predictions_hold_validation_and_test_and_do_not_depend_on_the_batch_size(
    checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path
) -> None:
    made = []
    for size in (256, 7):
        predict(checkpoints[:1], *tiny_inputs.values(), {"batch_size": size}, "c", tmp_path / f"{size}")
        made += [read_predictions(path) for path in runs_of_set(tmp_path / f"{size}" / "manifest.json")]
    assert len(made) == 2
    targets = read_targets(tiny_inputs["targets"])
    expected = targets.table[targets.table["split"] != "train"]
    assert made[0].records["record_id"].tolist() == expected["record_id"].tolist()
    assert made[0].records["split"].value_counts().to_dict() == {"validation": 24, "test": 24}
    assert len(made[0].exams) == 24
    assert made[0].classes == targets.classes
    assert made[0].manifest.synthetic is True
    for name in ("records", "exams"):
        one, other = (getattr(predictions, name)[list(targets.classes)] for predictions in made)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_predictions_in_bfloat16_are_those_of_float32_but_for_their_rounding(
    checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path
) -> None:
    if not computes_bfloat16(torch.device("cpu")):
        with pytest.raises(ValueError, match="no instructions for it"):
            predict(checkpoints[:1], *tiny_inputs.values(), {"precision": "bfloat16"}, "c", tmp_path)
        return
    logits = []
    for precision in ("float32", "bfloat16"):
        predict(checkpoints[:1], *tiny_inputs.values(), {"precision": precision}, "c", tmp_path / precision)
        made = read_predictions(next(iter(runs_of_set(tmp_path / precision / "manifest.json"))))
        logits.append(made.records[list(made.classes)].to_numpy())
    difference = np.abs(logits[0] - logits[1]).max() / np.abs(logits[0]).max()
    assert logits[1].dtype == np.float32
    assert 0 < difference < 0.05


def test_a_processor_is_not_asked_to_compile(checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compile is 'max', but the device is cpu"):
        predict(checkpoints[:1], *tiny_inputs.values(), {"compile": "max"}, "c", tmp_path)


def test_every_run_is_told_by_its_own_checkpoint_whatever_the_order(
    checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path
) -> None:
    predict(checkpoints[::-1], *tiny_inputs.values(), {}, "c", tmp_path)
    found = [read_predictions(path) for path in runs_of_set(tmp_path / "manifest.json")]
    assert {one.manifest.settings["run"]["seed"] for one in found} == {0, 1}
    for one in found:
        seed = one.manifest.settings["run"]["seed"]
        assert any(Path(path) == checkpoints[seed] for path in one.manifest.inputs)


def test_classes_in_another_order_are_refused(checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path) -> None:
    targets = read_targets(tiny_inputs["targets"])
    ids = targets.table[["record_id", "exam_id", "patient_id", "split", "age_years", "sex"]]
    matrix = targets.table[["fast", "middle", "slow"]].to_numpy()
    made = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    other = write_targets(tmp_path / "targets", ids, matrix, ["fast", "middle", "slow"], **made)
    with pytest.raises(ValueError, match=r"answers for \['slow', 'middle', 'fast'\], the targets are \['fast'"):
        predict(checkpoints[:1], tiny_inputs["tensors"], other, {}, "c", tmp_path / "out")


def test_tensors_of_another_preprocessing_are_refused(
    checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path
) -> None:
    store = read_tensor_store(tiny_inputs["tensors"])
    settings = {"preprocessing": {**store.manifest.settings["preprocessing"], "baseline": "elliptic"}}
    signals = store.signals[np.arange(len(store.signals))]
    other = tensor_store(tmp_path / "t", ([signals], store.index), samples=256, settings=settings)
    for attempt in (
        lambda: predict(checkpoints[:1], other, tiny_inputs["targets"], {}, "c", tmp_path / "out"),
        lambda: submit(checkpoints, other, SUBMIT, "c", tmp_path / "out"),
    ):
        with pytest.raises(ValueError, match=r"preprocessing is .*'baseline': 'none'.*the tensors have .*'elliptic'"):
            attempt()


def test_a_submission_is_the_mean_probability_of_the_checkpoints_by_exam(
    checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path
) -> None:
    submit(checkpoints, tiny_inputs["tensors"], SUBMIT, "c", tmp_path / "both")
    for index, checkpoint in enumerate(checkpoints):
        submit([checkpoint], tiny_inputs["tensors"], SUBMIT, "c", tmp_path / f"{index}")
    both, first, second = (
        pd.read_csv(tmp_path / name / "predictions.csv", index_col="exam_id") for name in ("both", "0", "1")
    )
    assert both.index.tolist() == sorted(f"e{number:03d}" for number in range(60))
    assert list(both) == ["slow", "middle", "fast"]
    assert ((both > 0) & (both < 1)).all(axis=None)
    np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-6)
    predict(checkpoints[:1], *tiny_inputs.values(), {}, "c", tmp_path / "predictions")
    (run,) = runs_of_set(tmp_path / "predictions" / "manifest.json")
    exams = read_predictions(run).exams.set_index("exam_id")
    np.testing.assert_allclose(first.loc[exams.index], probabilities(exams[list(first)].to_numpy()), rtol=1e-5)


def test_a_submission_says_which_weights_and_class_order_it_holds(
    checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path
) -> None:
    submit(checkpoints, tiny_inputs["tensors"], SUBMIT, "c", tmp_path)
    manifest = read_manifest(tmp_path / "manifest.json", "submission")
    trained = [read_manifest(path, "checkpoint").files["weights.safetensors"].sha256 for path in checkpoints]
    assert manifest.facts["weights_sha256"] == trained
    assert manifest.facts["classes"] == ["slow", "middle", "fast"]
    assert (manifest.facts["exams"], manifest.facts["records"]) == (60, 120)


def test_a_submission_needs_a_checkpoint(tiny_inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 checkpoints"):
        submit([], tiny_inputs["tensors"], SUBMIT, "c", tmp_path)
