"""Every file of models/, present and future, keeps the contract."""

import json
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

import codeii.models

NAMES = [module.name for module in pkgutil.iter_modules(codeii.models.__path__)]


@pytest.fixture(params=NAMES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return import_module(f"codeii.models.{request.param}")


def network_of(module: ModuleType, leads: int = 8, classes: int = 7) -> nn.Module:
    small = getattr(module, "SMALL", {})  # settings for tests, of a file whose defaults take too long for them
    network: nn.Module = module.build(leads=leads, classes=classes, settings=module.Settings(**small))
    return network


@pytest.mark.parametrize("leads", [8, 12])
def test_a_network_gives_one_logit_per_class_and_records_do_not_see_each_other(module: ModuleType, leads: int) -> None:
    network = network_of(module, leads).eval()
    x_BLT = torch.randn(3, leads, 4096)
    with torch.inference_mode():
        logits_BK = network(x_BLT)
        assert logits_BK.shape == (3, 7)
        assert logits_BK.dtype == torch.float32
        torch.testing.assert_close(logits_BK[:1], network(x_BLT[:1]), rtol=0, atol=1e-5)


def test_the_head_is_a_linear_layer_on_the_features(module: ModuleType) -> None:
    network = network_of(module).eval()
    assert isinstance(network.head, nn.Linear)
    assert network.head.out_features == 7
    x_BLT = torch.randn(2, 8, 4096)
    with torch.inference_mode():
        features_BC = network.features(x_BLT)
        assert features_BC.shape == (2, network.head.in_features)
        torch.testing.assert_close(network.head(features_BC), network(x_BLT), rtol=0, atol=1e-6)


def test_two_full_size_steps_reach_every_parameter(module: ModuleType) -> None:
    """400 Hz x 4096 samples, batch of two, the settings a bare name gives, or SMALL.

    Two, because a network may begin with weights of zero that let nothing through to those before them. An operation
    that may give other bits each time is an error, as in training.
    """
    network, x_BLT = network_of(module, classes=66).train(), torch.randn(2, 8, 4096)
    targets_BK = torch.tensor([[1.0, 0.0] * 33, [0.0, 1.0] * 33])
    torch.set_deterministic_debug_mode("error")
    try:
        for _ in range(2):
            network.zero_grad()
            loss = functional.binary_cross_entropy_with_logits(network(x_BLT), targets_BK)
            loss.backward()
            with torch.no_grad():
                for value in network.parameters():
                    if value.grad is not None:
                        value -= 0.01 * value.grad
    finally:
        torch.set_deterministic_debug_mode("default")
    assert torch.isfinite(loss)
    without = [
        name
        for name, value in network.named_parameters()
        if value.grad is None or not torch.isfinite(value.grad).all() or not value.grad.any()
    ]
    assert without == []


def stage_of(name: str, stages: list[list[str]]) -> list[int]:
    """Numbers of the stages whose prefixes a parameter's name has."""
    return [number for number, prefixes in enumerate(stages) for prefix in prefixes if name.startswith(prefix)]


def test_each_parameter_below_the_head_is_in_one_stage_and_stages_follow_the_signal(module: ModuleType) -> None:
    with torch.device("meta"):
        network, wider = network_of(module, leads=8), network_of(module, leads=12)
    stages = network.stages()
    found = {name: stage_of(name, stages) for name, _ in network.named_parameters()}
    assert {name for name, numbers in found.items() if not numbers} == {"head.weight", "head.bias"}
    assert all(len(numbers) == 1 for name, numbers in found.items() if not name.startswith("head."))
    order = [numbers[0] for numbers in found.values() if numbers]
    assert sorted(set(order)) == list(range(len(stages))), "a stage without a parameter"
    shapes = {name: value.shape for name, value in wider.named_parameters()}
    sees_leads = {name for name, value in network.named_parameters() if value.shape != shapes[name]}
    assert all(found[name] == [0] for name in sees_leads)


def test_weights_are_real_float32(module: ModuleType) -> None:
    """What a safetensors file holds; complex parameters are kept in two parts."""
    with torch.device("meta"):
        network = network_of(module)
    kinds = {name: value.dtype for name, value in network.state_dict().items()}
    assert {name for name, kind in kinds.items() if kind != torch.float32} == {
        name for name in kinds if name.endswith(".num_batches_tracked")
    }


def test_the_same_random_state_gives_the_same_weights(module: ModuleType) -> None:
    torch.manual_seed(3)
    first = network_of(module).state_dict()
    torch.manual_seed(3)
    second = network_of(module).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def documented() -> list[tuple[str, str, int, int]]:
    """(file, settings, parameters at 8 leads and 66 classes, at 12 and 71) of docs/models.md."""
    row = re.compile(r"^\| `(\w+)` \| `(\{.*?\})` \| ([\d,]+) \| ([\d,]+) \|$", re.MULTILINE)
    found = row.findall((Path(__file__).parents[2] / "docs/models.md").read_text())
    return [(name, settings, *(int(count.replace(",", "")) for count in counts)) for name, settings, *counts in found]


@pytest.mark.parametrize(("name", "settings", "pretraining", "ptbxl"), documented())
def test_documented_numbers_of_parameters_are_right(name: str, settings: str, pretraining: int, ptbxl: int) -> None:
    with torch.device("meta"):
        networks = [codeii.models.build(name, *sizes, json.loads(settings)) for sizes in ((8, 66), (12, 71))]
    counts = [sum(value.numel() for value in network.parameters()) for network in networks]
    assert counts == [pretraining, ptbxl]


def test_every_network_is_documented() -> None:
    assert {name for name, *_ in documented()} == set(NAMES)


def test_an_unknown_setting_is_refused(module: ModuleType) -> None:
    with pytest.raises(ValidationError, match="no_such_setting"):
        module.Settings(no_such_setting=1)


def test_there_is_at_least_one_model() -> None:
    assert "resnet1d" in NAMES
