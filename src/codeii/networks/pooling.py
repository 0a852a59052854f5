"""Pooling whose gradient is the same every time, on a GPU too."""

from torch import Tensor
from torch.nn import functional


def maxima(x: Tensor, size: int) -> Tensor:
    """(B, C, T) or (B, C, 1, T), T to T // size: the largest of every `size` values; a rest at the end is dropped.

    On a GPU the gradient of PyTorch's own max pooling depends on the order of its threads and is refused in
    deterministic mode; there the gradient of equal largest values is shared among them instead of given to the first.
    """
    if x.device.type == "cpu":
        return functional.max_pool2d(x, (1, size)) if x.dim() == 4 else functional.max_pool1d(x, size)
    whole = x[..., : x.shape[-1] // size * size]
    largest: Tensor = whole.reshape(*x.shape[:-1], -1, size).amax(-1)
    return largest
