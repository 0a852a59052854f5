"""Random changes of the signals of a batch, on its device: a function of seed and step alone.

Each kind of change has a random stream of its own, so that one more kind changes nothing about the others. What is
drawn per record is drawn by numpy and the same on every device; the noise, one number per sample, is drawn there.
Of several ranks each draws for the whole batch and uses what falls to its records: they change as on one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codeii.schema.recipe import Augmentation
from codeii.schema.units import MICROVOLTS_PER, microvolts_per
from codeii.training.share import Share, share_of

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


def changes_of(settings: Augmentation, rate_hz: int, samples: int, unit: str, deviation: float = 1.0) -> Changes:
    """Settings in seconds and microvolts -> samples and what the network sees.

    deviation : of the standard the signals are seen behind, in `unit`.
    Raises ValueError where the tensors cannot give it.
    """
    if settings.crop_samples > samples:
        raise ValueError(f"augmentation.crop_samples is {settings.crop_samples}, but the tensors have {samples}")
    if settings.noise_uv and unit.lower() not in MICROVOLTS_PER:
        raise ValueError(f"augmentation.noise_uv is {settings.noise_uv}, but the tensors are in {unit!r}, not in volts")
    return Changes(
        crop_samples=0 if settings.crop_samples == samples else settings.crop_samples,
        probability=settings.probability,
        shift_samples=round(settings.shift_seconds * rate_hz),
        amplitude_share=settings.amplitude_share,
        noise=settings.noise_uv / microvolts_per(unit) / deviation if settings.noise_uv else 0.0,
        lead_dropout_probability=settings.lead_dropout_probability,
        mixup_alpha=settings.mixup_alpha,
    )


def at_hand(changes: Changes, seed: int, step: int, share: Share) -> np.ndarray:
    """Places in the batch of the records that a rank needs: its own, then those they are mixed with."""
    if not changes.mixup_alpha:
        return share.places
    _, partners = _mixing(changes, seed, step, share.size)
    return np.concatenate([share.places, np.setdiff1d(partners[share.places], share.places)])


def augmented(
    changes: Changes, seed: int, step: int, x_BLT: Tensor, targets_BK: Tensor, share: Share | None = None
) -> tuple[Tensor, Tensor]:
    """Signals and targets of a step, changed. Shapes stay, but for T where a crop is asked for.

    share : of a rank, which gives the records `at_hand` and gets back its own; None: the whole batch
    """
    share = share or share_of(len(x_BLT), 1)
    places = at_hand(changes, seed, step, share)
    lot = _Lot(seed, step, share.size, slice(None) if share.whole else places)
    if changes.crop_samples or changes.shift_samples:
        x_BLT = _moved(changes, lot, x_BLT)
    if changes.amplitude_share:
        draw = lot.stream(AMPLITUDE)
        factors = 1 + changes.amplitude_share * draw.uniform(-1, 1, lot.size) * _touched(changes, draw, lot.size)
        x_BLT = x_BLT * _to(x_BLT, factors[lot.places])[:, None, None]
    if changes.noise:
        x_BLT = _noisy(changes, lot, x_BLT)
    if changes.lead_dropout_probability:
        drawn = lot.stream(LEADS).random((lot.size, x_BLT.shape[1]))[lot.places]
        kept = (drawn >= changes.lead_dropout_probability) | (drawn == drawn.max(axis=1, keepdims=True))
        x_BLT = x_BLT * _to(x_BLT, kept)[:, :, None]
    if changes.mixup_alpha:
        shares, partners = (drawn[share.places] for drawn in _mixing(changes, seed, step, share.size))
        order = np.argsort(places)
        partner = torch.from_numpy(order[np.searchsorted(places, partners, sorter=order)]).to(x_BLT.device)
        share_B, own = _to(x_BLT, shares), len(share.places)
        x_BLT = torch.lerp(x_BLT[partner], x_BLT[:own], share_B[:, None, None])
        targets_BK = torch.lerp(targets_BK[partner], targets_BK[:own], share_B[:, None])
    return x_BLT, targets_BK


def window(x_BLT: Tensor, begin_B: Tensor, length: int) -> Tensor:
    """(B, L, length) the samples of each record from its beginning on; zeros before its first and after its last."""
    place_BT = begin_B[:, None] + torch.arange(length, device=x_BLT.device)
    inside_BT = (place_BT >= 0) & (place_BT < x_BLT.shape[-1])
    place_BT = place_BT.clamp(0, x_BLT.shape[-1] - 1)
    return x_BLT.gather(-1, place_BT[:, None].expand(-1, x_BLT.shape[1], -1)) * inside_BT[:, None]


@dataclass(frozen=True, slots=True)
class _Lot:
    """What is drawn for a batch, and whose draws are used."""

    seed: int
    step: int
    size: int  # of the batch
    places: slice | np.ndarray  # in it

    def stream(self, kind: int) -> np.random.Generator:
        return np.random.default_rng((AUGMENT_STREAM, self.seed, self.step, kind))


def _moved(changes: Changes, lot: _Lot, x_BLT: Tensor) -> Tensor:
    samples = x_BLT.shape[-1]
    length = changes.crop_samples or samples
    begin = lot.stream(CROP).integers(0, samples - length, lot.size, endpoint=True)
    draw = lot.stream(SHIFT)
    shift = draw.integers(-changes.shift_samples, changes.shift_samples, lot.size, endpoint=True)
    begin = (begin - shift * _touched(changes, draw, lot.size))[lot.places]
    return window(x_BLT, torch.from_numpy(begin).to(x_BLT.device), length)


def _noisy(changes: Changes, lot: _Lot, x_BLT: Tensor) -> Tensor:
    draw = lot.stream(NOISE)
    source = torch.Generator(x_BLT.device).manual_seed(int(draw.integers(2**63)))
    drawn = torch.randn((lot.size, *x_BLT.shape[1:]), generator=source, device=x_BLT.device, dtype=x_BLT.dtype)
    strength_B = _to(x_BLT, (changes.noise * _touched(changes, draw, lot.size))[lot.places])
    return torch.addcmul(x_BLT, drawn[lot.places], strength_B[:, None, None])


def _mixing(changes: Changes, seed: int, step: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(size,) of each record of a batch: its share in the mixture, and the place of its partner."""
    draw = _Lot(seed, step, size, slice(None)).stream(MIXUP)
    return draw.beta(changes.mixup_alpha, changes.mixup_alpha, size), draw.permutation(size)


def _touched(changes: Changes, draw: np.random.Generator, records: int) -> np.ndarray:
    """Which records a change is made in."""
    return draw.random(records) < changes.probability


def _to(x_BLT: Tensor, values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(x_BLT.device)
