"""Our AdamW against torch's."""

import pytest
import torch
from torch import nn

from codeii.training import adamw


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_thirty_updates_are_bit_for_bit_those_of_torch(weight_decay: float) -> None:
    ours, theirs = network(), network()
    moments = adamw.no_moments(ours)
    optimiser = torch.optim.AdamW(theirs.parameters(), lr=1.0, weight_decay=weight_decay, foreach=False)
    for number in range(1, 31):
        learning_rate = 0.01 / number
        optimiser.param_groups[0]["lr"] = learning_rate
        inputs = torch.randn(4, 6)
        for one in (ours, theirs):
            one.zero_grad()
            one(inputs).square().sum().backward()
        adamw.update(ours, moments, number, learning_rate, weight_decay)
        optimiser.step()
    for mine, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, their)


def test_the_norm_of_the_gradient_is_that_over_all_parameters() -> None:
    one = network()
    one(torch.ones(2, 6)).sum().backward()
    whole = torch.cat([value.grad.flatten() for value in one.parameters()])
    assert adamw.gradient_norm(one) == pytest.approx(whole.norm().item(), rel=1e-6)
    next(one.parameters()).grad[0, 0] = float("nan")
    assert adamw.gradient_norm(one) != adamw.gradient_norm(one)


def test_a_parameter_without_gradient_stays() -> None:
    one = network()
    before = [value.clone() for value in one.parameters()]
    adamw.update(one, adamw.no_moments(one), 1, 0.1, 0.1)
    assert all(torch.equal(value, old) for value, old in zip(one.parameters(), before, strict=True))
