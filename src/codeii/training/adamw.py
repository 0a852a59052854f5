"""AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019) as a function of parameters, gradients and moments.

Equal to `torch.optim.AdamW`, whose first use imports torch's compiler: two seconds of every run.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

BETA_MEAN, BETA_SQUARE, EPSILON = 0.9, 0.999, 1e-8
ALL_ALIKE: Mapping[str, float] = {}


def no_moments(network: nn.Module) -> dict[str, Tensor]:
    """Zeros: running mean and running mean of squares of the gradient of each parameter, `<kind>/<parameter>`."""
    kinds = ("mean", "square")
    return {f"{kind}/{name}": torch.zeros_like(value) for name, value in network.named_parameters() for kind in kinds}


def gradient_norm(network: nn.Module) -> float:
    """Euclidean norm of the gradient over all parameters; not finite when one entry is not."""
    norms = [torch.linalg.vector_norm(value.grad) for value in network.parameters() if value.grad is not None]
    return float(torch.linalg.vector_norm(torch.stack(norms)))


@torch.no_grad()
def update(
    network: nn.Module,
    moments: dict[str, Tensor],
    number: int,
    learning_rate: float,
    weight_decay: float,
    momentum: float = BETA_MEAN,
    rates: Mapping[str, float] = ALL_ALIKE,
) -> None:
    """Move every parameter that has a gradient, in place.

    number : 1 for the first update; momentum : the first beta
    rates : what multiplies the learning rate, by parameter; 1 where nothing is said
    """
    correction_mean, correction = 1 - momentum**number, math.sqrt(1 - BETA_SQUARE**number)
    for name, value in network.named_parameters():
        if value.grad is None:
            continue
        rate = learning_rate * rates.get(name, 1.0)
        mean, square = moments[f"mean/{name}"], moments[f"square/{name}"]
        mean.lerp_(value.grad, 1 - momentum)
        square.mul_(BETA_SQUARE).addcmul_(value.grad, value.grad, value=1 - BETA_SQUARE)
        value.mul_(1 - rate * weight_decay)
        value.addcdiv_(mean, (square.sqrt() / correction).add_(EPSILON), value=-(rate / correction_mean))
