"""Pre-activation ResNet with squeeze-and-excitation, of the CODE group's line.

The backbone of the network of Sci. Rep. 12:19615 (2022), whose published configuration is the default: twelve blocks,
kernel 17, reduction 8, dropout 0.5. Theirs joins an embedding of age and sex to the features; here a network sees
signals alone. The order of a block is that of He et al. (arXiv:1603.05027), the gate that of Hu et al.
(arXiv:1709.01507).

Dimensions: B batch, L lead, T sample, C channel, K class, P part of time.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from codeii.networks.dropout import ReluDropout
from codeii.networks.pooling import maxima

# By number of blocks: channels of the stem, then of each block; and what each block divides the number of samples by.
FILTERS = {
    4: (64, 128, 196, 256, 320),
    8: (64, 128, 128, 196, 256, 256, 320, 512, 512),
    12: (64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 512, 512, 512),
}
STRIDES = {4: (4,) * 4, 8: (2,) * 8, 12: (2, 1, 2) * 4}
DIVISOR = 256  # the strides multiplied, whichever the number of blocks


class Settings(BaseModel):
    """What params.yaml may say under `models.resnet1d_se`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    blocks: Literal[4, 8, 12] = Field(12, description="residual blocks; channels and strides follow from it")
    se_reduction: Annotated[int, Field(gt=0, le=64)] | None = Field(
        8, description="channels to one unit of the squeeze-and-excitation gate; null: no gate"
    )
    kernel_size: int = Field(17, gt=0, le=255, description="samples seen by each convolution, odd")
    dropout_rate: float = Field(0.5, ge=0, lt=1, description="probability of dropping, not of keeping")
    head_samples: int = Field(
        16,
        gt=0,
        description="time points the head sees: the last map is averaged down to them; 1 is its mean",
    )

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, kernel_size: int) -> int:
        if kernel_size % 2 == 0:
            raise ValueError(f"{kernel_size} is even; give an odd number of samples, which has one in the middle")
        return kernel_size


def build(leads: int, classes: int, settings: Settings) -> "ResNet1dSE":
    """A network with PyTorch's default initial weights, from the global random state."""
    return ResNet1dSE(leads, classes, settings)


class Gate(nn.Module):
    """Squeeze-and-excitation: each channel times a number in (0, 1) that follows from all channels' means over time."""

    def __init__(self, channels: int, reduction: int) -> None:
        """Random weights; `channels // reduction` units between."""
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // reduction, bias=False)
        self.excite = nn.Linear(channels // reduction, channels, bias=False)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        gate_BC = self.excite(functional.relu(self.squeeze(x_BCT.mean(-1)))).sigmoid()
        gated_BCT: Tensor = x_BCT * gate_BC[:, :, None]
        return gated_BCT


class Block(nn.Module):
    """Two convolutions, each behind batch norm and ReLU, and a gate, beside a shortcut.

    The first block of a network has no norm of its own: the stem ends with one.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, first: bool, settings: Settings) -> None:
        """Random weights; `stride` is what the block divides the number of samples by."""
        super().__init__()
        kernel, reduction = settings.kernel_size, settings.se_reduction
        self.stride = stride
        self.bn1 = None if first else nn.BatchNorm1d(channels_in)
        self.conv1 = nn.Conv1d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
        self.bn2 = nn.BatchNorm1d(channels_out)
        padding = max(0, (kernel - stride + 1) // 2)
        self.conv2 = nn.Conv1d(channels_out, channels_out, kernel, stride=stride, padding=padding)
        self.gate = None if reduction is None else Gate(channels_out, reduction)
        self.skip = nn.Conv1d(channels_in, channels_out, 1) if channels_in != channels_out else None
        self.relu_dropout = ReluDropout(settings.dropout_rate)

    def shortcut(self, x_BCT: Tensor) -> Tensor:
        """Bring the block's input to the length and channels of its output."""
        if self.stride > 1:
            x_BCT = maxima(x_BCT, self.stride)
        return x_BCT if self.skip is None else self.skip(x_BCT)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """(B, C, T) -> (B, C', T / stride)."""
        inner = x_BCT if self.bn1 is None else self.relu_dropout(self.bn1(x_BCT))
        inner = self.conv2(self.relu_dropout(self.bn2(self.conv1(inner))))
        gated: Tensor = inner if self.gate is None else self.gate(inner)
        return gated + self.shortcut(x_BCT)


class ResNet1dSE(nn.Module):
    """Stem, residual blocks, a last norm and a linear head; input in the unit of the tensor store."""

    def __init__(self, leads: int, classes: int, settings: Settings) -> None:
        """Random weights for `leads` input leads and `classes` logits."""
        super().__init__()
        filters, strides, kernel = FILTERS[settings.blocks], STRIDES[settings.blocks], settings.kernel_size
        self.settings = settings
        self.conv1 = nn.Conv1d(leads, filters[0], kernel, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm1d(filters[0])
        self.blocks = nn.ModuleList(
            Block(before, after, stride, number == 0, settings)
            for number, (before, after, stride) in enumerate(zip(filters[:-1], filters[1:], strides, strict=True))
        )
        self.bn2 = nn.BatchNorm1d(filters[-1])
        self.relu_dropout = ReluDropout(settings.dropout_rate)
        self.head = nn.Linear(filters[-1] * settings.head_samples, classes)

    def stages(self) -> list[list[str]]:
        """Prefixes of the names of the parameters below the head, stem first; the last norm is the last block's."""
        last = len(self.blocks) - 1
        return [["conv1.", "bn1."], *([f"blocks.{number}."] for number in range(last)), [f"blocks.{last}.", "bn2."]]

    def backbone(self, x_BLT: Tensor) -> Tensor:
        """(B, C, T / 256): the last feature map."""
        x_BCT = functional.relu(self.bn1(self.conv1(x_BLT)))
        for block in self.blocks:
            x_BCT = block(x_BCT)
        last_BCT: Tensor = self.relu_dropout(self.bn2(x_BCT))
        return last_BCT

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, C): what fine-tuning keeps when the label set changes.

        Raises ValueError where T does not divide into the strides and `head_samples`.
        """
        head_samples, samples = self.settings.head_samples, x_BLT.shape[-1]
        if samples % (DIVISOR * head_samples):
            raise ValueError(
                f"resnet1d_se: {samples} samples are no multiple of strides {DIVISOR} x head_samples {head_samples} = "
                f"{DIVISOR * head_samples}"
            )
        x_BCT = self.backbone(x_BLT)
        parts_BCTP = x_BCT.reshape(*x_BCT.shape[:2], head_samples, -1)
        return parts_BCTP.mean(-1).flatten(1)

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK
