"""Net1D of ECGFounder: grouped convolutions with squeeze-and-excitation (arXiv:2410.04133; NEJM AI 2(7), 2025).

The defaults are the network whose weights are published, pretrained on 10.7 million ECGs with 150 classes. Its batch
norms are in the published file but are never asked, so they are not built here; `batch_norm: true` asks them.

Dimensions: B batch, L lead, T sample, C channel, K class.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from codeii.networks.published import encoder_tensors

# 500 Hz, 10 s: github.com/PKUDigitalHealth/ECGFounder @ 04edac7. 1250 samples: what the benchmark of arXiv:2509.25095
# gives the same weights; the mean over time makes the network take either.
PUBLISHED = {"leads": "twelve", "rate_hz": 500, "samples": [5000, 1250]}

# Tensors of the published file that are no part of the encoder: its 150-class layer and, beyond these, idle norms.
BESIDE = ("dense.",)
NORM = re.compile(r"(first_bn|stage_list\.\d+\.block_list\.\d+\.bn[123])\.")

STRIDE = 2  # of the stem and of the first block of each stage
SQUEEZE = 2  # what the channels are divided by inside squeeze-and-excitation


class Settings(BaseModel):
    """What params.yaml may say under `models.ecgfounder`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stem_filters: int = Field(64, gt=0, le=4096, description="channels of the first convolution")
    filters: tuple[Annotated[int, Field(gt=1, le=4096)], ...] = Field(
        (64, 160, 160, 400, 400, 1024, 1024), min_length=1, description="channels of each stage, which halves the time"
    )
    blocks: tuple[Annotated[int, Field(gt=0, le=64)], ...] = Field(
        (2, 2, 2, 3, 3, 4, 4), min_length=1, description="residual blocks of each stage"
    )
    kernel_size: int = Field(16, gt=0, le=255, description="samples seen by each grouped convolution")
    group_width: int = Field(16, gt=0, le=4096, description="channels of one group of a grouped convolution")
    batch_norm: bool = Field(False, description="normalise before each activation; the published network does not")
    dropout_rate: float = Field(0.0, ge=0, lt=1, description="after each activation of a block; published: 0")

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        if len(self.filters) != len(self.blocks):
            raise ValueError(f"{len(self.filters)} filters but {len(self.blocks)} blocks; give one of each per stage")
        odd = [channels for channels in self.filters if channels % self.group_width]
        if odd:
            raise ValueError(f"filters {odd} are no multiples of group_width {self.group_width}")
        return self


def build(leads: int, classes: int, settings: Settings) -> "Net1d":
    """A network with PyTorch's default initial weights, from the global random state."""
    return Net1d(leads, classes, settings)


def load_published(state: Mapping[str, np.ndarray], network: nn.Module) -> dict[str, np.ndarray]:
    """The encoder's state from the tensors of the published checkpoint (its `state_dict`).

    Raises ValueError on keys that are missing, unknown or of another shape; see `encoder_tensors`.
    """
    ours = network.state_dict().keys()

    def name_here(key: str) -> str | None:
        name = key.replace(".conv.", ".")
        idle = NORM.match(key) is not None and name not in ours
        return None if key.startswith(BESIDE) or idle else name

    return encoder_tensors(state, network, name_here)


