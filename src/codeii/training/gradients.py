"""Loss and gradients of a batch, over all ranks that share it."""

import math

import torch
from torch import Tensor, nn

from codeii.networks.arithmetic import Ask
from codeii.networks.ranks import ALONE, Ranks
from codeii.networks.shared_norm import uncounted
from codeii.training import adamw
from codeii.training.objective import PLAIN, Objective, shorten
from codeii.training.share import Share, share_of


def loss_and_gradients(
    network: nn.Module,
    inputs: Tensor,
    targets_BK: Tensor,
    objective: Objective = PLAIN,
    share: Share | None = None,
    ranks: Ranks = ALONE,
    ask: Ask | None = None,
) -> float:
    """Loss of a batch, by default the mean binary cross-entropy; its gradients replace those of the parameters.

    ask : what to call on the inputs; None: the network itself
    share : what `inputs` are of the batch; None: all of it. Loss and gradients are those of the whole batch.
    Raises FloatingPointError when the loss or a gradient is not finite, on every rank.
    """
    network.zero_grad()
    ask = ask or network
    share, losses = share or share_of(len(inputs), objective.parts), []
    for part, targets in zip(torch.split(inputs, share.parts), torch.split(targets_BK, share.parts), strict=True):
        if len(part):
            loss = objective.loss(ask(part), targets) * (len(part) / share.size)
        else:  # the others meet this rank in the batch norms nevertheless
            loss = _nothing(network, ask, inputs)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    value = _summed(network, torch.stack(losses).sum(), ranks).item()
    norm = adamw.gradient_norm(network)
    if not (math.isfinite(value) and math.isfinite(norm)):
        raise FloatingPointError(f"loss {value}, gradient norm {norm}")
    if objective.largest_norm:
        shorten(network, norm, objective.largest_norm)
    return value


def _nothing(network: nn.Module, ask: Ask, inputs: Tensor) -> Tensor:
    """A loss of zero with gradients of zero. Not from an empty batch: few networks take one."""
    with uncounted(network):
        nothing: Tensor = ask(inputs.new_zeros(1, *inputs.shape[1:])).sum() * 0
    return nothing


def _summed(network: nn.Module, loss: Tensor, ranks: Ranks) -> Tensor:
    """The loss summed over the ranks, and the gradients likewise, in place.

    All in one message once the gradients are there. To send some while others are still computed, as torch's
    DistributedDataParallel does, would save little: seven million numbers are 28 MB, milliseconds between GPUs.
    """
    if ranks.count == 1:
        return loss
    values = [value for value in network.parameters() if value.requires_grad]
    # Of every trained parameter, also where this rank has no gradient: a layer may be skipped at random, on each rank
    # another. Ones and zeros say who has one, so that where nobody has, none is made.
    has = torch.tensor([float(value.grad is not None) for value in values], device=loss.device)
    gradients = [torch.zeros_like(value) if value.grad is None else value.grad for value in values]
    flat = ranks.sum(torch.cat([loss.reshape(1), has, *(gradient.reshape(-1) for gradient in gradients)]))
    summed, counts = flat[0], flat[1 : 1 + len(values)].tolist()
    parts = torch.split(flat[1 + len(values) :], [value.numel() for value in values])
    for value, count, part in zip(values, counts, parts, strict=True):
        value.grad = part.view_as(value) if count else None
    return summed
