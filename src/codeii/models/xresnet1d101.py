"""One-dimensional xresnet, first on the 71 statements of the PTB-XL benchmark (with inception1d).

Strodthoff et al., IEEE JBHI 25(5):1519 (2021), where it sees 2.5 s at 100 Hz: kernel 5, bottleneck blocks of 64 and
256 channels throughout, maximum and mean over time side by side, a hidden layer of 128 units. An xresnet is the
ResNet-D of He et al. (arXiv:1812.01187): a stem of three convolutions, the stride in a block's middle convolution,
average pooling in its shortcut, and a last batch norm of weight zero, so that every block begins as its shortcut.
Convolutions and linear layers begin as in He et al. (arXiv:1502.01852), biases with zero.

Dimensions: B batch, L lead, T sample, C channel, K class.
"""

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # of each group; the first keeps the length, the others halve it
STEM, NARROW, WIDE, HIDDEN, KERNEL = (32, 32, 64), 64, 256, 128, 5


class Settings(BaseModel):
    """What params.yaml may say under `models.xresnet1d101`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    depth: Literal[50, 101] = Field(101, description="layers; 50 is the benchmark's xresnet1d50")
    dropout_rate: float = Field(
        0.5, ge=0, lt=1, description="probability of dropping before the head, and half of it before the hidden layer"
    )


def build(leads: int, classes: int, settings: Settings) -> "XResNet1d":
    """A network with the initial weights of the benchmark's, from the global random state."""
    return XResNet1d(leads, classes, settings)


def convolution(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm; odd kernels, padded so that T becomes ceil(T / stride)."""
    conv = nn.Conv1d(channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm1d(channels_out))


class Block(nn.Module):
    """Bottleneck of three convolutions beside a shortcut."""

    def __init__(self, channels_in: int, stride: int) -> None:
        """Random weights; `stride` is what the block divides the number of samples by, 1 or 2."""
        super().__init__()
        self.stride = stride
        self.reduce = convolution(channels_in, NARROW, 1)
        self.middle = convolution(NARROW, NARROW, KERNEL, stride)
        self.expand = convolution(NARROW, WIDE, 1)
        self.skip = convolution(channels_in, WIDE, 1) if channels_in != WIDE else None

    def shortcut(self, x_BCT: Tensor) -> Tensor:
        """Bring the block's input to the length and channels of its output."""
        if self.stride > 1:  # an odd last sample is kept as it is
            x_BCT = functional.avg_pool1d(x_BCT, self.stride, ceil_mode=True)
        return x_BCT if self.skip is None else self.skip(x_BCT)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """(B, C, T) -> (B, 256, ceil(T / stride))."""
        inner = functional.relu(self.middle(functional.relu(self.reduce(x_BCT))))
        return functional.relu(self.expand(inner) + self.shortcut(x_BCT))


def group(channels_in: int, blocks: int, stride: int) -> nn.Sequential:
    """Blocks of which the first divides the number of samples by `stride`."""
    return nn.Sequential(Block(channels_in, stride), *(Block(WIDE, 1) for _ in range(blocks - 1)))


class XResNet1d(nn.Module):
    """Stem, four groups of blocks, pooling, a hidden layer and a linear head; input in the unit of the tensor store."""

    def __init__(self, leads: int, classes: int, settings: Settings) -> None:
        """Random weights for `leads` input leads and `classes` logits."""
        super().__init__()
        ends = zip((leads, *STEM[:-1]), STEM, (2, 1, 1), strict=True)
        self.stem = nn.ModuleList(convolution(before, after, KERNEL, stride) for before, after, stride in ends)
        first, *others = BLOCKS[settings.depth]
        self.groups = nn.ModuleList([group(STEM[-1], first, 1), *(group(WIDE, blocks, 2) for blocks in others)])
        self.hidden = nn.Sequential(
            nn.BatchNorm1d(2 * WIDE),
            nn.Dropout(settings.dropout_rate / 2),
            nn.Linear(2 * WIDE, HIDDEN),
            nn.ReLU(),
            nn.BatchNorm1d(HIDDEN),
            nn.Dropout(settings.dropout_rate),
        )
        self.head = nn.Linear(HIDDEN, classes)
        self.apply(_begin)

    def stages(self) -> list[list[str]]:
        """Prefixes of the names of the parameters below the head: stem, four groups, hidden layer."""
        return [["stem."], *([f"groups.{number}."] for number in range(len(self.groups))), ["hidden."]]

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, 128): what fine-tuning keeps when the label set changes; any T."""
        x_BCT = x_BLT
        for layer in self.stem:
            x_BCT = functional.relu(layer(x_BCT))
        x_BCT = functional.max_pool1d(x_BCT, 3, stride=2, padding=1)
        for group in self.groups:
            x_BCT = group(x_BCT)
        features_BC: Tensor = self.hidden(torch.cat([x_BCT.amax(-1), x_BCT.mean(-1)], dim=1))
        return features_BC

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK


def _begin(module: nn.Module) -> None:
    """Initial weights of a module; those of its parts are set before."""
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, Block):
        nn.init.zeros_(module.expand.get_parameter("1.weight"))
