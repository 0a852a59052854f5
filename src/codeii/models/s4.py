"""Diagonal state-space network (S4D): linear filters with a long, learnt memory.

Each channel of a layer is filtered by a linear state space: dx/dt = A x + u, y = 2 Re(C x) + D u, with a diagonal
complex A (one of each conjugate pair), sampled by zero-order hold with a learnt step. As a convolution over the whole
recording it is one product of FFTs.

Where each choice comes from:

- the layer: S4D of Gu et al. 2022 (arXiv:2206.11893), a diagonal form of S4 (Gu et al., arXiv:2111.00396): Re A = -exp,
  conjugate pairs, B = 1 (folded into C), C normal; initial A is S4D-Lin or S4D-Inv of that paper; initial steps are
  log-uniform in [0.001, 0.1], as in S4
- both directions: a second kernel that runs back in time, as in Goel et al. 2022 (arXiv:2202.09729)
- the network: 4 layers of 8 states, GELU, a gated linear unit, dropout 0.2, layer norm behind the sum with the
  shortcut, mean over time: defaults of the public code of Mehari and Strodthoff (arXiv:2211.07579), who brought S4 to
  the ECG. Theirs has 512 channels, S4 itself and by default one direction
- ours: S4D in the place of S4, 256 channels, both directions by default, dropout of single values

What the supervised S4 of the benchmark of ECG foundation models (arXiv:2509.25095) measures in these terms is unknown.

Dimensions: B batch, L lead, T sample, C channel, N pair of states, K class, D direction; Q and R split T, F frequency.
"""

from math import log, pi
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

STEPS = (1e-3, 1e-1)  # between which the initial steps lie
SPLIT = 64  # samples; any value gives the same kernel, one near the root of T the fewest exponentials


class Settings(BaseModel):
    """What params.yaml may say under `models.s4`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    channels: int = Field(256, gt=0, le=4096, description="width of every layer")
    layers: int = Field(4, gt=0, le=64, description="state-space layers")
    states: int = Field(8, gt=1, le=1024, multiple_of=2, description="of each channel, in conjugate pairs")
    initial: Literal["lin", "inv"] = Field("lin", description="eigenvalues to begin with: S4D-Lin or S4D-Inv")
    bidirectional: bool = Field(True, description="whether a layer also looks ahead in time")
    dropout_rate: float = Field(0.2, ge=0, lt=1, description="probability of dropping, not of keeping")


def build(leads: int, classes: int, settings: Settings) -> "S4":
    """A network with the initial weights of the papers above, from the global random state."""
    return S4(leads, classes, settings)


def initial_frequencies(states: int, initial: str) -> Tensor:
    """(N,) imaginary parts of S4D-Lin, pi n, or S4D-Inv, (states / pi) (states / (2n + 1) - 1), for n < states / 2."""
    n = torch.arange(states // 2)
    return pi * n if initial == "lin" else states / pi * (states / (2 * n + 1) - 1)


def convolve(x_BTC: Tensor, kernel_DCT: Tensor) -> Tensor:
    """Filter along time; (B, T, C).

    y[t] = sum over s <= t of kernel[0, t - s] x[s]; with a second direction, plus the sum over s > t of
    kernel[1, s - t - 1] x[s]. FFTs of 2 T points, so that neither end sees the other.
    """
    samples = x_BTC.shape[1]
    whole_CT = functional.pad(kernel_DCT[0], (0, samples))
    if len(kernel_DCT) == 2:
        whole_CT = whole_CT + functional.pad(kernel_DCT[1].flip(-1), (samples, 0))
    kernel_FC = torch.fft.rfft(whole_CT).T
    x_BFC = torch.fft.rfft(x_BTC, n=2 * samples, dim=1)
    y_BTC: Tensor = torch.fft.irfft(x_BFC * kernel_FC, n=2 * samples, dim=1)[:, :samples]
    return y_BTC


class StateSpace(nn.Module):
    """One diagonal state space for each channel; parameters are real, complex ones in two parts."""

    def __init__(self, settings: Settings) -> None:
        """Random steps, C and D; A by formula."""
        super().__init__()
        channels, pairs = settings.channels, settings.states // 2
        directions = 2 if settings.bidirectional else 1
        low, high = (log(step) for step in STEPS)
        self.log_step = nn.Parameter(low + (high - low) * torch.rand(channels))
        self.log_decay = nn.Parameter(torch.full((channels, pairs), log(0.5)))
        self.frequency = nn.Parameter(initial_frequencies(settings.states, settings.initial).repeat(channels, 1))
        self.read_real = nn.Parameter(torch.randn(directions, channels, pairs) * 0.5**0.5)
        self.read_imag = nn.Parameter(torch.randn(directions, channels, pairs) * 0.5**0.5)
        self.direct = nn.Parameter(torch.randn(channels))

    def kernel(self, samples: int) -> Tensor:
        """(D, C, T): the answer to an impulse, 2 Re(C (exp(step A) - 1) / A exp(step A t)), without D.

        exp(step A t) is a product of a power at a multiple of `SPLIT` and one below it: a matrix product of few
        exponentials instead of one for each sample.
        """
        rate_CN = torch.complex(-self.log_decay.exp(), self.frequency)
        turn_CN = self.log_step.exp()[:, None] * rate_CN  # of one sample
        read_DCN = torch.complex(self.read_real, self.read_imag) * torch.expm1(turn_CN) / rate_CN
        fine = torch.arange(SPLIT, device=turn_CN.device)
        coarse = SPLIT * torch.arange(-(-samples // SPLIT), device=turn_CN.device)
        left_DCNQ = read_DCN[..., None] * torch.exp(turn_CN[..., None] * coarse)
        kernel_DCQR = left_DCNQ.mT @ torch.exp(turn_CN[..., None] * fine)
        return 2 * kernel_DCQR.real.flatten(2)[..., :samples]

    def forward(self, x_BTC: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return convolve(x_BTC, self.kernel(x_BTC.shape[1])) + self.direct * x_BTC


class Layer(nn.Module):
    """State space, GELU, gated linear unit and a layer norm on the sum with the input."""

    def __init__(self, settings: Settings) -> None:
        """Random weights."""
        super().__init__()
        self.space = StateSpace(settings)
        self.mix = nn.Linear(settings.channels, 2 * settings.channels)
        self.norm = nn.LayerNorm(settings.channels)
        self.dropout = nn.Dropout(settings.dropout_rate)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        inner_BTC = self.dropout(functional.gelu(self.space(x_BTC)))
        inner_BTC = self.dropout(functional.glu(self.mix(inner_BTC)))
        normed_BTC: Tensor = self.norm(x_BTC + inner_BTC)
        return normed_BTC


class S4(nn.Module):
    """Linear encoder, state-space layers, mean over time and a linear head; input in the unit of the tensor store."""

    def __init__(self, leads: int, classes: int, settings: Settings) -> None:
        """Random weights for `leads` input leads and `classes` logits."""
        super().__init__()
        self.encoder = nn.Linear(leads, settings.channels)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.layers))
        self.head = nn.Linear(settings.channels, classes)

    def stages(self) -> list[list[str]]:
        """Prefixes of the names of the parameters below the head: encoder, then layers."""
        return [["encoder."], *([f"layers.{number}."] for number in range(len(self.layers)))]

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, C): what fine-tuning keeps when the label set changes; any T."""
        x_BTC = self.encoder(x_BLT.mT)
        for layer in self.layers:
            x_BTC = layer(x_BTC)
        features_BC: Tensor = x_BTC.mean(1)
        return features_BC

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK
