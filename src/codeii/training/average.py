"""The running mean of a network's weights (Polyak and Juditsky 1992, with exponential weights)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def average_of(network: nn.Module) -> dict[str, Tensor]:
    """The mean at the start: the weights themselves, with the statistics of the batch norms."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


@torch.no_grad()
def follow(average: Mapping[str, Tensor], network: nn.Module, decay: float, number: int) -> None:
    """Move the mean towards the weights after update `number` (1 for the first), in place.

    Early means reach back less far, (1 + n) / (10 + n), so that the random weights of the start are soon forgotten.
    """
    decay = min(decay, (1 + number) / (10 + number))
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:  # a batch norm's count of batches
            average[name].copy_(value)


@contextmanager
def wearing(network: nn.Module, average: Mapping[str, Tensor]) -> Iterator[None]:
    """The network has the mean's weights inside the block and its own after it; an empty mean changes nothing."""
    if not average:
        yield
        return
    own = average_of(network)
    network.load_state_dict(dict(average), strict=True)
    try:
        yield
    finally:
        network.load_state_dict(own, strict=True)
