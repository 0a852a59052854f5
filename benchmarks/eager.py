"""The CODE ResNet as the field writes it: Conv1d, torch's own dropout, eager. Needs nothing but torch.

Weights carry the names of `codeii.models.resnet1d`, so that both sides of a benchmark start from the same.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FULL_SIZE = {
    "filters": (64, 64, 128, 196, 256, 320),
    "strides": (1, 1, 4, 4, 4, 4),
    "kernel_size": 17,
    "dropout_rate": 0.2,
    "stem_activation": "none",
    "activation": "relu",
    "head_samples": 16,
}
LEADS, SAMPLES, CLASSES = 8, 4096, 66


class EagerBlock(nn.Module):
    def __init__(self, before: int, after: int, stride: int, kernel: int, rate: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(before, after, kernel, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm1d(after)
        self.conv2 = nn.Conv1d(after, after, kernel, stride, padding=(kernel - stride + 1) // 2, bias=False)
        self.bn2 = nn.BatchNorm1d(after)
        self.skip = nn.Conv1d(before, after, 1, bias=False) if before != after else nn.Identity()
        self.pool = nn.MaxPool1d(stride)
        self.dropout = nn.Dropout(rate)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        inner = self.dropout(functional.relu(self.bn1(self.conv1(x))))
        total = self.conv2(inner) + self.skip(self.pool(y))
        return self.dropout(functional.relu(self.bn2(total))), total


class EagerResNet(nn.Module):
    """Odd kernels, head without averaging."""

    def __init__(self, leads: int, classes: int, settings: dict[str, Any]) -> None:
        super().__init__()
        filters, strides, kernel = settings["filters"], settings["strides"], settings["kernel_size"]
        self.conv1 = nn.Conv1d(leads, filters[0], kernel, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm1d(filters[0])
        ends = zip(filters[:-1], filters[1:], strides[1:], strict=True)
        rate = settings["dropout_rate"]
        self.blocks = nn.ModuleList(EagerBlock(*shape, kernel=kernel, rate=rate) for shape in ends)
        self.head = nn.Linear(filters[-1] * settings["head_samples"], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = y = self.bn1(self.conv1(x))
        for block in self.blocks:
            x, y = block(x, y)
        return self.head(torch.flatten(x, 1))


def products(settings: dict[str, Any], leads: int = LEADS, samples: int = SAMPLES, classes: int = CLASSES) -> float:
    """Multiplications, and as many additions, of one record on its way through the network."""
    filters, strides, kernel = settings["filters"], settings["strides"], settings["kernel_size"]
    total = leads * filters[0] * kernel * samples
    for before, after, stride in zip(filters[:-1], filters[1:], strides[1:], strict=True):
        total += before * after * kernel * samples
        samples //= stride
        total += (after * after * kernel + (before * after if before != after else 0)) * samples
    return float(total + filters[-1] * settings["head_samples"] * classes)


def training_products(settings: dict[str, Any]) -> float:
    """The same for a training step: forwards, and the gradients of weights and of inputs, not of the record itself."""
    return 3 * products(settings) - LEADS * settings["filters"][0] * settings["kernel_size"] * SAMPLES
