"""Structured state spaces, diagonal form S4D (Gu et al., arXiv:2206.11893; S4 itself: Gu et al., ICLR 2022).

Every channel passes through linear state spaces x' = A x + u, y = 2 Re(C x) + D u, with A diagonal and complex. S4's A
is diagonal plus low rank; S4D leaves the low rank out. Each eigenvalue stands for itself and its conjugate. The input
matrix is one: a trained one only multiplies C. All parameters are trained alike; S4's authors train A and the step more
slowly and without weight decay.

The sizes of the supervised S4 of arXiv:2509.25095 are not known here. The defaults are those of the same group's
github.com/AI4HealthUOL/ECG-MIMIC (`main_ecg.py` @ 45dc5e2, on 250 samples): width, states, number of layers, both ways,
gate, dropout, layer norm after the shortcut. That the form is diagonal, and the initial values, are ours.

Dimensions: B batch, L lead, T sample, C channel, N eigenvalue, D direction in time, P and Q: T = P x Q; K class.
"""

import math
from typing import Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

# For tests at 8 x 4096 samples, where one step of the defaults takes ten seconds.
SMALL = {"width": 64, "layers": 2}

DECAY = 0.5  # minus the real part of every eigenvalue before training


class Settings(BaseModel):
    """What params.yaml may say under `models.s4`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    width: int = Field(512, gt=0, le=8192, description="channels")
    layers: int = Field(4, gt=0, le=64, description="state-space layers")
    state_size: int = Field(8, gt=0, le=1024, multiple_of=2, description="states of each channel, conjugates included")
    bidirectional: bool = Field(True, description="also back in time; otherwise no layer sees later samples")
    initialisation: Literal["lin", "inv"] = Field("lin", description="frequencies before training: S4D-Lin or S4D-Inv")
    smallest_step: float = Field(
        0.001, gt=0, le=1, description="of a sample, before training: a channel remembers 2 / step samples"
    )
    largest_step: float = Field(0.1, gt=0, le=1, description="channels start between both, evenly in the logarithm")
    dropout_rate: float = Field(0.2, ge=0, lt=1, description="of whole channels, twice in each layer")

    @model_validator(mode="after")
    def _steps_in_order(self) -> Self:
        if self.smallest_step > self.largest_step:
            raise ValueError(f"smallest_step {self.smallest_step} is above largest_step {self.largest_step}")
        return self


def build(leads: int, classes: int, settings: Settings) -> "S4":
    """A network with random weights from the global random state."""
    return S4(leads, classes, settings)


def frequencies(initialisation: Literal["lin", "inv"], state_size: int) -> Tensor:
    """(N,) imaginary parts of the eigenvalues before training, of which N = state_size / 2 are kept.

    S4D-Lin is pi n, S4D-Inv is (S / pi) (S / (2n + 1) - 1) with S the state size (arXiv:2206.11893, section 4).
    """
    n = torch.arange(state_size // 2, dtype=torch.float32)
    if initialisation == "lin":
        return math.pi * n
    return state_size / math.pi * (state_size / (2 * n + 1) - 1)


class StateSpace(nn.Module):
    """One state space for each channel, forward in time or both ways, applied as a convolution."""

    def __init__(self, settings: Settings) -> None:
        """A from the initialisation, C standard normal, steps log-uniform, D standard normal."""
        super().__init__()
        channels, pairs = settings.width, settings.state_size // 2
        directions = 2 if settings.bidirectional else 1
        low, high = math.log(settings.smallest_step), math.log(settings.largest_step)
        self.log_step = nn.Parameter(low + (high - low) * torch.rand(channels))
        self.log_decay = nn.Parameter(torch.full((channels, pairs), math.log(DECAY)))
        self.frequency = nn.Parameter(frequencies(settings.initialisation, settings.state_size).repeat(channels, 1))
        # real and imaginary part beside each other: files of weights hold real numbers only
        self.output = nn.Parameter(torch.randn(directions, channels, pairs, 2) * math.sqrt(0.5))
        self.through = nn.Parameter(torch.randn(channels))

    def kernels(self, samples: int) -> Tensor:
        """(D, C, T) what each channel answers to an impulse, 0 to T - 1 samples after it, without D.

        Zero-order hold: the input is constant between samples, so A becomes exp(A step), and the input matrix
        (exp(A step) - 1) / A. A real part below zero, whatever is trained, keeps every state bounded.
        """
        a_CN = torch.complex(-self.log_decay.exp(), self.frequency)
        a_step_CN = a_CN * self.log_step.exp()[:, None]
        output_DCN = torch.view_as_complex(self.output) * (torch.expm1(a_step_CN) / a_CN)
        # Sample t = p Q + q: exp(A t) is a product of two exponentials, so T of them take the time of 2 sqrt(T).
        long = math.isqrt(samples - 1) + 1
        numbers = torch.arange(long, dtype=self.log_step.dtype, device=self.log_step.device)
        fine_CNQ = torch.exp(a_step_CN[:, :, None] * numbers)
        coarse_CNP = torch.exp(a_step_CN[:, :, None] * (numbers * long))
        answers_DCPQ = torch.einsum("dcnp,cnq->dcpq", output_DCN[..., None] * coarse_CNP, fine_CNQ)
        return 2 * answers_DCPQ.real.flatten(2)[..., :samples]

    def forward(self, u_BCT: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T). Back in time, a sample is answered to from the one before it on."""
        u_BCT, samples = u_BCT.to(self.through.dtype), u_BCT.shape[-1]  # GPUs have no Fourier transform in bfloat16
        kernels_DCT = self.kernels(samples)
        # Twice the length, so that the end of a record does not come round into its beginning.
        both_CT = functional.pad(kernels_DCT[0], (0, samples))
        if len(kernels_DCT) > 1:
            both_CT = both_CT + functional.pad(kernels_DCT[1].flip(-1), (samples, 0))
        spectrum = torch.fft.rfft(u_BCT, 2 * samples) * torch.fft.rfft(both_CT)
        y_BCT: Tensor = torch.fft.irfft(spectrum, 2 * samples)[..., :samples] + self.through[:, None] * u_BCT
        return y_BCT


