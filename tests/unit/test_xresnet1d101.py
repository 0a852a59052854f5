"""What the parity of xresnet1d101 with its reference does not show: its start, its pooling, its stages."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.nn import functional

from codeii.models.xresnet1d101 import Settings, build, largest_of_three


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@given(samples=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_the_pooling_and_its_gradient_are_those_of_max_pool(samples: int, seed: int) -> None:
    x_BCT = torch.randn(2, 3, samples, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    ours, theirs = largest_of_three(x_BCT), functional.max_pool1d(x_BCT, 3, stride=2, padding=1)
    assert torch.equal(ours, theirs)
    weights = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), x_BCT)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), x_BCT)
    torch.testing.assert_close(gradient, expected)


def test_at_the_start_only_shortcuts_pass_and_two_steps_reach_every_weight() -> None:
    torch.manual_seed(0)
    network = build(8, 3, Settings(layers=50)).train()
    x_BLT = torch.randn(4, 8, 250)
    wide_BCT = torch.rand(2, 256, 20)
    with torch.no_grad():
        torch.testing.assert_close(network.blocks[1][1](wide_BCT), wide_BCT)
    for expected in ("some", "none"):
        network.zero_grad()
        network(x_BLT).square().mean().backward()
        still = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
        assert bool(still) == (expected == "some")
        assert all(".convs." in name for name in still)
        with torch.no_grad():
            for value in network.parameters():
                value -= 0.01 * value.grad


def test_initial_weights_are_the_benchmarks() -> None:
    """He et al.'s variance 2 / inputs, biases of zero."""
    torch.manual_seed(0)
    network = build(8, 3, Settings())
    for weight in (network.blocks[2][7].convs[1][0].weight, network.hidden[2].weight):
        assert weight.std().item() == pytest.approx((2 / weight[0].numel()) ** 0.5, rel=0.05)
    biases = [value for name, value in network.named_parameters() if name.endswith("bias")]
    assert not any(value.any() for value in biases)


@pytest.mark.parametrize("layers", [50, 101])
def test_every_parameter_is_in_one_stage(layers: int) -> None:
    network = build(8, 3, Settings(layers=layers))
    assert network.stages() == [["stem."], *([f"blocks.{stage}."] for stage in range(4)), ["hidden."]]
    for name, _ in network.named_parameters():
        of = sum(name.startswith(tuple(stage)) for stage in network.stages())
        assert of == (0 if name.startswith("head.") else 1)


def test_features_are_what_comes_before_the_last_layer() -> None:
    network = build(8, 3, Settings(layers=50)).eval()
    with torch.inference_mode():
        assert network.features(torch.randn(2, 8, 250)).shape == (2, 128)


def test_other_depths_are_refused() -> None:
    with pytest.raises(ValidationError, match="50 or 101"):
        Settings(layers=34)
