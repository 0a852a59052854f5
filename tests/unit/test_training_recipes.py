"""Whole runs under every setting that is off by default: each does what it says, and the record of it says so."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tests.stores import tensor_store

from codeii.artifacts import events
from codeii.artifacts.checkpoint import Checkpoint, read_checkpoint
from codeii.artifacts.targets import read_targets, write_targets
from codeii.artifacts.tensor_store import read_tensor_store
from codeii.models import rebuild
from codeii.networks import prefetch
from codeii.networks.arithmetic import computes_bfloat16
from codeii.networks.batches import inputs_of, read, record_means
from codeii.schema.params import Preprocessing
from codeii.schema.recipe import Recipe
from codeii.training import loop
from codeii.training.augment import Changes
from codeii.training.run import train
from codeii.training.validation import mean_loss

Inputs = dict[str, Path]
Settings = dict[str, Any]


def run(inputs: Inputs, settings: Settings, folder: Path, init: Path | None = None, **recipe: Any) -> Checkpoint:
    settings = {**settings, "recipe": {**settings["recipe"], **recipe}}
    train(inputs["tensors"], inputs["targets"], init, settings, "code", folder, folder.with_suffix(".scratch"))
    return read_checkpoint(folder / "manifest.json")


WITH_BFLOAT16 = pytest.mark.skipif(
    not computes_bfloat16(torch.device("cpu")), reason="this processor has no instructions for bfloat16"
)


@pytest.fixture(scope="module")
def plain(tiny_inputs: Inputs, tiny_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return run(tiny_inputs, tiny_settings, tmp_path_factory.mktemp("plain") / "run", epochs=8)


@pytest.mark.parametrize(
    "recipe",
    [
        {"optimiser": "adam", "weight_decay": 0.01},
        {"optimiser": "sgd", "learning_rate": 0.1},
        {"schedule": "one_cycle"},
        {"schedule": "multistep", "milestones": [3]},
        {"warmup_steps": 5},
        {"layer_decay": 0.7},
        {"largest_gradient_norm": 0.2},
        {"accumulate": 4},
        {"average_decay": 0.9},
        {"loss": {"positive_weights": "balanced"}},
        {"loss": {"label_smoothing": 0.05}},
        {"augmentation": {"noise_uv": 50, "amplitude_share": 0.2}},
        {"augmentation": {"shift_seconds": 0.5, "lead_dropout_probability": 0.2}},
        {"augmentation": {"mixup_alpha": 0.2}},
        {"augmentation": {"crop_samples": 128}},
        pytest.param({"precision": "bfloat16"}, marks=WITH_BFLOAT16),
    ],
    ids=str,
)
def test_a_setting_changes_the_weights_and_the_run_still_learns(
    plain: Checkpoint, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path, recipe: dict[str, Any]
) -> None:
    found = run(tiny_inputs, tiny_settings, tmp_path / "run", **{"epochs": 8, **recipe})
    assert not np.array_equal(found.weights["head.weight"], plain.weights["head.weight"])
    assert found.manifest.facts["best"]["validation_auroc"] > 0.8
    for name, value in recipe.items():
        said = found.manifest.settings["recipe"][name]
        assert said == value or value.items() <= said.items()


def test_settings_that_are_off_change_no_bit(
    plain: Checkpoint, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    off = {"optimiser": "adamw", "layer_decay": 1.0, "largest_gradient_norm": 0.0, "loss": {}, "augmentation": {}}
    off |= {"accumulate": 1, "warmup_steps": 0, "average_decay": 0.0, "schedule": "plateau"}
    found = run(tiny_inputs, tiny_settings, tmp_path / "run", epochs=8, **off)
    assert all(np.array_equal(value, found.weights[name]) for name, value in plain.weights.items())


def test_balanced_weights_are_stated_by_class(tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path) -> None:
    loss = {"positive_weights": "balanced", "largest_positive_weight": 1.5}
    found = run(tiny_inputs, tiny_settings, tmp_path / "run", epochs=1, loss=loss)
    truth = read_targets(tiny_inputs["targets"]).matrix("train")
    expected = np.minimum((len(truth) - truth.sum(0)) / truth.sum(0), 1.5)
    stated = found.manifest.facts["positive_weights"]
    np.testing.assert_allclose([stated[name] for name in ("slow", "middle", "fast")], expected, rtol=1e-6)


def test_the_averaged_weights_are_those_validated_and_kept(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    found = run(tiny_inputs, tiny_settings, tmp_path / "run", average_decay=0.9)
    history = pd.read_csv(tmp_path / "run/history.csv")
    targets = read_targets(tiny_inputs["targets"])
    rows = inputs_of(read_tensor_store(tiny_inputs["tensors"]), targets.of("validation")["record_id"].tolist())
    with torch.inference_mode():
        logits = rebuild(found)(read(rows, slice(None), torch.device("cpu"))).numpy()
    stored = history["validation_loss"].iat[found.card.best_epoch - 1]
    assert mean_loss(logits, targets.matrix("validation")) == pytest.approx(stored, rel=1e-5)


def test_the_last_stages_alone_are_trained(tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path) -> None:
    partial = {**tiny_settings, "init": "first", "mode": "partial", "trained_stages": 1}
    source = run(tiny_inputs, tiny_settings, tmp_path / "source")
    init = tmp_path / "source/manifest.json"
    found = run(tiny_inputs, partial, tmp_path / "run", init, average_decay=0.5)
    changed = {name for name, value in found.weights.items() if not np.array_equal(value, source.weights[name])}
    assert "blocks.1.conv1.weight" in changed and "head.bias" in changed
    assert all(name.startswith(("blocks.1.", "head.")) for name in changed)
    with pytest.raises(ValueError, match="trained_stages is 9, but the network has 3 stages"):
        run(tiny_inputs, {**partial, "trained_stages": 9}, tmp_path / "more", init)


def test_random_stages_that_stay_get_the_statistics_of_the_training_records(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    found = run(tiny_inputs, {**tiny_settings, "mode": "partial", "trained_stages": 1}, tmp_path / "run")
    assert not np.allclose(found.weights["bn1.running_var"], 1)


def test_a_probe_sees_no_augmentation(tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path) -> None:
    probe = {**tiny_settings, "mode": "linear_probe"}
    first = run(tiny_inputs, probe, tmp_path / "plain")
    second = run(tiny_inputs, probe, tmp_path / "run", augmentation={"noise_uv": 50}, layer_decay=0.5)
    assert np.array_equal(first.weights["head.weight"], second.weights["head.weight"])


def test_each_step_is_augmented_with_its_own_number(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    honest = loop.augmented

    def watched(changes: Changes, seed: int, step: int, *batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append((seed, step))
        assert changes == Changes(noise=0.05, shift_samples=5)
        return honest(changes, seed, step, *batch)

    monkeypatch.setattr(loop, "augmented", watched)
    augmentation = {"noise_uv": 50, "shift_seconds": 0.2}
    run(tiny_inputs, {**tiny_settings, "seed": 4}, tmp_path / "run", epochs=2, augmentation=augmentation)
    assert seen == [(4, step) for step in range(10)]


def test_a_run_on_sections_is_chosen_and_counted_by_records(tiny_settings: Settings, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = [f"r{at:02d}" for at in range(40)]
    sections = [1 + at % 3 for at in range(40)]
    of_section = np.repeat(np.arange(40), sections)
    split = np.array(["train"] * 24 + ["validation"] * 16)
    truth = (rng.random((40, 2)) < 0.5).astype(np.uint8)
    index = pd.DataFrame({name: np.array(ids)[of_section] for name in ("record_id", "exam_id", "patient_id")})
    index["section"] = np.concatenate([np.arange(count) for count in sections])
    counts = rng.integers(-500, 500, (len(index), 8, 256)).astype(np.int16)
    settings = {"preprocessing": Preprocessing(rate_hz=25, samples=256).model_dump()}
    tensors = tensor_store(tmp_path / "tensors", ([counts], index), samples=256, settings=settings)
    rows = pd.DataFrame(dict.fromkeys(("record_id", "exam_id", "patient_id"), ids))
    rows = rows.assign(split=split, age_years=50.0, sex="unknown")
    common = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    targets = write_targets(tmp_path / "targets", rows, truth, ["a", "b"], **common)
    found = run({"tensors": tensors, "targets": targets}, tiny_settings, tmp_path / "run", epochs=1)
    assert found.manifest.facts["records"] == {"train": 24, "validation": 16}
    inputs = inputs_of(read_tensor_store(tensors), ids[24:])
    with torch.inference_mode():
        logits = rebuild(found)(read(inputs, slice(None), torch.device("cpu"))).numpy()
    expected = mean_loss(record_means(inputs, logits), truth[24:])
    assert found.manifest.facts["best"]["validation_loss"] == pytest.approx(expected, rel=1e-6)
    assert mean_loss(logits, truth[24:][inputs.record]) != pytest.approx(expected, rel=1e-6)


def test_what_happens_in_a_run_is_logged(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny_inputs, tiny_settings, tmp_path / "run")
    told = events.read(tmp_path / "run.scratch")
    assert [event["event"] for event in told] == ["start", "epoch", "epoch", "epoch", "epoch", "end"]
    assert told[0]["resumed_from_step"] == 0 and told[0]["settings"]["seed"] == 0 and told[0]["pid"]
    history = pd.read_csv(tmp_path / "run/history.csv")
    for event, row in zip(told[1:-1], history.to_dict("records"), strict=True):
        assert event["step"] == row.pop("steps")
        assert {name: event[name] for name in row} == row
        assert event["seconds"] > 0 and event["records_per_s"] > 0
        assert 0 <= event["loader_share"] <= 1 and event["memory_mb"] > 10
    assert not {"seconds", "records_per_s"} & set(history)
    honest = prefetch.read
    monkeypatch.setattr(prefetch, "read", lambda *arguments: honest(*arguments) * float("nan"))
    with pytest.raises(ValueError, match="loss nan"):
        run(tiny_inputs, {**tiny_settings, "seed": 1}, tmp_path / "run")
    assert events.read(tmp_path / "run.scratch")[-1]["reason"].startswith("ValueError: epoch 1, step 1: loss nan")


def test_the_recipes_of_others_in_the_documentation_are_recipes() -> None:
    text = (Path(__file__).parents[2] / "docs/training.md").read_text()
    written = re.findall(r"`(optimiser: [^`]*)`", text)
    assert len(written) == 4
    for recipe in written:
        values = yaml.safe_load("{" + recipe + ", head_learning_rate: 1.0e-3}")
        assert isinstance(values["learning_rate"], float) and Recipe.model_validate(values)
