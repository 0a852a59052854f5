"""Whole runs on tiny inputs: what is learnt, kept, refused and written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from codeii.artifacts.checkpoint import read_checkpoint
from codeii.artifacts.targets import read_targets
from codeii.artifacts.tensor_store import read_tensor_store
from codeii.models import rebuild
from codeii.networks import prefetch
from codeii.networks.batches import inputs_of, read
from codeii.training import loop
from codeii.training.examples import count_of
from codeii.training.run import train
from codeii.training.validation import mean_loss

Inputs = dict[str, Path]
Settings = dict[str, Any]


def run(inputs: Inputs, settings: Settings, folder: Path, init: Path | None = None) -> Path:
    train(inputs["tensors"], inputs["targets"], init, settings, "code", folder, folder.with_suffix(".scratch"))
    return folder / "manifest.json"


def with_recipe(settings: Settings, **changed: Any) -> Settings:
    return {**settings, "recipe": {**settings["recipe"], **changed}}


@pytest.fixture(scope="module")
def pretrained(tiny_inputs: Inputs, tiny_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = with_recipe(tiny_settings, select_by="auroc", schedule="cosine", epochs=6)
    return run(tiny_inputs, settings, tmp_path_factory.mktemp("pretrained") / "run")


def test_a_run_learns_and_its_history_says_how(pretrained: Path) -> None:
    history = pd.read_csv(pretrained.parent / "history.csv")
    assert list(history) == ["epoch", "steps", "learning_rate", "train_loss", "validation_loss", "validation_auroc"]
    assert history["steps"].tolist() == [5, 10, 15, 20, 25, 30]
    assert history["train_loss"].iat[-1] < 0.6 * history["train_loss"].iat[0]
    assert history["validation_auroc"].max() > 0.95
    assert history["learning_rate"].is_monotonic_decreasing


def test_the_weights_kept_are_those_of_the_best_epoch(pretrained: Path, tiny_inputs: Inputs) -> None:
    checkpoint = read_checkpoint(pretrained)
    history = pd.read_csv(pretrained.parent / "history.csv")
    assert checkpoint.card.best_epoch == int(history["validation_auroc"].idxmax()) + 1
    targets = read_targets(tiny_inputs["targets"])
    rows = inputs_of(read_tensor_store(tiny_inputs["tensors"]), targets.of("validation")["record_id"].tolist())
    with torch.inference_mode():
        logits = rebuild(checkpoint)(read(rows, slice(None), torch.device("cpu"))).numpy()
    stored = history["validation_loss"].iat[checkpoint.card.best_epoch - 1]
    assert mean_loss(logits, targets.matrix("validation")) == pytest.approx(stored, rel=1e-5)


def test_the_manifest_counts_what_was_used(pretrained: Path) -> None:
    manifest = json.loads(pretrained.read_text())
    facts = manifest["facts"]
    assert facts["records"] == {"train": 72, "validation": 24}
    assert facts["patients"] == {"train": 36, "validation": 12}
    assert (facts["epochs"], facts["steps"]) == (6, 30)
    assert manifest["synthetic"] is True
    assert len(manifest["inputs"]) == 2


def test_the_same_settings_give_the_same_bits_and_another_seed_others(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    short = with_recipe(tiny_settings, epochs=1)
    runs = [run(tiny_inputs, {**short, "seed": seed}, tmp_path / f"run{index}") for index, seed in enumerate((0, 0, 1))]
    weights = [(manifest.parent / "weights.safetensors").read_bytes() for manifest in runs]
    assert weights[0] == weights[1] != weights[2]


def test_a_linear_probe_changes_the_head_alone(
    pretrained: Path, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = {**tiny_settings, "init": "first", "mode": "linear_probe", "task": "second_task"}
    probe = read_checkpoint(run(tiny_inputs, settings, tmp_path / "probe", pretrained))
    before = read_checkpoint(pretrained)
    changed = {name for name, value in probe.weights.items() if not np.array_equal(value, before.weights[name])}
    assert changed == {"head.weight", "head.bias"}
    assert probe.card.trained_on == ["tiny_task", "second_task"]
    assert probe.manifest.facts["best"]["validation_auroc"] > 0.9


def test_fine_tuning_changes_the_features_too_and_starts_ahead(
    pretrained: Path, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = {**with_recipe(tiny_settings, epochs=1), "init": "first", "fraction": 0.25}
    tuned = read_checkpoint(run(tiny_inputs, settings, tmp_path / "tuned", pretrained))
    scratch = read_checkpoint(run(tiny_inputs, {**settings, "init": "random"}, tmp_path / "scratch"))
    assert not np.array_equal(tuned.weights["conv1.weight"], read_checkpoint(pretrained).weights["conv1.weight"])
    assert tuned.manifest.facts["best"]["validation_loss"] < scratch.manifest.facts["best"]["validation_loss"]
    assert tuned.manifest.facts["patients"]["train"] == 9


def test_a_count_trains_on_that_many_records_of_each_class_and_says_which_fall_short(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    truth, trained = read_targets(tiny_inputs["targets"]), []
    for per_class in (4, 25):
        settings = {**with_recipe(tiny_settings, epochs=1), "fraction": 0.0, "per_class": per_class}
        facts = read_checkpoint(run(tiny_inputs, settings, tmp_path / f"{per_class}")).manifest.facts
        rows, short = count_of(truth.of("train"), truth.classes, per_class, 0)
        assert (facts["records"]["train"], facts["fell_short"]) == (len(rows), short)
        assert facts["records"]["validation"] == 24  # all of them
        trained.append((facts["records"]["train"], len(short)))
    assert trained[0][0] < trained[1][0] < 72 and trained[0][1] == 0 and trained[1][1] > 0


def test_dropout_is_a_rate_of_this_run_not_of_the_checkpoint(
    pretrained: Path, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    changed = {**tiny_settings["model_settings"], "dropout_rate": 0.5}
    settings = {**with_recipe(tiny_settings, epochs=1), "init": "first", "model_settings": changed}
    assert read_checkpoint(run(tiny_inputs, settings, tmp_path / "run", pretrained)).card.model_settings == changed


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"init": "random"}, "a checkpoint is given"),
        ({"preprocessing": {"rate_hz": 50, "samples": 256}}, "rate_hz is 25, this run asks for 50"),
        ({"model_settings": {"filters": [8, 8, 8], "strides": [1, 4, 4], "kernel_size": 9}}, "this run's network has"),
        ({"unknown": 1}, "unknown"),
        ({"fraction": 0.0}, "fraction is 0 and per_class 0; one of them is above 0"),
        ({"per_class": 5}, "fraction is 1 and per_class 5; one of them is above 0, the other is 0"),
    ],
)
def test_a_run_that_does_not_fit_its_inputs_is_refused_with_both_values(
    pretrained: Path, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path, changed: Settings, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(tiny_inputs, {**tiny_settings, "init": "first", **changed}, tmp_path / "run", pretrained)
    assert not (tmp_path / "run").exists()


def test_a_run_from_an_experiment_needs_its_checkpoint(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no checkpoint is given"):
        run(tiny_inputs, {**tiny_settings, "init": "first"}, tmp_path / "run")


def test_a_last_batch_of_one_record_is_no_obstacle(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = with_recipe(tiny_settings, epochs=1, batch_size=71)
    assert read_checkpoint(run(tiny_inputs, settings, tmp_path / "run")).manifest.facts["steps"] == 1


def test_a_diverging_run_names_its_records_and_overwrites_nothing(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = with_recipe(tiny_settings, epochs=1)
    manifest = run(tiny_inputs, short, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in manifest.parent.iterdir()}
    honest = prefetch.read

    def spoilt(*args: Any) -> torch.Tensor:
        return honest(*args) * float("nan")

    monkeypatch.setattr(prefetch, "read", spoilt)
    with pytest.raises(ValueError, match=r"epoch 1, step 1: loss nan, .*; records of the batch: r\d+, r\d+"):
        run(tiny_inputs, {**short, "seed": 1}, tmp_path / "run")
    assert {path.name: path.read_bytes() for path in manifest.parent.iterdir()} == before


def test_an_infinite_gradient_is_noticed_though_the_loss_is_finite() -> None:
    layer = torch.nn.Linear(1, 1)
    layer.weight.register_hook(lambda gradient: torch.full_like(gradient, float("inf")))
    with pytest.raises(FloatingPointError, match=r"loss \d.*gradient norm inf"):
        loop.loss_and_gradients(layer, torch.ones(2, 1), torch.zeros(2, 1))


def test_choosing_by_auroc_needs_a_class_that_can_be_ranked(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "macro_auroc", lambda logits, targets: None)
    history = pd.read_csv(run(tiny_inputs, tiny_settings, tmp_path / "loss").parent / "history.csv")
    assert history["validation_auroc"].isna().all()
    with pytest.raises(ValueError, match="use 'loss'"):
        run(tiny_inputs, with_recipe(tiny_settings, select_by="auroc"), tmp_path / "auroc")


def test_a_random_encoder_gets_the_statistics_of_the_training_records(
    tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = with_recipe({**tiny_settings, "mode": "linear_probe"}, epochs=6, select_by="auroc")
    checkpoint = read_checkpoint(run(tiny_inputs, settings, tmp_path / "probe"))
    statistics = [value for name, value in checkpoint.weights.items() if name.endswith("running_var")]
    assert statistics
    assert not any(np.allclose(value, 1) for value in statistics)
    # Random features of these easy signals tell the classes apart; of an unsettled network they are all but constant.
    assert checkpoint.manifest.facts["best"]["validation_auroc"] > 0.8
