"""Every network goes through the training job: from scratch, kept, rebuilt, fine-tuned under a new head, probed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from codeii.artifacts.checkpoint import read_checkpoint
from codeii.models import build, rebuild
from codeii.networks.batches import Inputs
from codeii.networks.inference import settle
from codeii.training.run import train

SMALL = {
    "resnet1d_se": {"blocks": 4, "head_samples": 1, "dropout_rate": 0.1},
    "s4": {"width": 16, "layers": 2},
    "xresnet1d101": {"layers": 50},
}


def run(inputs: dict[str, Path], settings: dict[str, Any], folder: Path, init: Path | None = None) -> Path:
    train(inputs["tensors"], inputs["targets"], init, settings, "code", folder, folder.with_suffix(".scratch"))
    return folder / "manifest.json"


@pytest.mark.parametrize("model", SMALL)
def test_a_network_is_trained_kept_rebuilt_and_started_from(
    model: str, tiny_inputs: dict[str, Path], tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = {**tiny_settings, "model": model, "model_settings": SMALL[model]}
    settings["recipe"] = {"epochs": 3, "batch_size": 16, "learning_rate": 3e-3, "head_learning_rate": 1e-1}
    first = run(tiny_inputs, settings, tmp_path / "first")
    history = pd.read_csv(first.parent / "history.csv")
    assert history["train_loss"].iat[-1] < history["train_loss"].iat[0]
    checkpoint = read_checkpoint(first)
    rebuild(checkpoint)  # raises unless the probe logits are reproduced
    again = read_checkpoint(run(tiny_inputs, settings, tmp_path / "again"))
    assert all(np.array_equal(value, again.weights[name]) for name, value in checkpoint.weights.items())
    settings = {**settings, "init": "first", "recipe": {**settings["recipe"], "epochs": 1}}
    tuned = read_checkpoint(run(tiny_inputs, settings, tmp_path / "tuned", first))
    assert any(not np.array_equal(value, tuned.weights[name]) for name, value in checkpoint.weights.items())
    probed = read_checkpoint(run(tiny_inputs, {**settings, "mode": "linear_probe"}, tmp_path / "probe", first))
    changed = {name for name, value in probed.weights.items() if not np.array_equal(value, checkpoint.weights[name])}
    assert changed == {"head.weight", "head.bias"}


@pytest.mark.parametrize("model", SMALL)
def test_a_random_encoder_under_a_linear_head_learns(
    model: str, tiny_inputs: dict[str, Path], tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = {**tiny_settings, "model": model, "model_settings": SMALL[model], "mode": "linear_probe"}
    settings["recipe"] = {**tiny_settings["recipe"], "epochs": 6, "select_by": "auroc"}
    checkpoint = read_checkpoint(run(tiny_inputs, settings, tmp_path / "probe"))
    rebuild(checkpoint)
    assert checkpoint.manifest.facts["best"]["validation_auroc"] > 0.7


@pytest.mark.parametrize("records", [5, 9])
def test_batch_norm_without_time_settles_on_any_number_of_records(records: int) -> None:
    """Batches of four and one over: the norm of one record's features has no spread."""
    network = build("xresnet1d101", 8, 2, SMALL["xresnet1d101"])
    values = np.random.default_rng(0).standard_normal((records, 8, 64)).astype(np.float32)
    rows = np.arange(records)
    settle(network, Inputs(values, rows, 1.0, rows), 4, torch.device("cpu"))
    assert float(network.hidden.get_buffer("4.running_var").min()) > 0
