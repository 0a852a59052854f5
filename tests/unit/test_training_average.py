"""The running mean of the weights."""

import pytest
import torch
from torch import nn

from codeii.training.average import average_of, follow, wearing


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def test_the_mean_is_the_exponential_one_with_a_short_memory_at_first() -> None:
    one = network()
    average = average_of(one)
    expected = one[0].bias.detach().clone()
    for number in range(1, 200):
        with torch.no_grad():
            one[0].bias.copy_(torch.tensor([1.0, float(number % 7)]))
            one[1].num_batches_tracked += 1
        follow(average, one, 0.9, number)
        decay = min(0.9, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * one[0].bias.detach()
    torch.testing.assert_close(average["0.bias"], expected, rtol=1e-5, atol=1e-6)
    assert average["0.bias"][0] == pytest.approx(1.0, abs=1e-6)
    assert average["1.num_batches_tracked"] == 199


def test_the_network_wears_the_mean_inside_the_block_alone() -> None:
    one = network()
    average = {name: torch.full_like(value, 3) for name, value in one.state_dict().items()}
    before = average_of(one)
    with pytest.raises(ZeroDivisionError), wearing(one, average):
        assert (one[0].weight == 3).all() and (one[1].running_var == 3).all()
        raise ZeroDivisionError
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())
    with wearing(one, {}):
        assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())
