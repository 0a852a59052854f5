"""Stochastic gradient descent with momentum and weight decay in the gradient; as `torch.optim.SGD`."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from codeii.training.adamw import ALL_ALIKE


def no_moments(network: nn.Module) -> dict[str, Tensor]:
    """Zeros: the running sum of the gradient of each parameter, `sum/<parameter>`."""
    return {f"sum/{name}": torch.zeros_like(value) for name, value in network.named_parameters()}


@torch.no_grad()
def update(
    network: nn.Module,
    moments: dict[str, Tensor],
    number: int,
    learning_rate: float,
    weight_decay: float,
    momentum: float = 0.9,
    rates: Mapping[str, float] = ALL_ALIKE,
) -> None:
    """Move every parameter that has a gradient, in place. Arguments as of `adamw.update`; all updates are alike."""
    for name, value in network.named_parameters():
        if value.grad is not None:
            step = moments[f"sum/{name}"].mul_(momentum).add_(value.grad.add(value, alpha=weight_decay))
            value.add_(step, alpha=-learning_rate * rates.get(name, 1.0))
