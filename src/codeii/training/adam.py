"""Adam (Kingma and Ba 2015) with weight decay in the gradient, as the CODE group trained; as `torch.optim.Adam`."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from codeii.training import adamw

no_moments = adamw.no_moments


@torch.no_grad()
def update(
    network: nn.Module,
    moments: dict[str, Tensor],
    number: int,
    learning_rate: float,
    weight_decay: float,
    momentum: float = adamw.BETA_MEAN,
    rates: Mapping[str, float] = adamw.ALL_ALIKE,
) -> None:
    """Move every parameter that has a gradient, in place; `weight_decay` times the parameter joins its gradient.

    Arguments as of `adamw.update`, which differs in this alone.
    """
    for value in network.parameters():
        if value.grad is not None:
            value.grad.add_(value, alpha=weight_decay)
    adamw.update(network, moments, number, learning_rate, 0.0, momentum, rates)
