"""Random changes of the signals of a batch, on its device: a function of seed and step alone.

Each kind of change has a random stream of its own, so that one more kind changes nothing about the others. What is
drawn per record is drawn by numpy and the same on every device; the noise, one number per sample, is drawn there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codeii.schema.recipe import Augmentation
from codeii.schema.units import MICROVOLTS_PER, microvolts_per

# After those of order and dropout in networks.batches; one stream per kind of change.
AUGMENT_STREAM = 3
CROP, SHIFT, AMPLITUDE, NOISE, LEADS, MIXUP = range(6)


@dataclass(frozen=True, slots=True)
class Changes:
    """An augmentation in samples and in the unit of the tensors; the default changes nothing."""

    crop_samples: int = 0
    probability: float = 1.0
    shift_samples: int = 0
    amplitude_share: float = 0.0
    noise: float = 0.0
    lead_dropout_probability: float = 0.0
    mixup_alpha: float = 0.0


UNCHANGED = Changes()


def changes_of(settings: Augmentation, rate_hz: int, samples: int, unit: str) -> Changes:
    """Settings in seconds and microvolts -> samples and `unit`. Raises ValueError where the tensors cannot give it."""
    if settings.crop_samples > samples:
        raise ValueError(f"augmentation.crop_samples is {settings.crop_samples}, but the tensors have {samples}")
    if settings.noise_uv and unit.lower() not in MICROVOLTS_PER:
        raise ValueError(f"augmentation.noise_uv is {settings.noise_uv}, but the tensors are in {unit!r}, not in volts")
    return Changes(
        crop_samples=0 if settings.crop_samples == samples else settings.crop_samples,
        probability=settings.probability,
        shift_samples=round(settings.shift_seconds * rate_hz),
        amplitude_share=settings.amplitude_share,
        noise=settings.noise_uv / microvolts_per(unit) if settings.noise_uv else 0.0,
        lead_dropout_probability=settings.lead_dropout_probability,
        mixup_alpha=settings.mixup_alpha,
    )


def augmented(changes: Changes, seed: int, step: int, x_BLT: Tensor, targets_BK: Tensor) -> tuple[Tensor, Tensor]:
    """Signals and targets of a step, changed. Shapes stay, but for T where a crop is asked for."""
    if changes.crop_samples or changes.shift_samples:
        x_BLT = _moved(changes, seed, step, x_BLT)
    if changes.amplitude_share:
        draw = _stream(seed, step, AMPLITUDE)
        factors = 1 + changes.amplitude_share * draw.uniform(-1, 1, len(x_BLT)) * _touched(changes, draw, len(x_BLT))
        x_BLT = x_BLT * _to(x_BLT, factors)[:, None, None]
    if changes.noise:
        x_BLT = _noisy(changes, seed, step, x_BLT)
    if changes.lead_dropout_probability:
        drawn = _stream(seed, step, LEADS).random(x_BLT.shape[:2])
        kept = (drawn >= changes.lead_dropout_probability) | (drawn == drawn.max(axis=1, keepdims=True))
        x_BLT = x_BLT * _to(x_BLT, kept)[:, :, None]
    if changes.mixup_alpha:
        draw = _stream(seed, step, MIXUP)
        share_B = _to(x_BLT, draw.beta(changes.mixup_alpha, changes.mixup_alpha, len(x_BLT)))
        partner = torch.from_numpy(draw.permutation(len(x_BLT))).to(x_BLT.device)
        x_BLT = torch.lerp(x_BLT[partner], x_BLT, share_B[:, None, None])
        targets_BK = torch.lerp(targets_BK[partner], targets_BK, share_B[:, None])
    return x_BLT, targets_BK


def window(x_BLT: Tensor, begin_B: Tensor, length: int) -> Tensor:
    """(B, L, length) the samples of each record from its beginning on; zeros before its first and after its last."""
    place_BT = begin_B[:, None] + torch.arange(length, device=x_BLT.device)
    inside_BT = (place_BT >= 0) & (place_BT < x_BLT.shape[-1])
    place_BT = place_BT.clamp(0, x_BLT.shape[-1] - 1)
    return x_BLT.gather(-1, place_BT[:, None].expand(-1, x_BLT.shape[1], -1)) * inside_BT[:, None]


def _moved(changes: Changes, seed: int, step: int, x_BLT: Tensor) -> Tensor:
    records, samples = len(x_BLT), x_BLT.shape[-1]
    length = changes.crop_samples or samples
    begin = _stream(seed, step, CROP).integers(0, samples - length, records, endpoint=True)
    draw = _stream(seed, step, SHIFT)
    shift = draw.integers(-changes.shift_samples, changes.shift_samples, records, endpoint=True)
    return window(x_BLT, torch.from_numpy(begin - shift * _touched(changes, draw, records)).to(x_BLT.device), length)


def _noisy(changes: Changes, seed: int, step: int, x_BLT: Tensor) -> Tensor:
    draw = _stream(seed, step, NOISE)
    source = torch.Generator(x_BLT.device).manual_seed(int(draw.integers(2**63)))
    noise_BLT = torch.randn(x_BLT.shape, generator=source, device=x_BLT.device, dtype=x_BLT.dtype)
    strength_B = _to(x_BLT, changes.noise * _touched(changes, draw, len(x_BLT)))
    return torch.addcmul(x_BLT, noise_BLT, strength_B[:, None, None])


def _stream(seed: int, step: int, kind: int) -> np.random.Generator:
    return np.random.default_rng((AUGMENT_STREAM, seed, step, kind))


def _touched(changes: Changes, draw: np.random.Generator, records: int) -> np.ndarray:
    """Which records a change is made in."""
    return draw.random(records) < changes.probability


def _to(x_BLT: Tensor, values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(x_BLT.device)
