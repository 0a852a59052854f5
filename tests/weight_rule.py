"""The weight rule of the reference networks (shared/parity/README.md, section 2), and what is judged by it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from codeii.training import adamw

Rename = Callable[[str], str]


def weight_of(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The state tensor of a reference network: a function of its key and shape."""
    seed = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
    normal = np.random.default_rng(seed).standard_normal(int(np.prod(shape, dtype=int))).reshape(shape)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_var"):
        return (0.5 + np.abs(normal)).astype(np.float32)
    if key.endswith("running_mean"):
        return (0.1 * normal).astype(np.float32)
    if len(shape) >= 2:
        return (normal / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    return (1 + 0.1 * normal if key.endswith("weight") else 0.05 * normal).astype(np.float32)


def fill(network: nn.Module, rename: Rename) -> nn.Module:
    """The network with the weights of its reference, in eval mode; `rename` is from our key to the reference's."""
    state = network.state_dict()
    weights = {name: torch.from_numpy(weight_of(rename(name), tuple(value.shape))) for name, value in state.items()}
    network.load_state_dict(weights)
    return network.eval()


def signals(*shape: int) -> torch.Tensor:
    """The input of the reference networks, (B, L, T) float32."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def facts_of(folder: Path, family: str, case: str) -> dict[str, Any]:
    """What is said of a reference network in `<family>_keys.json`."""
    facts: dict[str, Any] = json.loads((folder / "parity" / f"{family}_keys.json").read_text())[case]
    return facts


def outputs_of(folder: Path, family: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of a reference network in float32 and float64; `name` is `case|output`."""
    arrays = np.load(folder / "parity" / f"{family}_outputs.npz")
    return arrays[f"{name}|f32"], arrays[f"{name}|f64"]


def assert_same_tensors(network: nn.Module, rename: Rename, facts: Mapping[str, Any]) -> None:
    """Fail unless names, shapes, order and number of parameters are the reference's; no weights are needed."""
    ours = [[rename(name), list(value.shape)] for name, value in network.state_dict().items()]
    assert ours == [tensor[:2] for tensor in facts["tensors"]]
    assert sum(parameter.numel() for parameter in network.parameters()) == facts["n_parameters"]


def assert_filled(network: nn.Module, facts: Mapping[str, Any]) -> None:
    """Fail unless the weights sum to what those of the reference do."""
    total = sum(float(value.double().sum()) for value in network.state_dict().values() if value.is_floating_point())
    assert total == pytest.approx(facts["fill_sum_f64"], rel=1e-12)


def assert_same_logits(
    network: nn.Module, x_BLT: torch.Tensor, expected: tuple[np.ndarray, np.ndarray], single_atol: float = 2e-5
) -> None:
    """Fail unless the network answers like the reference in float32 and float64. Leaves it in float64."""
    with torch.inference_mode():
        single = network(x_BLT).numpy()
        double = network.double()(x_BLT.double()).numpy()
    np.testing.assert_allclose(double, expected[1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(single, expected[0], rtol=0, atol=single_atol)


def assert_same_map(x: torch.Tensor, stats: Mapping[str, Any]) -> None:
    """Fail unless a float64 feature map has the shape, statistics and outermost values of the reference's."""
    values = x.numpy().ravel()
    assert list(x.shape) == stats["shape"]
    found = [values.mean(), values.std(), values.min(), values.max(), *values[:8], *values[-8:]]
    expected = [stats["mean"], stats["std"], stats["min"], stats["max"], *stats["first8"], *stats["last8"]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert np.linalg.norm(values) == pytest.approx(stats["l2"], rel=1e-9)


def assert_same_training(
    network: nn.Module, rename: Rename, x_BLT: torch.Tensor, folder: Path, case: str, decay: float
) -> None:
    """Fail unless three steps of AdamW in float64 go as those of the reference (section 5): losses, gradients, norms.

    With a decay of zero it is Adam. The reference has no dropout; batch norm sees the batch.
    """
    facts = json.loads((folder / "parity" / "extra_pipelines_and_training_steps.json").read_text())[f"train_{case}"]
    arrays = np.load(folder / "parity" / "extra_pipelines_and_training_steps.npz")
    targets_BK = torch.from_numpy(arrays["train|targets_4x6"])
    network, x_BLT, moments = network.double().train(), x_BLT.double(), adamw.no_moments(network.double())
    losses, norms = [], []
    for step in range(facts["steps"]):
        network.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(network(x_BLT), targets_BK)
        loss.backward()
        if step == 0:
            norms = [(rename(name), float(value.grad.norm())) for name, value in network.named_parameters()]
        adamw.update(network, moments, step + 1, learning_rate=1e-3, weight_decay=decay)
        losses.append(loss.item())
    np.testing.assert_allclose(losses, facts["losses"], rtol=0, atol=1e-8)
    assert [name for name, _ in norms] == [name for name, _ in facts["grad_norms_step1"]]
    for (name, norm), (_, expected) in zip(norms, facts["grad_norms_step1"], strict=True):
        assert expected < 1e-10 or norm == pytest.approx(expected, rel=1e-6), name
    averages = {rename(name): float(value.sum()) for name, value in network.named_buffers()}
    for name, total in facts["bn_running_sum_after"].items():
        assert averages[name] == pytest.approx(total, rel=1e-6), name
    with torch.inference_mode():
        after = network.eval()(x_BLT).numpy()
    np.testing.assert_allclose(after, arrays[f"train|{case}|eval_output_after"], rtol=0, atol=1e-6)
