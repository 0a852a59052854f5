"""A network's answers to many records, without gradients."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from codeii.artifacts.tensor_store import blocks
from codeii.networks.batches import Inputs, read


def answers(
    network: nn.Module, ask: Callable[[Tensor], Tensor], inputs: Inputs, batch_size: int, device: torch.device
) -> np.ndarray:
    """(record, ...) float32 answers in eval mode, in the order of the inputs; the network's mode is put back.

    ask : what to call on each batch: the network itself, or its `features`.
    """
    training = network.training
    network.eval()
    with torch.inference_mode():
        parts = [ask(read(inputs, part, device)).float().cpu().numpy() for part in blocks(len(inputs), batch_size)]
    network.train(training)
    return np.concatenate(parts)
