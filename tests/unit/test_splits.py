"""Splits and fractions depend on names alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.schema.splits import (
    rarest_class,
    split_by_fold,
    split_by_patient,
    split_each_patient,
    stratified_position,
    take_fraction,
)

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def made_up(records: int, seed: int) -> tuple[list[str], list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    keys = [f"r{index}" for index in range(records)]
    patients = [f"p{rng.integers(records // 2 + 1)}" for _ in keys]
    targets = (rng.random((records, 4)) < [0.5, 0.2, 0.05, 0.02]).astype(np.uint8)
    return keys, patients, targets


@given(st.integers(20, 200), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_no_patient_is_in_two_splits_and_row_order_does_not_matter(records: int, seed: int) -> None:
    _, patients, targets = made_up(records, seed)
    split = split_by_patient(patients, targets, SHARES, seed)
    of_patient: dict[str, str] = {}
    for patient, name in zip(patients, split, strict=True):
        assert of_patient.setdefault(patient, name) == name
    order = np.random.default_rng(seed + 1).permutation(records)
    again = split_by_patient([patients[row] for row in order], targets[order], SHARES, seed)
    assert again == [split[row] for row in order]


@given(st.lists(st.text("abc0123", min_size=1, max_size=6), unique=True, min_size=2, max_size=60), st.integers(0, 20))
@settings(max_examples=50)
def test_alone_by_name_nobody_moves_when_a_patient_is_added(patients: list[str], seed: int) -> None:
    *others, _ = patients
    split = dict(zip(patients, split_each_patient(patients, SHARES, seed), strict=True))
    assert split_each_patient(others, SHARES, seed) == [split[patient] for patient in others]
    assert split_each_patient(patients[::-1], SHARES, seed) == [split[patient] for patient in patients[::-1]]


def test_alone_by_name_the_shares_are_met_by_chance() -> None:
    split = split_each_patient([f"p{index}" for index in range(20_000)], SHARES, 0)
    assert [split.count(name) / 20_000 for name in SHARES] == pytest.approx([0.8, 0.1, 0.1], abs=0.01)


@given(st.integers(2, 120), st.integers(0, 30))
@settings(max_examples=50)
def test_in_strata_a_new_patient_moves_at_most_one_at_each_border_and_nobody_of_another_stratum(
    count: int, seed: int
) -> None:
    patients = [f"p{index}" for index in range(count + 30)]
    targets = np.zeros((len(patients), 2), np.uint8)
    targets[:count, 0], targets[count:, 1] = 1, 1  # the last thirty are another stratum
    before = dict(zip(patients, split_by_patient(patients, targets, SHARES, seed), strict=True))
    grown = [*patients, "new"]
    after = dict(zip(grown, split_by_patient(grown, np.vstack([targets, [[1, 0]]]), SHARES, seed), strict=True))
    moved = [patient for patient in patients if before[patient] != after[patient]]
    assert len(moved) <= 2
    assert set(moved) <= set(patients[:count])


def test_every_class_is_split_in_about_the_stated_shares() -> None:
    keys = [f"p{index}" for index in range(4000)]
    targets = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).choice(4, 4000, p=[0.6, 0.3, 0.07, 0.03])]
    split = np.array(split_by_patient(keys, targets, SHARES, 0))
    for column in targets.T:
        assert abs((split[column == 1] == "test").mean() - 0.1) < 0.01
        assert abs((split[column == 1] == "train").mean() - 0.8) < 0.01


@given(st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_fractions_are_nested_and_stratified(seed: int) -> None:
    keys, _, targets = made_up(400, seed)
    small, large = take_fraction(keys, targets, 0.1, seed), take_fraction(keys, targets, 0.5, seed)
    assert len(small) == 40
    assert len(large) == 200
    assert set(small) <= set(large)
    common = targets[:, 0].mean()
    assert abs(targets[large, 0].mean() - common) < 0.1


def test_another_seed_draws_another_fraction() -> None:
    keys, _, targets = made_up(400, 0)
    assert set(take_fraction(keys, targets, 0.1, 0)) != set(take_fraction(keys, targets, 0.1, 1))


def test_positions_depend_on_names_not_on_rows() -> None:
    keys, _, targets = made_up(50, 3)
    strata = rarest_class(targets)
    order = np.random.default_rng(0).permutation(50)
    moved = stratified_position([keys[row] for row in order], [strata[row] for row in order], 0)
    np.testing.assert_array_equal(moved, stratified_position(keys, strata, 0)[order])


def test_a_fold_of_no_split_gives_no_split() -> None:
    assert split_by_fold(["1", "9", "11"], {"train": ["1"], "validation": ["9"]}) == ["train", "validation", ""]


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1])
def test_an_impossible_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="not in"):
        take_fraction(["a"], np.ones((1, 1)), fraction, 0)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="unique"):
        stratified_position(["a", "a"], ["x", "x"], 0)
