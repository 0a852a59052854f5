"""Batch norm over the records of all ranks, so that training does not depend on how a batch is divided.

torch's own, `SyncBatchNorm`, is for GPUs alone. Means and variances are put together as in Chan, Golub and LeVeque
(1979), in float64.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from codeii.networks.ranks import Ranks


class SharedNorm(_BatchNorm):
    """A batch norm with the parameters, buffers and names of the one it replaces; all ranks must call it together."""

    def __init__(self, norm: _BatchNorm, ranks: Ranks) -> None:
        """Take over what `norm` has, not a copy. Raises ValueError where it has no weights or no running statistics."""
        if not (norm.affine and norm.track_running_stats):
            raise ValueError(f"{norm}: a batch norm without weights or running statistics is not shared among ranks")
        super().__init__(norm.num_features, norm.eps, norm.momentum, device="meta")
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.ranks, self.counted = ranks, True
        self.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Whatever the replaced norm took."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, ...) normalised."""
        if not self.training:
            return super().forward(input)
        mean, variance, count = _statistics(input, self.counted, self.ranks)
        self._follow(mean, variance * (count / (count - 1).clamp(min=1)))  # of the unbiased variance, as torch keeps it
        result: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias, mean.float(), (variance + self.eps).rsqrt().float(), count, self
        )
        return result

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.num_batches_tracked is not None and self.running_mean is not None and self.running_var is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.float(), share)
        self.running_var.lerp_(variance.float(), share)


def share_norms(network: nn.Module, ranks: Ranks) -> None:
    """Put shared batch norms in place of the network's own; the keys of its state stay. Nothing for a single rank."""
    if ranks.count == 1:
        return
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, _BatchNorm) and not isinstance(child, SharedNorm):
                setattr(module, name, SharedNorm(child, ranks))


@contextmanager
def uncounted(network: nn.Module) -> Iterator[None]:
    """What goes through the network inside the block is no record: shared norms leave it out, and no gradient passes.

    For a rank without a record, which must meet the others all the same.
    """
    norms = [module for module in network.modules() if isinstance(module, SharedNorm)]
    for norm in norms:
        norm.counted = False
    try:
        yield
    finally:
        for norm in norms:
            norm.counted = True


@torch.no_grad()
def _statistics(x: Tensor, counted: bool, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
    """(C,) float64 mean and biased variance over the values of all ranks, and how many values a channel has."""
    channels = x.shape[1]
    rows = x.new_zeros(ranks.count, 2 * channels + 1, dtype=torch.float64)
    if counted:
        variance, mean = torch.var_mean(x.float(), _axes(x), correction=0)
        rows[ranks.rank, 0] = x.numel() // channels
        rows[ranks.rank, 1:] = torch.cat([mean, variance])
    ranks.sum(rows)  # every rank fills a row of its own: the sum is all of them, unrounded
    counts, means, variances = torch.split(rows, [1, channels, channels], dim=1)
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    variance = (counts * (variances + (means - mean) ** 2)).sum(0) / total
    return mean, variance, total  # a tensor: to look at it would hold up a GPU


class _Normalise(torch.autograd.Function):
    """(x - mean) / deviation * weight + bias, the mean and deviation being functions of x on all ranks."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, inverse: Tensor, count: Tensor, of: SharedNorm
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.count, ctx.counted, ctx.ranks = count, of.counted, of.ranks
        scale = weight * inverse
        return torch.addcmul(_wide(bias - mean * scale, x), x.float(), _wide(scale, x)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse = ctx.saved_tensors
        normal, wide = (x.float() - _wide(mean, x)) * _wide(inverse, x), gradient.float()
        of_bias, of_weight = wide.sum(_axes(x)), (wide * normal).sum(_axes(x))
        # The parameters' gradients stay this rank's: they are summed with all the others, once a step.
        shared = ctx.ranks.sum(torch.stack([of_bias, of_weight])) / ctx.count.float()
        if not ctx.counted:
            return torch.zeros_like(x), of_weight, of_bias, None, None, None, None
        through = (wide - _wide(shared[0], x) - normal * _wide(shared[1], x)) * _wide(weight * inverse, x)
        return through.to(x.dtype), of_weight, of_bias, None, None, None, None


def _axes(x: Tensor) -> list[int]:
    """All but the channels."""
    return [0, *range(2, x.dim())]


def _wide(values_C: Tensor, x: Tensor) -> Tensor:
    """One value per channel, in the shape that meets x."""
    return values_C.view(1, -1, *[1] * (x.dim() - 2))
