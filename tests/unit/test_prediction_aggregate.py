"""Everything that becomes one: sections of a record, tracings of an exam, seeds of a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codeii.artifacts.manifest import read_manifest
from codeii.artifacts.predictions import ENSEMBLE, ensembles_of_set, read_predictions, runs_of_set
from codeii.prediction.aggregate import ensemble_logits, exam_means, probabilities, record_logits_of
from codeii.prediction.run import predict
from codeii.training.run import train

Inputs = dict[str, Path]


@pytest.fixture(scope="module")
def checkpoints(tiny_inputs: Inputs, tiny_settings: dict[str, Any], tmp_path_factory: Any) -> list[Path]:
    """Two seeds of one start, one seed of another."""
    folder: Path = tmp_path_factory.mktemp("checkpoints")
    recipe = {**tiny_settings["recipe"], "epochs": 1}
    for name, seed, start in (("a0", 0, "a"), ("a1", 1, "a"), ("b0", 0, "b")):
        settings = {**tiny_settings, "seed": seed, "start": start, "recipe": recipe}
        train(tiny_inputs["tensors"], tiny_inputs["targets"], None, settings, "c", folder / name, folder / "s" / name)
    return [folder / name / "manifest.json" for name in ("a0", "b0", "a1")]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_sections_become_their_record_by_mean_or_max(counts: list[int]) -> None:
    record = np.repeat(np.arange(len(counts)), counts)
    logits = np.random.default_rng(0).normal(size=(len(record), 3)).astype(np.float32)
    mean, most = record_logits_of(record, logits), record_logits_of(record, logits, "max")
    assert mean.dtype == most.dtype == np.float32 and mean.shape == most.shape == (len(counts), 3)
    for number in range(len(counts)):
        of_record = logits[record == number]
        np.testing.assert_allclose(mean[number], of_record.mean(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(most[number], of_record.max(axis=0))
        # the most probable section is that of the highest logit
        np.testing.assert_allclose(probabilities(most[number]), probabilities(of_record).max(axis=0), rtol=1e-12)


@given(
    arrays(
        np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5), st.just(2)), elements=st.floats(-30, 30, width=32)
    )
)
@settings(max_examples=50)
def test_an_ensemble_is_the_mean_probability_of_its_seeds(each: np.ndarray) -> None:
    found = ensemble_logits(list(each))
    np.testing.assert_allclose(probabilities(found), probabilities(each).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(probabilities(-found), probabilities(-each).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(ensemble_logits([each[0]]), each[0], rtol=1e-12, atol=1e-12)


def test_an_ensemble_of_networks_that_are_quite_sure_is_finite() -> None:
    sure = np.array([[300, -300, 88, 3e38]], np.float32)
    with np.errstate(all="raise", under="ignore"):
        found = ensemble_logits([sure, sure, sure]).astype(np.float32)
        torn = ensemble_logits([sure, -sure])
    np.testing.assert_allclose(found, sure, rtol=1e-6)
    np.testing.assert_allclose(torn, 0, atol=1e-12)


def test_seeds_of_an_arm_are_also_written_as_one(checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path) -> None:
    predict(checkpoints, *tiny_inputs.values(), {}, "c", tmp_path)
    manifest = tmp_path / "manifest.json"
    seeds = [read_predictions(path) for path in runs_of_set(manifest)]
    (path,) = ensembles_of_set(manifest)
    assert path.parent.name == ENSEMBLE and path.parent.parent == runs_of_set(manifest)[0].parents[1]
    ensemble = read_predictions(path)
    assert ensemble.manifest.settings["run"] == seeds[0].manifest.settings["run"] | {"seed": ENSEMBLE}
    assert ensemble.manifest.facts["seeds"] == [0, 1] and ensemble.manifest.synthetic is True
    classes = list(ensemble.classes)
    for kind in ("records", "exams"):
        tables = [getattr(one, kind) for one in (seeds[0], seeds[2], ensemble)]
        ids = [column for column in tables[2] if column not in classes]
        pd.testing.assert_frame_equal(tables[2][ids], tables[0][ids])
        first, second, mean = (probabilities(table[classes].to_numpy()) for table in tables)
        np.testing.assert_allclose(mean, (first + second) / 2, rtol=0, atol=1e-6)
        assert (np.abs(first - second) > 1e-4).any()
    assert path.relative_to(tmp_path).as_posix() in read_manifest(manifest, "prediction_set").files


def test_tracings_and_seeds_are_not_taken_for_each_other() -> None:
    exam_ids = pd.Series(["e", "e"])
    of_seed = [np.array([[0.0], [4.0]], np.float32), np.array([[2.0], [2.0]], np.float32)]
    exams = [exam_means(exam_ids, logits)[1] for logits in of_seed]
    np.testing.assert_allclose(ensemble_logits(exams), [[2.0]], rtol=1e-12)
    assert ensemble_logits(of_seed).mean() < 1.9  # the ensemble of the records is another number


def test_sections_are_brought_together_as_the_settings_say(
    checkpoints: list[Path], tiny_inputs: Inputs, tmp_path: Path
) -> None:
    predict(checkpoints[:1], *tiny_inputs.values(), {"sections": "max"}, "c", tmp_path)
    (path,) = runs_of_set(tmp_path / "manifest.json")
    assert read_predictions(path).manifest.settings["sections"] == "max"
    assert ensembles_of_set(tmp_path / "manifest.json") == []
    with pytest.raises(ValueError, match="sections"):
        predict(checkpoints[:1], *tiny_inputs.values(), {"sections": "median"}, "c", tmp_path / "other")
