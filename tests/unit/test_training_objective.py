"""Weights, smoothing, parts of a batch, and the length of a gradient."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from codeii.training import adamw
from codeii.training.gradients import loss_and_gradients
from codeii.training.objective import PLAIN, Objective, balanced_weights, shorten


def batch(records: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    targets = (torch.rand(records, 3, generator=source) < 0.3).float()
    return torch.randn(records, 6, generator=source), targets


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def gradient_of(one: nn.Module) -> torch.Tensor:
    return torch.cat([value.grad.flatten() for value in one.parameters()])


def test_by_default_the_loss_is_the_plain_mean() -> None:
    logits, targets = torch.randn(5, 3), batch(5)[1]
    assert torch.equal(PLAIN.loss(logits, targets), functional.binary_cross_entropy_with_logits(logits, targets))


def test_a_positive_weighs_what_its_class_says() -> None:
    logits, targets = torch.randn(5, 3), batch(5)[1]
    weights = torch.tensor([1.0, 4.0, 0.5])
    probability = torch.sigmoid(logits)
    expected = -(weights * targets * probability.log() + (1 - targets) * (1 - probability).log()).mean()
    assert Objective(weights).loss(logits, targets) == pytest.approx(expected.item(), rel=1e-5)


def test_smoothing_draws_targets_towards_one_half() -> None:
    logits, targets = torch.randn(5, 3), batch(5)[1]
    smooth = torch.where(targets > 0, 0.95, 0.05)
    expected = functional.binary_cross_entropy_with_logits(logits, smooth)
    assert Objective(label_smoothing=0.1).loss(logits, targets) == pytest.approx(expected.item(), rel=1e-6)


def test_balanced_weights_give_positives_and_negatives_of_a_class_the_same_sum() -> None:
    targets = np.zeros((100, 4), np.float32)
    targets[:10, 0], targets[:80, 1], targets[0, 2] = 1, 1, 1
    assert balanced_weights(targets, 20).tolist() == [9.0, 0.25, 20.0, 1.0]


@given(parts=st.integers(1, 12), seed=st.integers(0, 20))
def test_a_batch_in_parts_has_the_gradient_of_the_whole(parts: int, seed: int) -> None:
    inputs, targets = batch(11, seed)
    whole, cut = network(), network()
    loss = loss_and_gradients(whole, inputs, targets)
    assert loss_and_gradients(cut, inputs, targets, Objective(parts=min(parts, 11))) == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(gradient_of(cut), gradient_of(whole), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("largest", [1e-3, 0.1, 100.0])
def test_gradients_are_shortened_as_by_torch(largest: float) -> None:
    ours, theirs = network(), network()
    for one in (ours, theirs):
        loss_and_gradients(one, *batch())
    shorten(ours, adamw.gradient_norm(ours), largest)
    nn.utils.clip_grad_norm_(theirs.parameters(), largest)
    torch.testing.assert_close(gradient_of(ours), gradient_of(theirs), rtol=1e-6, atol=0)
    assert gradient_of(ours).norm() <= largest * 1.0001


def test_the_length_is_that_before_the_step_and_the_gradient_is_cut_in_the_loop() -> None:
    one = network()
    loss_and_gradients(one, *batch(), Objective(largest_norm=1e-3))
    assert gradient_of(one).norm().item() == pytest.approx(1e-3, rel=1e-2)
