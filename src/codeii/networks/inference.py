"""What many records tell without gradients: a network's answers, and the statistics of its batch norms."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from codeii.artifacts.tensor_store import blocks
from codeii.networks.batches import Inputs, announced, cut, read


def answers(
    network: nn.Module, ask: Callable[[Tensor], Tensor], inputs: Inputs, batch_size: int, device: torch.device
) -> np.ndarray:
    """(input, ...) float32 answers in eval mode, in the order of the inputs; the network's mode is put back.

    ask : what to call on each batch: the network itself, or its `features`.
    """
    training = network.training
    network.eval()
    with torch.inference_mode():
        wanted = announced(inputs, list(blocks(len(inputs), batch_size)))
        parts = [ask(read(inputs, part, device)).float().cpu().numpy() for part in wanted]
    network.train(training)
    return np.concatenate(parts)


def settle(network: nn.Module, inputs: Inputs, batch_size: int, device: torch.device) -> None:
    """Give the batch norms the statistics of these records: one pass, equal weight to every batch, no dropout.

    A random network has never seen a record; with the statistics it was built with (mean 0, variance 1) its
    features of signals in millivolts are all but constant, and a linear probe of it would measure nothing.
    """
    training = network.training
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
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
