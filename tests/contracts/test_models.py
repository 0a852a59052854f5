"""Every file of models/, present and future, keeps the contract."""

import pkgutil
from importlib import import_module
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


def test_one_full_size_step_reaches_every_parameter(module: ModuleType) -> None:
    """400 Hz x 4096 samples, batch of two, the settings a bare name gives, or SMALL."""
    network = network_of(module, classes=66).train()
    targets_BK = torch.tensor([[1.0, 0.0] * 33, [0.0, 1.0] * 33])
    loss = functional.binary_cross_entropy_with_logits(network(torch.randn(2, 8, 4096)), targets_BK)
    loss.backward()
    assert torch.isfinite(loss)
    without = [
        name
        for name, value in network.named_parameters()
        if value.grad is None or not torch.isfinite(value.grad).all() or not value.grad.any()
    ]
    assert without == []


def test_the_same_random_state_gives_the_same_weights(module: ModuleType) -> None:
    torch.manual_seed(3)
    first = network_of(module).state_dict()
    torch.manual_seed(3)
    second = network_of(module).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_unknown_setting_is_refused(module: ModuleType) -> None:
    with pytest.raises(ValidationError, match="no_such_setting"):
        module.Settings(no_such_setting=1)


def test_there_is_at_least_one_model() -> None:
    assert "resnet1d" in NAMES
