"""Our Adam and SGD against torch's, and rates that differ between parameters."""

from types import ModuleType

import pytest
import torch
from torch import nn

from codeii.training import adam, adamw, sgd


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def gradients(one: nn.Module, inputs: torch.Tensor) -> None:
    one.zero_grad()
    one(inputs).square().sum().backward()


def theirs_of(name: str, parameters: list[nn.Parameter], weight_decay: float, momentum: float) -> torch.optim.Optimizer:
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=1.0, weight_decay=weight_decay, momentum=momentum, foreach=False)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    return kind(parameters, lr=1.0, weight_decay=weight_decay, betas=(momentum, 0.999), foreach=False)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("momentum", [0.9, 0.6])
@pytest.mark.parametrize("ours", [adamw, adam, sgd])
def test_thirty_updates_are_bit_for_bit_those_of_torch(ours: ModuleType, weight_decay: float, momentum: float) -> None:
    mine, their = network(), network()
    moments = ours.no_moments(mine)
    optimiser = theirs_of(ours.__name__.split(".")[-1], list(their.parameters()), weight_decay, momentum)
    for number in range(1, 31):
        learning_rate = 0.01 / number
        optimiser.param_groups[0]["lr"] = learning_rate
        inputs = torch.randn(4, 6)
        gradients(mine, inputs)
        gradients(their, inputs)
        ours.update(mine, moments, number, learning_rate, weight_decay, momentum)
        optimiser.step()
    for found, expected in zip(mine.parameters(), their.parameters(), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("ours", [adamw, adam, sgd])
def test_a_parameter_with_a_rate_of_its_own_moves_as_with_that_learning_rate(ours: ModuleType) -> None:
    alike, slow = network(), network()
    inputs = torch.randn(4, 6)
    gradients(alike, inputs)
    gradients(slow, inputs)
    ours.update(alike, ours.no_moments(alike), 1, 0.1 * 0.25, 0.01)
    ours.update(slow, ours.no_moments(slow), 1, 0.1, 0.01, rates={"0.weight": 0.25})
    first, second = dict(alike.named_parameters()), dict(slow.named_parameters())
    assert torch.equal(first["0.weight"], second["0.weight"])
    assert not torch.equal(first["2.weight"], second["2.weight"])


@pytest.mark.parametrize("ours", [adam, sgd])
def test_a_parameter_without_gradient_stays(ours: ModuleType) -> None:
    one = network()
    before = [value.clone() for value in one.parameters()]
    ours.update(one, ours.no_moments(one), 1, 0.1, 0.1)
    assert all(torch.equal(value, old) for value, old in zip(one.parameters(), before, strict=True))