class Layer(nn.Module):
    """State space, GELU and a gated mix of the channels beside a shortcut; then a layer norm of each sample."""

    def __init__(self, settings: Settings) -> None:
        """Random weights."""
        super().__init__()
        self.state_space = StateSpace(settings)
        self.mix = nn.Conv1d(settings.width, 2 * settings.width, 1)
        self.norm = nn.LayerNorm(settings.width)
        self.dropout = nn.Dropout1d(settings.dropout_rate)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        inner_BCT = self.dropout(functional.gelu(self.state_space(x_BCT)))
        inner_BCT = self.dropout(functional.glu(self.mix(inner_BCT), dim=1))
        normed_BCT: Tensor = self.norm((x_BCT + inner_BCT).transpose(1, 2)).transpose(1, 2)
        return normed_BCT


class S4(nn.Module):
    """Leads to channels, state-space layers, mean over time and a linear head; any length, in the store's unit."""

    def __init__(self, leads: int, classes: int, settings: Settings) -> None:
        """Random weights for `leads` input leads and `classes` logits."""
        super().__init__()
        self.encoder = nn.Conv1d(leads, settings.width, 1)
        self.layers = nn.Sequential(*(Layer(settings) for _ in range(settings.layers)))
        self.head = nn.Linear(settings.width, classes)

    def stages(self) -> list[list[str]]:
        """Prefixes of the parameters' names from the leads to the last layer: what layer-wise fine-tuning goes by."""
        return [["encoder."], *([f"layers.{number}."] for number in range(len(self.layers)))]

    def sequence(self, x_BLT: Tensor) -> Tensor:
        """(B, C, T) of the last layer, before the mean over time."""
        sequence_BCT: Tensor = self.layers(self.encoder(x_BLT))
        return sequence_BCT

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, C): the mean over time of the last layer."""
        return self.sequence(x_BLT).mean(-1)

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK
