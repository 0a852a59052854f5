"""Order, cut and content of batches; which patients a fraction holds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import tensor_store

from codeii.artifacts.targets import read_targets
from codeii.artifacts.tensor_store import Signals, read_tensor_store
from codeii.networks.batches import announced, cut, inputs_of, order_of, read, record_means, seed_dropout
from codeii.training.examples import examples_of, fraction_of

CPU = torch.device("cpu")


@given(count=st.integers(1, 300), size=st.integers(1, 40))
def test_batches_cover_every_record_once_and_none_is_left_alone(count: int, size: int) -> None:
    parts = cut(count, size)
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(count))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) <= size + 1
    assert size == 1 or count == 1 or min(lengths) > 1


def test_the_order_is_a_permutation_fixed_by_seed_and_pass() -> None:
    orders = [tuple(order_of(seed, number, 50)) for seed in (0, 1) for number in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len(set(orders)) == 4
    assert tuple(order_of(0, 1, 50)) == orders[1]


def test_dropout_differs_between_steps_and_repeats_for_the_same_step() -> None:
    drawn = []
    for step in (0, 1, 0):
        seed_dropout(5, step)
        drawn.append(torch.rand(8))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_a_batch_holds_the_picked_records_in_the_stores_unit(tiny_inputs: dict[str, Path]) -> None:
    store = read_tensor_store(tiny_inputs["tensors"])
    inputs = inputs_of(store, ["r003", "r100", "r007"])
    batch = read(inputs, np.array([2, 0]), CPU)
    row = {record_id: index for index, record_id in enumerate(store.index["record_id"])}
    expected = store.signals[np.array([row["r007"], row["r003"]])] * store.scale
    assert batch.dtype == torch.float32
    np.testing.assert_allclose(batch.numpy(), expected, rtol=1e-6)


def test_a_record_without_tensor_is_named(tiny_inputs: dict[str, Path]) -> None:
    store = read_tensor_store(tiny_inputs["tensors"])
    with pytest.raises(ValueError, match="2 of 3 records have targets but no tensor: x1, x2"):
        inputs_of(store, ["r003", "x1", "x2"])


def test_a_fraction_holds_whole_patients_and_larger_fractions_contain_smaller(tiny_inputs: dict[str, Path]) -> None:
    targets = read_targets(tiny_inputs["targets"])
    rows = targets.of("train")
    taken = [fraction_of(rows, targets.classes, fraction, 3) for fraction in (0.1, 0.5, 1.0)]
    patients = [set(part["patient_id"]) for part in taken]
    assert [len(one) for one in patients] == [4, 18, 36]
    assert patients[0] < patients[1] < patients[2]
    assert all(len(part) == 2 * len(one) for part, one in zip(taken, patients, strict=True))
    assert set(fraction_of(rows, targets.classes, 0.5, 4)["patient_id"]) != patients[1]


def test_a_split_without_records_is_refused(tiny_inputs: dict[str, Path]) -> None:
    targets = read_targets(tiny_inputs["targets"])
    with pytest.raises(ValueError, match="no record to learn from"):
        examples_of(read_tensor_store(tiny_inputs["tensors"]), targets, targets.of("none"))


def test_all_sections_of_a_record_are_read_and_averaged(tmp_path: Path) -> None:
    counts = np.arange(5 * 8 * 20, dtype=np.int16).reshape(5, 8, 20)
    ids = ["a", "b", "b", "b", "c"]
    index = pd.DataFrame({"record_id": ids, "exam_id": ids, "patient_id": ids, "section": [0, 0, 1, 2, 0]})
    store = read_tensor_store(tensor_store(tmp_path, ([counts[:3]], index[:3]), ([counts[3:]], index[3:])))
    inputs = inputs_of(store, ["c", "b"])
    assert inputs.rows.tolist() == [4, 1, 2, 3] and inputs.record.tolist() == [0, 1, 1, 1]
    answers = np.array([[7.0], [1.0], [2.0], [6.0]], np.float32)
    assert record_means(inputs, answers).tolist() == [[7.0], [3.0]]
    one_each = inputs_of(store, ["a", "c"])
    drawn = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    np.testing.assert_array_equal(record_means(one_each, drawn), drawn)


def test_batches_are_announced_once_and_come_unchanged(
    tiny_inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = inputs_of(read_tensor_store(tiny_inputs["tensors"]), ["r000", "r001", "r002", "r003", "r004"])
    heard: list[list[int]] = []
    monkeypatch.setattr(Signals, "announce", lambda self, rows: heard.append(rows.tolist()))
    batches = [np.array([3, 1]), np.array([0, 4]), np.array([2])]
    seen = []
    for picks in announced(inputs, batches):
        seen.append(picks.tolist())
        assert len(heard) == min(len(seen) + 1, 3)  # the next batch is on its way before this one is worked on
    assert seen == [[3, 1], [0, 4], [2]]
    assert heard == [inputs.rows[picks].tolist() for picks in batches]
