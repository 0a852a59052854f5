"""Random changes of signals: a function of seed and step, each as its setting says."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codeii.schema.recipe import Augmentation
from codeii.training.augment import UNCHANGED, Changes, augmented, changes_of, window

RECORDS, LEADS, SAMPLES = 64, 4, 50
ALL = {
    "crop_samples": 40,
    "probability": 0.7,
    "shift_samples": 5,
    "amplitude_share": 0.2,
    "noise": 0.05,
    "lead_dropout_probability": 0.3,
    "mixup_alpha": 0.4,
}


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    signals = rng.uniform(1, 2, (RECORDS, LEADS, SAMPLES)).astype(np.float32)
    return torch.from_numpy(signals), torch.from_numpy((rng.random((RECORDS, 3)) < 0.4).astype(np.float32))


def changed(step: int = 0, seed: int = 0, **changes: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return augmented(Changes(**changes), seed, step, *batch())


def test_without_settings_nothing_changes_and_nothing_is_copied() -> None:
    assert changes_of(Augmentation(), 100, SAMPLES, "mV") == UNCHANGED
    signals, targets = batch()
    found = augmented(UNCHANGED, 0, 0, signals, targets)
    assert found[0] is signals and found[1] is targets


def test_changes_depend_on_seed_and_step_alone() -> None:
    first = changed(3, 1, **ALL)
    torch.manual_seed(5)
    again = changed(3, 1, **ALL)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    for other in (changed(4, 1, **ALL), changed(3, 2, **ALL)):
        assert not torch.equal(first[0], other[0])
    assert first[0].shape == (RECORDS, LEADS, 40) and first[0].dtype == torch.float32


def test_one_more_kind_of_change_leaves_the_others_as_they_are() -> None:
    scaled = changed(amplitude_share=0.3)[0]
    dropped = changed(lead_dropout_probability=0.3)[0] == 0
    both = changed(amplitude_share=0.3, lead_dropout_probability=0.3)[0]
    assert torch.equal(both, torch.where(dropped, torch.zeros(()), scaled))


def test_kinds_of_change_are_drawn_independently() -> None:
    ones = torch.ones(400, LEADS, SAMPLES)
    changes = Changes(amplitude_share=0.5, lead_dropout_probability=0.5)
    found, _ = augmented(changes, 0, 0, ones, torch.zeros(400, 1))
    factor, kept = found.amax((1, 2)), (found[..., 0] != 0).flatten()[:400]  # the first of either kind that are drawn
    assert abs(np.corrcoef(factor, kept)[0, 1]) < 0.15


@given(begin=st.integers(-60, 60), length=st.integers(1, SAMPLES))
def test_a_window_has_zeros_where_there_are_no_samples(begin: int, length: int) -> None:
    signal = np.arange(1, SAMPLES + 1, dtype=np.float32)
    found = window(torch.from_numpy(signal)[None, None], torch.tensor([begin]), length)[0, 0].numpy()
    expected = [signal[at] if 0 <= at < SAMPLES else 0 for at in range(begin, begin + length)]
    np.testing.assert_array_equal(found, expected)


def test_a_shift_moves_all_leads_alike_both_ways_and_brings_zeros() -> None:
    signals, _ = batch()
    moved = changed(shift_samples=5)[0]
    shifts = []
    for before, after in zip(signals, moved, strict=True):
        found = [at for at in range(-5, 6) if torch.equal(after, window(before[None], torch.tensor([-at]), SAMPLES)[0])]
        shifts += found
    assert len(shifts) == RECORDS and set(shifts) == set(range(-5, 6))


def test_a_crop_is_a_part_of_the_record_and_lies_anywhere() -> None:
    signals, _ = batch()
    cropped = changed(crop_samples=45)[0]
    begins = [
        at
        for before, after in zip(signals, cropped, strict=True)
        for at in range(6)
        if torch.equal(after, before[:, at : at + 45])
    ]
    assert len(begins) == RECORDS and set(begins) == set(range(6))


def test_amplitudes_change_within_their_range_and_noise_has_its_strength() -> None:
    signals, _ = batch()
    factors = changed(amplitude_share=0.2)[0] / signals
    assert 0.8 <= factors.min() < 0.83 and 1.17 < factors.max() <= 1.2
    torch.testing.assert_close(factors, factors[:, :1, :1].expand_as(factors))
    noise = changed(noise=0.05)[0] - signals
    assert noise.std().item() == pytest.approx(0.05, rel=0.03) and abs(noise.mean().item()) < 2e-3


@pytest.mark.parametrize("change", [{"shift_samples": 5}, {"amplitude_share": 0.2}, {"noise": 0.05}])
def test_a_probability_leaves_the_other_records_alone(change: dict[str, Any]) -> None:
    signals, _ = batch()
    same = [torch.equal(*pair) for pair in zip(changed(probability=0.5, **change)[0], signals, strict=True)]
    assert 20 < sum(same) < 48


def test_dropped_leads_are_zeros_as_often_as_asked_and_never_all() -> None:
    signals, _ = batch()
    found = changed(lead_dropout_probability=0.5)[0]
    gone = (found == 0).all(-1)
    assert torch.equal(found[~gone], signals[~gone])
    assert 0.4 < gone.float().mean() < 0.55
    assert not (changed(lead_dropout_probability=0.99)[0] == 0).all(-1).all(-1).any()


def test_mixup_mixes_signals_and_targets_by_the_same_share() -> None:
    signals, targets = batch()
    marked = torch.cat([signals[:, :1, :1], targets[:, None, :]], dim=-1)  # a signal that carries its targets
    found, mixed = augmented(Changes(mixup_alpha=0.5), 0, 0, marked, targets)
    torch.testing.assert_close(found[:, 0, 1:], mixed)
    assert ((mixed > 0.01) & (mixed < 0.99)).any()
    assert mixed.min() >= 0 and mixed.max() <= 1


def test_a_sample_that_is_no_number_stays_noticeable() -> None:
    signals, targets = batch()
    signals[3, 0, 10] = float("nan")
    found, _ = augmented(Changes(**{**ALL, "crop_samples": 0, "shift_samples": 0}), 0, 0, signals, targets)
    assert found.isnan().any()


def test_settings_in_seconds_and_microvolts_become_samples_and_millivolts() -> None:
    changes = changes_of(Augmentation(shift_seconds=0.2, noise_uv=50, crop_samples=250), 400, 4096, "mV")
    assert (changes.shift_samples, changes.noise, changes.crop_samples) == (80, 0.05, 250)
    assert changes_of(Augmentation(crop_samples=4096), 400, 4096, "mV") == UNCHANGED
    with pytest.raises(ValueError, match=r"noise_uv is 5.*, but the tensors are in 'sd'"):
        changes_of(Augmentation(noise_uv=5), 400, 4096, "sd")
    with pytest.raises(ValueError, match="crop_samples is 5000, but the tensors have 4096"):
        changes_of(Augmentation(crop_samples=5000), 400, 4096, "mV")
