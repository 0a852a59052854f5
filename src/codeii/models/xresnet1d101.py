"""xresnet1d101, the best network of the PTB-XL benchmark (Strodthoff et al., IEEE JBHI 25:1519, 2021).

Bottleneck blocks after a stem of three convolutions; the head sees the largest value and the mean of each channel.
Equal to github.com/helme/ecg_ptbxl_benchmarking @ cdbf4e6, initial weights as @ ff776de. The benchmark gives it 2.5 s
at 100 Hz; it takes any length.

Dimensions: B batch, L lead, T sample, C channel, K class.
"""

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

# For tests: at the default every block starts silent, and the first step reaches no weight inside it.
SMALL = {"block_scale": 0.1}

STEM = (32, 32, 64)  # channels of the three convolutions before the blocks
WIDTH, EXPANSION = 64, 4  # channels inside every block, and how many times as many go on to the next
HIDDEN = 128  # channels between the pooling and the last layer
KERNEL = 5  # samples seen by each convolution that sees more than one
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # blocks of each stage, by layers in the image networks' counting


class Settings(BaseModel):
    """What params.yaml may say under `models.xresnet1d101`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    layers: Literal[50, 101] = Field(101, description="50 is the benchmark's xresnet1d50: half the parameters")
    dropout_rate: float = Field(0.5, ge=0, lt=1, description="before the last layer; half of it before the hidden one")
    block_scale: float = Field(
        0.0, ge=0, le=1, description="weight of each block's last batch norm before training; 0: only shortcuts pass"
    )


def build(leads: int, classes: int, settings: Settings) -> "XResNet1d":
    """A network with the benchmark's initial weights (He et al., arXiv:1502.01852), from the global random state."""
    network = XResNet1d(leads, classes, settings)
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, Block):
            nn.init.constant_(module.get_parameter("convs.2.1.weight"), settings.block_scale)
    return network


def convolution(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias that makes T to ceil(T / stride), and a batch norm."""
    conv = nn.Conv1d(channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm1d(channels_out))


def largest_of_three(x_BCT: Tensor) -> Tensor:
    """Largest of each second sample and its two neighbours: T becomes ceil(T / 2).

    Not `max_pool1d`, whose gradient on a GPU depends on the order of its threads.
    """
    padded_BCT, samples = functional.pad(x_BCT, (1, 1), value=-torch.inf), x_BCT.shape[-1]
    before, at, after = (padded_BCT[..., shift : samples + shift : 2] for shift in range(3))
    return torch.maximum(torch.maximum(before, at), after)


class Block(nn.Module):
    """Pointwise, wide and pointwise convolution beside a shortcut that averages pairs where the time is halved."""

    def __init__(self, channels_in: int, stride: int) -> None:
        """Random weights; `stride` is what the block divides the number of samples by, 1 or 2."""
        super().__init__()
        channels_out = WIDTH * EXPANSION
        self.stride = stride
        self.convs = nn.ModuleList(
            [
                convolution(channels_in, WIDTH, 1),
                convolution(WIDTH, WIDTH, KERNEL, stride),
                convolution(WIDTH, channels_out, 1),
            ]
        )
        self.skip = convolution(channels_in, channels_out, 1) if channels_in != channels_out else None

    def forward(self, x_BCT: Tensor) -> Tensor:
        """(B, C, T) -> (B, 256, ceil(T / stride)); a last odd sample of the shortcut is its own mean."""
        first, second, third = self.convs
        inner_BCT = third(functional.relu(second(functional.relu(first(x_BCT)))))
        if self.stride > 1:
            x_BCT = functional.avg_pool1d(x_BCT, self.stride, ceil_mode=True)
        return functional.relu(inner_BCT + (x_BCT if self.skip is None else self.skip(x_BCT)))


class XResNet1d(nn.Module):
    """Stem, four stages of blocks, pooling, a hidden layer and a linear head; input in the unit of the tensor store."""

    def __init__(self, leads: int, classes: int, settings: Settings) -> None:
        """Random weights for `leads` input leads and `classes` logits."""
        super().__init__()
        ends = zip((leads, *STEM), STEM, strict=False)
        self.stem = nn.ModuleList(
            convolution(before, after, KERNEL, 1 if number else 2) for number, (before, after) in enumerate(ends)
        )
        self.blocks = nn.ModuleList()
        channels, wide = STEM[-1], WIDTH * EXPANSION
        for stage, count in enumerate(BLOCKS[settings.layers]):
            first = Block(channels, 2 if stage else 1)
            self.blocks.append(nn.Sequential(first, *(Block(wide, 1) for _ in range(count - 1))))
            channels = wide
        self.hidden = nn.Sequential(
            nn.BatchNorm1d(2 * wide),
            nn.Dropout(settings.dropout_rate / 2),
            nn.Linear(2 * wide, HIDDEN),
            nn.ReLU(),
            nn.BatchNorm1d(HIDDEN),
            nn.Dropout(settings.dropout_rate),
        )
        self.head = nn.Linear(HIDDEN, classes)

    def stages(self) -> list[list[str]]:
        """Prefixes of the parameters' names from the stem to the hidden layer: what layer-wise fine-tuning goes by."""
        return [["stem."], *([f"blocks.{stage}."] for stage in range(len(self.blocks))), ["hidden."]]

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, 128): the hidden layer, on the largest value and the mean over time of each channel."""
        x_BCT = x_BLT
        for conv in self.stem:
            x_BCT = functional.relu(conv(x_BCT))
        x_BCT = largest_of_three(x_BCT)
        for stage in self.blocks:
            x_BCT = stage(x_BCT)
        features_BC: Tensor = self.hidden(torch.cat([x_BCT.amax(-1), x_BCT.mean(-1)], dim=1))
        return features_BC

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK
