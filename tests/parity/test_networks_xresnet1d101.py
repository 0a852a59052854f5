"""xresnet1d against numbers computed with the PTB-XL benchmark's own code (shared/parity, section 2)."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.weight_rule import weight_of
from torch import nn
from torch.nn import functional

from codeii.models.xresnet1d101 import Settings, XResNet1d, build, largest_of_three

SINGLE, DOUBLE = 5e-5, 1e-9
CASES = ["xresnet1d101_71", "xresnet1d101_5", "xresnet1d101_71_len1000", "xresnet1d50_71"]


@pytest.fixture(scope="module")
def keys(shared: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    facts: dict[str, Any] = json.loads((shared / "parity" / "networks_ptbxl_benchmark_keys.json").read_text())
    return facts


def name_there(name: str) -> str:
    """The reference's name of one of our tensors: its modules are numbered, the stem's first."""
    if name.startswith("stem."):
        return name.removeprefix("stem.")
    if name.startswith("hidden."):
        return re.sub(r"^hidden\.(\d+)", lambda part: f"8.{int(part[1]) + 2}", name)
    if name.startswith("head."):
        return name.replace("head", "8.8")
    name = re.sub(r"^blocks\.(\d+)", lambda part: str(int(part[1]) + 4), name)
    return name.replace(".skip.", ".idpath.0.")


def network_of(facts: dict[str, Any], case: str) -> XResNet1d:
    arguments = facts["meta"]["args"]
    layers = 50 if "xresnet1d50" in case else 101
    return build(arguments["input_channels"], arguments["num_classes"], Settings(layers=layers)).eval()


def filled(facts: dict[str, Any], case: str) -> XResNet1d:
    network = network_of(facts, case)
    state = {
        name: torch.from_numpy(weight_of(name_there(name), tuple(value.shape)).copy())
        for name, value in network.state_dict().items()
    }
    total = sum(float(value.double().sum()) for value in state.values())
    assert total == pytest.approx(facts["fill_sum_f64"], rel=1e-12)
    network.load_state_dict(state)
    return network


def signals(facts: dict[str, Any]) -> torch.Tensor:
    shape = facts["meta"]["input"]
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("case", [case for case in CASES if "len" not in case])
def test_tensors_are_the_references_each_once(case: str, keys: dict[str, Any]) -> None:
    facts = keys[case]
    network = network_of(facts, case)
    ours = {name_there(name): list(value.shape) for name, value in network.state_dict().items()}
    assert ours == {key: shape for key, shape, _ in facts["tensors"]}
    assert set(facts["aliases"].values()) <= ours.keys()
    assert len(ours) + len(facts["aliases"]) == facts["n_state_tensors"]
    assert sum(value.numel() for value in network.parameters()) == facts["n_parameters"]


@pytest.mark.parametrize("case", CASES)
def test_logits_equal_the_references(case: str, keys: dict[str, Any], shared: Path) -> None:
    network, x_BLT = filled(keys[case], case), signals(keys[case])
    outputs = np.load(shared / "parity" / "networks_ptbxl_benchmark_outputs.npz")
    with torch.inference_mode():
        single = network(x_BLT)
        double = network.double()(x_BLT.double())
    np.testing.assert_allclose(double.numpy(), outputs[f"{case}|out|f64"], rtol=0, atol=DOUBLE)
    np.testing.assert_allclose(single.numpy(), outputs[f"{case}|out|f32"], rtol=0, atol=SINGLE)


@pytest.mark.parametrize("case", ["xresnet1d101_71", "xresnet1d101_5"])
def test_every_stage_equals_the_references(case: str, keys: dict[str, Any], shared: Path) -> None:
    """The reference's parts 0 to 2 are the stem with its activations, 3 the pooling, 4 to 7 the stages of blocks."""
    stats = json.loads((shared / "parity" / "networks_ptbxl_benchmark_intermediate_stats.json").read_text())[case]
    network, x = filled(keys[case], case).double(), signals(keys[case]).double()
    parts = []
    with torch.inference_mode():
        for conv in network.stem:
            parts.append(x := functional.relu(conv(x)))
        parts.append(x := largest_of_three(x))
        for stage in network.blocks:
            parts.append(x := stage(x))
    assert len(parts) == len(stats)
    for number, part in enumerate(parts):
        expected = stats[str(number)]
        assert list(part.shape) == expected["shape"]
        found = [part.mean(), part.std(correction=0), part.norm(), part.min(), part.max()]
        np.testing.assert_allclose(
            found, [expected[of] for of in ("mean", "std", "l2", "min", "max")], rtol=1e-12, atol=DOUBLE
        )
        ends = np.concatenate([part.flatten()[:8], part.flatten()[-8:]])
        np.testing.assert_allclose(ends, expected["first8"] + expected["last8"], rtol=0, atol=DOUBLE)


def test_every_leaf_gives_the_shape_of_the_references_table(keys: dict[str, Any]) -> None:
    facts = keys["xresnet1d101_71"]
    expected = {row[0]: row[2:] for row in facts["layer_table"] if row[4]}
    network, found = network_of(facts, "xresnet1d101_71"), {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor], answer: torch.Tensor) -> None:
            count = sum(value.numel() for value in module.parameters())
            found[name_there(f"{name}.").rstrip(".")] = [list(inputs[0].shape), list(answer.shape), count]

        return hook

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv1d | nn.BatchNorm1d | nn.Linear):
            module.register_forward_hook(note(name))
    with torch.inference_mode():
        network(torch.zeros(1, 12, 250))
    assert found == expected
