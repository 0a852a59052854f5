"""What many records tell without gradients: a network's answers, and the statistics of its batch norms."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from codeii.artifacts.tensor_store import blocks
from codeii.networks.batches import Inputs, announced, cut, read
from codeii.networks.ranks import ALONE, Ranks


def answers(
    network: nn.Module,
    ask: Callable[[Tensor], Tensor],
    inputs: Inputs,
    batch_size: int,
    device: torch.device,
    ranks: Ranks = ALONE,
) -> np.ndarray:
    """(input, ...) float32 answers in eval mode, in the order of the inputs; the network's mode is put back.

    ask : what to call on each batch: the network itself, or its `features`.
    ranks : who share the work, batch by batch: every one gets all answers, the bits of a single process.
    """
    training = network.training
    network.eval()
    batches = list(blocks(len(inputs), batch_size))
    shares = [batches[share] for share in ranks.shares(len(batches))]
    mine = shares[ranks.rank]
    with torch.inference_mode():
        # A rank without a batch asks one nevertheless, to know the shape of an answer.
        wanted = announced(inputs, mine or batches[:1])
        parts = [ask(read(inputs, part, device)).float().cpu().numpy() for part in wanted]
    network.train(training)
    rows = [share[-1].stop - share[0].start if share else 0 for share in shares]
    return ranks.gathered(np.concatenate(parts)[: rows[ranks.rank]], rows)


def settle(network: nn.Module, inputs: Inputs, batch_size: int, device: torch.device) -> None:
    """Give the batch norms the statistics of these records: one pass, equal weight to every batch, no dropout.

    A random network has never seen a record; with the statistics it was built with (mean 0, variance 1) its
    features of signals in millivolts are all but constant, and a linear probe of it would measure nothing.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    training = network.training
    network.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for part in announced(inputs, cut(len(inputs), batch_size)):
            network(read(inputs, part, device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(training)


def folded(network: nn.Module) -> nn.Module:
    """A copy in eval mode whose batch norms are part of the convolutions before them, where a module names such pairs.

    A module names them in `FOLDS`: attributes of a convolution and of the batch norm that alone reads its result.
    The answers are those of `network` but for rounding; a network that names none comes back as a plain copy.
    """
    copy = deepcopy(network).eval()
    for module in copy.modules():
        for convolution, norm in getattr(module, "FOLDS", ()):
            _fold(module.get_submodule(convolution), module.get_submodule(norm))
            setattr(module, norm, nn.Identity())
    return copy


@torch.no_grad()
def _fold(convolution: nn.Module, norm: nn.Module) -> None:
    """Give the convolution the weight and bias of itself and the norm after it, computed in float64."""
    if not isinstance(norm, _BatchNorm) or norm.running_var is None or norm.running_mean is None:
        raise TypeError(f"FOLDS names {type(norm).__name__}, expected a batch norm with running statistics")
    if not isinstance(convolution, _ConvNd):
        raise TypeError(f"FOLDS names {type(convolution).__name__}, expected a convolution")
    weight, bias = convolution.weight, convolution.bias
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    center = norm.running_mean.double() if bias is None else norm.running_mean.double() - bias.double()
    shift = norm.bias.double() - center * gain
    convolution.bias = nn.Parameter(shift.float())
    weight.copy_(weight.double() * gain.view(-1, *[1] * (weight.dim() - 1)))
