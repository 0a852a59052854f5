"""The checkpoint door: what goes in comes out, and nothing broken passes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codeii.artifacts.checkpoint import CheckpointCard, probe_input, read_checkpoint, write_checkpoint
from codeii.artifacts.manifest import IntegrityError, sha256_of
from codeii.models import build, rebuild

MODEL_SETTINGS = {"filters": [4, 8], "strides": [1, 4], "kernel_size": 5, "head_samples": 1}
CLASSES = ["a", "b", "c"]


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build("resnet1d", 8, len(CLASSES), MODEL_SETTINGS).eval()


def card(**changed: Any) -> CheckpointCard:
    with torch.inference_mode():
        probe_logits = network()(torch.from_numpy(probe_input(8, 64))).tolist()
    told = {
        "model": "resnet1d",
        "model_settings": MODEL_SETTINGS,
        "classes": CLASSES,
        "leads": ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"],
        "rate_hz": 25,
        "samples": 64,
        "unit": "mV",
        "preprocessing": {"rate_hz": 25, "samples": 64},
        "parameters": sum(value.numel() for value in network().parameters()),
        "trained_on": ["task"],
        "best_epoch": 1,
        "probe_logits": probe_logits,
    }
    return CheckpointCard.model_validate({**told, **changed})


def weights() -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in network().state_dict().items()}


def written(folder: Path, weights_: dict[str, np.ndarray], card_: CheckpointCard) -> Path:
    made = {"settings": {"x": 1}, "code": "c", "inputs": [], "facts": {"epochs": 1}, "synthetic": True}
    return write_checkpoint(folder, card_, weights_, "epoch\n1\n", **made)


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(written(tmp_path, weights(), card()))
    assert checkpoint.card == card()
    assert checkpoint.manifest.facts == {"epochs": 1}
    for name, value in weights().items():
        np.testing.assert_array_equal(checkpoint.weights[name].reshape(value.shape), value)


def test_a_rebuilt_network_answers_like_the_one_that_was_written(tmp_path: Path) -> None:
    rebuilt = rebuild(read_checkpoint(written(tmp_path, weights(), card())))
    signals = torch.randn(3, 8, 64)
    with torch.inference_mode():
        torch.testing.assert_close(rebuilt(signals), network()(signals), rtol=0, atol=0)
    assert not rebuilt.training


def test_the_probe_is_the_same_everywhere() -> None:
    probe = probe_input(8, 64)
    assert (probe.shape, probe.dtype) == ((2, 8, 64), np.float32)
    np.testing.assert_allclose(probe[0, 0, :3], [1.11762202, -1.38712490, -0.42657161], rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_refused_and_nothing_is_written(tmp_path: Path, value: float) -> None:
    broken = weights()
    broken["head.bias"] = np.array([0, value, 0], np.float32)
    with pytest.raises(ValueError, match=r"weight head\.bias is not finite"):
        written(tmp_path / "run", broken, card())
    assert not (tmp_path / "run").exists()


def test_a_flipped_byte_in_the_weights_is_noticed(tmp_path: Path) -> None:
    manifest = written(tmp_path, weights(), card())
    path = tmp_path / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"weights\.safetensors: content changed"):
        read_checkpoint(manifest)


def test_weights_that_answer_the_probe_differently_are_refused_even_with_a_fitting_hash(tmp_path: Path) -> None:
    other = weights()
    other["head.bias"] = other["head.bias"] + 0.01
    with pytest.raises(ValueError, match=r"answers the probe 0\.01 apart"):
        rebuild(read_checkpoint(written(tmp_path, other, card())))


@pytest.mark.parametrize("changed", [{"head.bias": None}, {"head.surplus": np.zeros(1, np.float32)}])
def test_a_missing_or_surplus_tensor_is_refused(tmp_path: Path, changed: dict[str, np.ndarray | None]) -> None:
    given = {name: value for name, value in {**weights(), **changed}.items() if value is not None}
    with pytest.raises(RuntimeError, match=r"head\.(bias|surplus)"):
        rebuild(read_checkpoint(written(tmp_path, given, card())))


def test_a_card_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    manifest = written(tmp_path, weights(), card())
    path = tmp_path / "checkpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "surplus": 1}))
    told = json.loads(manifest.read_text())
    told["files"]["checkpoint.json"] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    manifest.write_text(json.dumps(told))
    with pytest.raises(ValueError, match="surplus"):
        read_checkpoint(manifest)
