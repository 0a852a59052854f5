"""What training makes small: binary cross-entropy, plain or weighted and smoothed."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Objective:
    """How the loss of a batch is counted and its gradient taken; the default is the plain mean."""

    positive_weights: Tensor | None = None  # (K,) what a positive of each class weighs; a negative weighs 1
    label_smoothing: float = 0.0
    parts: int = 1  # in which a batch goes through the network
    largest_norm: float = 0.0  # of the gradient; 0: whatever it is

    def loss(self, logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
        """Mean over records and classes."""
        if self.label_smoothing:
            targets_BK = targets_BK * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        return functional.binary_cross_entropy_with_logits(logits_BK, targets_BK, pos_weight=self.positive_weights)


PLAIN = Objective()


def balanced_weights(targets: np.ndarray, largest: float) -> np.ndarray:
    """(class,) float32 negatives for each positive, at most `largest`; 1 for a class without positives.

    targets : (record, class) 0 and 1. A frequent class gets a weight below 1.
    """
    positives = targets.sum(axis=0, dtype=np.float64)
    ratio = (len(targets) - positives) / np.maximum(positives, 1)
    return np.where(positives > 0, np.minimum(ratio, largest), 1.0).astype(np.float32)


@torch.no_grad()
def shorten(network: nn.Module, norm: float, largest: float) -> None:
    """Scale gradients of length `norm` down to `largest`, as torch's clip_grad_norm_ does; shorter ones stay."""
    factor = largest / (norm + 1e-6)
    if factor < 1:
        for value in network.parameters():
            if value.grad is not None:
                value.grad.mul_(factor)