def convolve(conv: nn.Conv1d, x_BCT: Tensor) -> Tensor:
    """Convolve with zeros on both sides so that T becomes ceil(T / stride); the odd zero goes to the right."""
    kernel, stride, samples = conv.kernel_size[0], conv.stride[0], x_BCT.shape[-1]
    zeros = max(0, (-(-samples // stride) - 1) * stride + kernel - samples)
    conved: Tensor = conv(functional.pad(x_BCT, (zeros // 2, zeros - zeros // 2)))
    return conved


def halve(x_BCT: Tensor) -> Tensor:
    """Largest of each two samples; a last odd one is compared with zero, as in the published code.

    Not `max_pool1d`, whose gradient on a GPU depends on the order of its threads.
    """
    even_BCT = functional.pad(x_BCT, (0, x_BCT.shape[-1] % STRIDE))
    return even_BCT.reshape(*x_BCT.shape[:2], -1, STRIDE).amax(-1)


class Block(nn.Module):
    """Pointwise, grouped and pointwise convolution, squeeze-and-excitation, and a shortcut without weights beside."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int, first: bool, settings: Settings) -> None:
        """Random weights; `first` is the block after the stem, whose activation has been applied already."""
        super().__init__()
        groups = channels_out // settings.group_width
        self.stride, self.first = stride, first
        self.growth = channels_out - channels_in
        self.bn1 = norm(channels_in, settings.batch_norm and not first)
        self.conv1 = nn.Conv1d(channels_in, channels_out, 1)
        self.bn2 = norm(channels_out, settings.batch_norm)
        self.conv2 = nn.Conv1d(channels_out, channels_out, settings.kernel_size, stride=stride, groups=groups)
        self.bn3 = norm(channels_out, settings.batch_norm)
        self.conv3 = nn.Conv1d(channels_out, channels_out, 1)
        self.se_fc1 = nn.Linear(channels_out, channels_out // SQUEEZE)
        self.se_fc2 = nn.Linear(channels_out // SQUEEZE, channels_out)
        self.dropout = nn.Dropout(settings.dropout_rate)

    def shortcut(self, x_BCT: Tensor) -> Tensor:
        """Bring the input to the output's length, and to its channels with silent ones on both sides."""
        if self.stride > 1:
            x_BCT = halve(x_BCT)
        return functional.pad(x_BCT, (0, 0, self.growth // 2, self.growth - self.growth // 2))

    def forward(self, x_BCT: Tensor) -> Tensor:
        """(B, C, T) of the block before -> (B, C', T or its half rounded up)."""
        inner = x_BCT if self.first else self.dropout(functional.silu(self.bn1(x_BCT)))
        inner = convolve(self.conv1, inner)
        inner = convolve(self.conv2, self.dropout(functional.silu(self.bn2(inner))))
        inner = convolve(self.conv3, self.dropout(functional.silu(self.bn3(inner))))
        weights_BC = torch.sigmoid(self.se_fc2(functional.silu(self.se_fc1(inner.mean(-1)))))
        return inner * weights_BC[:, :, None] + self.shortcut(x_BCT)


def norm(channels: int, wanted: bool) -> nn.Module:
    """A batch norm, or nothing in its place."""
    return nn.BatchNorm1d(channels) if wanted else nn.Identity()


class Stage(nn.Module):
    """Blocks of one width; the first of them halves the time."""

    def __init__(self, channels_in: int, channels_out: int, blocks: int, *, first: bool, settings: Settings) -> None:
        """Random weights; `first` is the stage after the stem."""
        super().__init__()
        self.block_list = nn.Sequential()
        for number in range(blocks):
            channels = channels_out if number else channels_in
            stride = 1 if number else STRIDE
            self.block_list.append(
                Block(channels, channels_out, stride=stride, first=first and not number, settings=settings)
            )

    def forward(self, x_BCT: Tensor) -> Tensor:
        """(B, C, T) -> (B, C', half of T rounded up)."""
        stage: Tensor = self.block_list(x_BCT)
        return stage


class Net1d(nn.Module):
    """Stem, stages, mean over time and a linear head; input in the unit of the tensor store.

    The published weights want it filtered and z-scored over the whole record, which is for the preprocessing to do.
    """

    def __init__(self, leads: int, classes: int, settings: Settings) -> None:
        """Random weights for `leads` input leads and `classes` logits."""
        super().__init__()
        self.first_conv = nn.Conv1d(leads, settings.stem_filters, settings.kernel_size, stride=STRIDE)
        self.first_bn = norm(settings.stem_filters, settings.batch_norm)
        ends = zip((settings.stem_filters, *settings.filters), settings.filters, settings.blocks, strict=False)
        self.stage_list = nn.Sequential(
            *(
                Stage(before, after, blocks, first=not number, settings=settings)
                for number, (before, after, blocks) in enumerate(ends)
            )
        )
        self.head = nn.Linear(settings.filters[-1], classes)

    def stages(self) -> list[list[str]]:
        """Prefixes of the parameters' names from the stem to the last stage: what layer-wise fine-tuning goes by."""
        stem = [f"{name}." for name in ("first_conv", "first_bn") if list(getattr(self, name).parameters())]
        return [stem, *([f"stage_list.{number}."] for number in range(len(self.stage_list)))]

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, C): the mean over time of the last stage."""
        x_BCT = functional.silu(self.first_bn(convolve(self.first_conv, x_BLT)))
        features_BC: Tensor = self.stage_list(x_BCT).mean(-1)
        return features_BC

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK
