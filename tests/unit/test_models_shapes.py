"""Settings and lengths that the networks take beside those of the references, and those they refuse."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from codeii.models import build, resnet1d, resnet1d_se, xresnet1d101


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("blocks", [4, 8, 12])
@pytest.mark.parametrize("kernel_size", [1, 3, 17])
def test_a_length_that_does_not_divide_is_refused_with_the_numbers(blocks: int, kernel_size: int) -> None:
    settings = resnet1d_se.Settings(blocks=blocks, kernel_size=kernel_size, head_samples=2)
    with torch.device("meta"):
        network = resnet1d_se.build(8, 2, settings)
        assert network.backbone(torch.zeros(2, 8, 1024)).shape[-1] == 4
        assert network(torch.zeros(2, 8, 512)).shape == (2, 2)
        with pytest.raises(ValueError, match=r"resnet1d_se: 768 samples are no multiple of .* = 512"):
            network(torch.zeros(2, 8, 768))


def test_a_global_mean_head_does_not_depend_on_the_length() -> None:
    with torch.device("meta"):
        network = resnet1d_se.build(8, 2, resnet1d_se.Settings(head_samples=1))
        assert network(torch.zeros(2, 8, 256)).shape == network(torch.zeros(2, 8, 4096)).shape == (2, 2)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValidationError, match="16 is even"):
        resnet1d_se.Settings(kernel_size=16)


@pytest.mark.parametrize("blocks", [3, 16])
def test_other_numbers_of_blocks_are_refused(blocks: int) -> None:
    with pytest.raises(ValidationError, match="4, 8 or 12"):
        resnet1d_se.Settings(blocks=blocks)


@pytest.mark.parametrize("samples", [33, 250, 999, 4096])
def test_the_xresnet_takes_any_length(samples: int) -> None:
    network = xresnet1d101.build(8, 2, xresnet1d101.Settings(depth=50)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 8, samples)).shape == (1, 2)


@pytest.mark.parametrize("activation", ["elu", "gelu"])
def test_the_activation_is_that_of_the_blocks(activation: str) -> None:
    torch.manual_seed(0)
    settings = {"filters": (4, 4), "strides": (1, 4), "kernel_size": 3, "head_samples": 1}
    network = resnet1d.build(8, 2, resnet1d.Settings(**settings, activation=activation)).eval()
    with torch.inference_mode():
        normed, total = network.blocks[0](torch.randn(2, 4, 1, 16), torch.randn(2, 4, 1, 16))
        expected = getattr(torch.nn.functional, activation)(network.blocks[0].bn2(total))
    assert normed.min() < 0
    torch.testing.assert_close(normed, expected)


@pytest.mark.parametrize(
    ("name", "settings", "rates"),
    [
        ("resnet1d_se", {"blocks": 4}, [0.5] * 8),  # ahead of each convolution but the first two, and of the head
        ("xresnet1d101", {}, [0.25, 0.5]),
        ("s4", {"channels": 8}, [0.2] * 8),
    ],
)
def test_dropout_is_applied_as_often_and_at_the_rates_of_the_sources(
    name: str, settings: dict[str, Any], rates: list[float]
) -> None:
    network, found = build(name, 8, 2, settings), []
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda dropout, _inputs, _output: found.append(dropout.p))
    network(torch.randn(2, 8, 4096))
    assert found == rates
