"""Stages: which are trained, how fast, and that the others do not change by a bit."""

import pytest
import torch
from torch import nn

from codeii.models.resnet1d import Settings, build
from codeii.training.layers import Layers, freeze, layers_of, to_train

SETTINGS = Settings(filters=(4, 4, 6), strides=(1, 4, 2), kernel_size=3, head_samples=1)


def network() -> nn.Module:
    torch.manual_seed(0)
    return build(8, 2, SETTINGS)


def test_every_parameter_outside_the_head_is_in_one_stage() -> None:
    one = network()
    for name, _ in one.named_parameters():
        of = [depth for depth, stage in enumerate(one.stages()) if name.startswith(tuple(stage))]
        assert len(of) == (0 if name.startswith("head.") else 1), name


def test_without_a_wish_all_is_trained_alike() -> None:
    assert layers_of(network(), None, 1.0) == Layers()


def test_each_stage_learns_slower_than_the_one_above_it() -> None:
    rates = layers_of(network(), None, 0.5).rates
    assert {rates["blocks.1.conv1.weight"], rates["blocks.1.skip.weight"]} == {0.5}
    assert (rates["blocks.0.bn1.bias"], rates["conv1.weight"], rates["bn1.weight"]) == (0.25, 0.125, 0.125)
    assert rates.get("head.weight", 1.0) == 1.0


def test_frozen_stages_have_no_gradient_and_keep_their_statistics() -> None:
    one = network()
    layers = layers_of(one, 1, 1.0)
    assert layers.frozen == ("conv1.", "bn1.", "blocks.0.")
    freeze(one, layers)
    to_train(one, layers)
    before = {name: value.clone() for name, value in one.state_dict().items()}
    one(torch.randn(4, 8, 64)).sum().backward()
    trained = {name for name, value in one.named_parameters() if value.grad is not None}
    assert trained == {name for name, _ in one.named_parameters() if name.startswith(("blocks.1.", "head."))}
    moved = {name for name, value in one.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("blocks.1.bn") for name in moved)


def test_more_stages_than_there_are_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="trained_stages is 4, but the network has 3 stages"):
        layers_of(network(), 4, 1.0)


def test_a_parameter_in_no_stage_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    one = network()
    monkeypatch.setattr(type(one), "stages", lambda self: [["conv1.", "bn1."], ["blocks.0."]])
    with pytest.raises(ValueError, match=r"parameter blocks.1.conv1.weight is in 0 stages"):
        layers_of(one, 1, 1.0)
