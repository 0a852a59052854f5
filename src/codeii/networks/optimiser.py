"""AdamW over lists of tensors: the same bits as `codeii.training.adamw`, in fewer calls.

One call for all tensors of the network saves Python's share of a step, a third of the update of a small network, and
on a GPU one kernel does the work of dozens. None of it imports torch's compiler, as `torch.optim` does.
"""

import math

import torch
from torch import Tensor

BETA_MEAN, BETA_SQUARE, EPSILON = 0.9, 0.999, 1e-8


@torch.no_grad()
def update(
    values: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    number: int,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """Move all parameters in place by their gradients, and the moments with them.

    values : parameters that all have a gradient, on one device; means, squares : moments of the same shapes
    number : 1 for the first update
    Raises ValueError where a parameter has no gradient.
    """
    gradients = [value.grad for value in values if value.grad is not None]
    if len(gradients) != len(values):
        raise ValueError(f"{len(values) - len(gradients)} of {len(values)} parameters have no gradient; leave them out")
    step_size = learning_rate / (1 - BETA_MEAN**number)
    correction = math.sqrt(1 - BETA_SQUARE**number)
    torch._foreach_lerp_(means, gradients, 1 - BETA_MEAN)
    torch._foreach_mul_(squares, BETA_SQUARE)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - BETA_SQUARE)
    torch._foreach_mul_(values, 1 - learning_rate * weight_decay)
    divisors = torch._foreach_sqrt(squares)
    torch._foreach_div_(divisors, correction)
    torch._foreach_add_(divisors, EPSILON)
    torch._foreach_addcdiv_(values, means, divisors, value=-step_size)


def gradient_norm(values: list[Tensor]) -> Tensor:
    """Scalar, on the parameters' device: Euclidean norm of the gradient; not finite when one entry is not."""
    norms = torch._foreach_norm([value.grad for value in values if value.grad is not None])
    norm: Tensor = torch.linalg.vector_norm(torch.stack(list(norms)))
    return norm
