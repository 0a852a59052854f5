"""Few records of each class, drawn by patient."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeii.training.examples import count_of

CLASSES = ("frequent", "rare", "absent")


def rows_of(seed: int, patients: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    truth = rng.random((len(patient), 3)) < (0.5, 0.06, 0)
    ids = {"record_id": [f"r{at}" for at in range(len(patient))], "patient_id": [f"p{one}" for one in patient]}
    return pd.DataFrame({**ids, **{name: truth[:, at].astype(np.uint8) for at, name in enumerate(CLASSES)}})


def counts_of(rows: pd.DataFrame) -> dict[str, int]:
    none = int((rows[list(CLASSES)].sum(axis=1) == 0).sum())
    return {**{name: int(rows[name].sum()) for name in CLASSES}, "none": none}


@given(seed=st.integers(0, 200), per_class=st.integers(1, 12))
def test_each_class_has_as_many_records_as_asked_or_all_it_has(seed: int, per_class: int) -> None:
    rows = rows_of(seed)
    taken, short = count_of(rows, CLASSES, per_class, seed)
    found, there = counts_of(taken), counts_of(rows)
    for name in found:
        assert found[name] >= min(per_class, there[name])
    assert short == {name: there[name] for name in found if there[name] < per_class}
    whole = rows[rows["patient_id"].isin(taken["patient_id"])]
    pd.testing.assert_frame_equal(taken, whole)  # all records of a patient, in their order


@given(seed=st.integers(0, 200))
def test_larger_counts_contain_smaller_ones_whatever_the_order_of_the_rows(seed: int) -> None:
    rows = rows_of(seed)
    taken = [set(count_of(rows, CLASSES, count, 5)[0]["record_id"]) for count in (1, 3, 10)]
    assert taken[0] <= taken[1] <= taken[2] and len(taken[0]) < len(rows) / 2
    shuffled = rows.sample(frac=1, random_state=seed)
    assert set(count_of(shuffled, CLASSES, 3, 5)[0]["record_id"]) == taken[1]


@given(per_class=st.integers(1, 30))
def test_no_class_takes_a_patient_more_than_it_needs(per_class: int) -> None:
    kind = np.arange(60) % 5  # one record a patient, one class a record: frequent, frequent, rare, none, none
    truth = {"frequent": kind < 2, "rare": kind == 2, "absent": kind == 9}
    names = {"record_id": [f"r{at}" for at in range(60)], "patient_id": [f"p{at}" for at in range(60)]}
    taken, _ = count_of(pd.DataFrame({**names, **truth}), CLASSES, per_class, 0)
    assert counts_of(taken) == {
        "frequent": min(per_class, 24),
        "rare": min(per_class, 12),
        "absent": 0,
        "none": min(per_class, 24),
    }


def test_other_seeds_take_other_patients() -> None:
    taken = [set(count_of(rows_of(0), CLASSES, 2, seed)[0]["patient_id"]) for seed in (0, 1)]
    assert taken[0] != taken[1]


def test_less_than_one_record_is_refused() -> None:
    with pytest.raises(ValueError, match="per_class is 0"):
        count_of(rows_of(0), CLASSES, 0, 0)
