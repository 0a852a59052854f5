"""Pooling on a GPU is written in other operations than on a processor: both give the same."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from codeii.networks import pooling


class Elsewhere:
    """A tensor that says it lies on a GPU; what is asked of it is done here."""

    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.device = torch.device("cuda")

    def __getattr__(self, name: str) -> object:
        return getattr(self.x, name)

    def __getitem__(self, place: object) -> Tensor:
        return self.x[place]


@pytest.mark.parametrize("shape", [(2, 3, 16), (2, 3, 1, 16), (2, 3, 18)])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_maxima_and_their_gradients_are_those_of_max_pooling(shape: tuple[int, ...], size: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape, requires_grad=True)
    expected = functional.max_pool2d(x, (1, size)) if x.dim() == 4 else functional.max_pool1d(x, size)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    for given in (x, Elsewhere(x)):
        found = pooling.maxima(given, size)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
        torch.testing.assert_close(torch.autograd.grad(found.square().sum(), x)[0], gradient, rtol=0, atol=0)
