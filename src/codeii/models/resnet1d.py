"""One-dimensional ResNet of the CODE group, for 12-lead electrocardiograms.

The defaults are the network of Lima et al. (Nat. Commun. 12:5117, 2021; five blocks, kernel 17, no ReLU in the stem).
Ribeiro et al. (Nat. Commun. 11:1760, 2020) is `filters: [64, 128, 196, 256, 320]`, `strides: [1, 4, 4, 4, 4]`,
`kernel_size: 16`, `stem_activation: relu`. The group's network of medRxiv 2025.09.11.25335407 takes the same
sizes and a choice of `activation`.

Dimensions: B batch, L lead, T sample, C channel, K class, P part of time; 1 is an axis of length one.
"""

from math import prod
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from codeii.networks.convolution import convolve as along_time
from codeii.networks.dropout import ReluDropout
from codeii.networks.pooling import maxima


class Settings(BaseModel):
    """What params.yaml may say under `models.resnet1d`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    filters: tuple[Annotated[int, Field(gt=0, le=4096)], ...] = Field(
        (64, 64, 128, 196, 256, 320), min_length=1, description="channels of the stem, then of each residual block"
    )
    strides: tuple[Annotated[int, Field(gt=0, le=64)], ...] = Field(
        (1, 1, 4, 4, 4, 4), min_length=1, description="what the stem, then each block divides the number of samples by"
    )
    kernel_size: int = Field(17, gt=0, le=255, description="samples seen by each convolution")
    dropout_rate: float = Field(0.2, ge=0, lt=1, description="probability of dropping, not of keeping")
    stem_activation: Literal["none", "relu"] = Field("none", description="after the batch norm of the stem")
    activation: Literal["relu", "elu", "gelu"] = Field("relu", description="of the residual blocks")
    head_samples: int = Field(
        16,
        gt=0,
        description="time points the head sees: the last map is averaged down to them; 1 is its mean",
    )

    @model_validator(mode="after")
    def _one_stride_per_filter(self) -> Self:
        if len(self.filters) != len(self.strides):
            raise ValueError(f"{len(self.filters)} filters but {len(self.strides)} strides; give one stride for each")
        return self


def build(leads: int, classes: int, settings: Settings) -> "ResNet1d":
    """A network with PyTorch's default initial weights, from the global random state."""
    return ResNet1d(leads, classes, settings)


def convolve(conv: nn.Conv1d, x_BC1T: Tensor) -> Tensor:
    """Convolve so that T becomes T / stride exactly, for T a multiple of the stride.

    Odd kernels are padded as in the group's PyTorch code, even ones as Keras' "same". The weight is (out, in, kernel);
    a two-dimensional convolution over an axis of length one is the faster way to use it.
    """
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    left = max(0, (kernel - stride + kernel % 2) // 2)
    if kernel % 2 == 0:
        x_BC1T = functional.pad(x_BC1T, (0, 1))
    return along_time(x_BC1T, conv.weight, conv.bias, stride, left)


def activation_of(settings: Settings) -> nn.Module:
    """What follows a batch norm inside a block: the activation, and dropout while training."""
    if settings.activation == "relu":
        return ReluDropout(settings.dropout_rate)
    return nn.Sequential({"elu": nn.ELU(), "gelu": nn.GELU()}[settings.activation], nn.Dropout(settings.dropout_rate))


class Block(nn.Module):
    """Two convolutions beside a shortcut. The sum goes on twice: normalised, and as it is for the next shortcut."""

    FOLDS = (("conv1", "bn1"),)  # not bn2: the sum before it is wanted too

    def __init__(self, channels_in: int, channels_out: int, stride: int, settings: Settings) -> None:
        """Random weights; `stride` is what the block divides the number of samples by."""
        super().__init__()
        kernel = settings.kernel_size
        self.stride = stride
        self.conv1 = nn.Conv1d(channels_in, channels_out, kernel, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv1d(channels_out, channels_out, kernel, stride=stride, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.skip = nn.Conv1d(channels_in, channels_out, 1, bias=False) if channels_in != channels_out else None
        self.activate = activation_of(settings)

    def shortcut(self, y_BC1T: Tensor) -> Tensor:
        """Bring the running sum to the block's length and channels."""
        if self.stride > 1:
            y_BC1T = maxima(y_BC1T, self.stride)
        return y_BC1T if self.skip is None else convolve(self.skip, y_BC1T)

    def forward(self, x_BC1T: Tensor, y_BC1T: Tensor) -> tuple[Tensor, Tensor]:
        """(normalised, running sum) of the block before -> the same of this one."""
        inner = self.activate(self.bn1(convolve(self.conv1, x_BC1T)))
        total = convolve(self.conv2, inner) + self.shortcut(y_BC1T)
        return self.activate(self.bn2(total)), total


class ResNet1d(nn.Module):
    """Stem, residual blocks and a linear head; input in the unit of the tensor store."""

    FOLDS = (("conv1", "bn1"),)

    def __init__(self, leads: int, classes: int, settings: Settings) -> None:
        """Random weights for `leads` input leads and `classes` logits."""
        super().__init__()
        filters, strides = settings.filters, settings.strides
        self.settings = settings
        self.conv1 = nn.Conv1d(leads, filters[0], settings.kernel_size, stride=strides[0], bias=False)
        self.bn1 = nn.BatchNorm2d(filters[0])
        ends = zip(filters[:-1], filters[1:], strides[1:], strict=True)
        self.blocks = nn.ModuleList(Block(before, after, stride, settings) for before, after, stride in ends)
        self.head = nn.Linear(filters[-1] * settings.head_samples, classes)

    def stages(self) -> list[list[str]]:
        """Prefixes of the names of the parameters below the head, stem first."""
        return [["conv1.", "bn1."], *([f"blocks.{number}."] for number in range(len(self.blocks)))]

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, C): what fine-tuning keeps when the label set changes.

        Raises ValueError where T does not divide into the strides and `head_samples`.
        """
        settings, samples = self.settings, x_BLT.shape[-1]
        if samples % (prod(settings.strides) * settings.head_samples):
            raise ValueError(
                f"resnet1d: {samples} samples are no multiple of strides {settings.strides} x "
                f"head_samples {settings.head_samples} = {prod(settings.strides) * settings.head_samples}"
            )
        x_BC1T = x_BLT[:, :, None]
        # a third faster on a CPU than the default layout; on a GPU the one its bfloat16 units take
        where = x_BLT.device.type
        if where == "cpu" or (where == "cuda" and torch.is_autocast_enabled(where)):
            x_BC1T = x_BC1T.contiguous(memory_format=torch.channels_last)
        x_BC1T = self.bn1(convolve(self.conv1, x_BC1T))
        if settings.stem_activation == "relu":
            x_BC1T = functional.relu(x_BC1T)
        y_BC1T = x_BC1T
        for block in self.blocks:
            x_BC1T, y_BC1T = block(x_BC1T, y_BC1T)
        parts_BCTP = x_BC1T.reshape(*x_BC1T.shape[:2], settings.head_samples, -1)
        return parts_BCTP.mean(-1).flatten(1)

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK
