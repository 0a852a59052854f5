"""The tensor store of a source, from its record store."""

from pathlib import Path

import numpy as np
import pytest
from tests.stores import record_store

from codeii.artifacts.tensor_store import TensorStore, read_tensor_store
from codeii.schema.params import Preprocessing
from codeii.schema.record import Record
from codeii.tensors import build as module
from codeii.tensors.build import build_tensor_shard, gather_tensors
from codeii.tensors.pipeline import preprocess

FIELDS = {
    "rate_hz": 400,
    "samples": 1000,
    "leads": "eight",
    "placement": "centre",
    "baseline": "elliptic",
    "powerline_hz": "mains",
    "normalisation": "none",
}


def record(name: str, samples: int, rate_hz: int = 500, seed: int = 0) -> Record:
    walk = np.random.default_rng(seed).normal(0, 30, (12, samples)).cumsum(axis=1)
    return Record(name, f"e{name}", f"p{name}", 1, walk.astype(np.int16), rate_hz, {}, "", 50.0, "male")


def build(tmp_path: Path, records: list[Record], mains_hz: int = 60, shards: int = 1, **changes: object) -> TensorStore:
    """The tensors of `records`, dealt to the shards in turn; the store holds one shard after the other."""
    facts = {"source": "fake", "card": {"mains_hz": mains_hz}}
    store = record_store(tmp_path / "records", *(records[n::shards] for n in range(shards)), facts=facts)
    settings = {"preprocessing": FIELDS | changes}
    folder = tmp_path / "tensors"
    for index in range(shards):
        shard = {"shard": {"index": index, "count": shards}}
        build_tensor_shard(store, settings | shard, "code1", folder / "shards" / str(index))
    made = [folder / "shards" / str(index) / "manifest.json" for index in range(shards)]
    gather_tensors(made, settings, "code1", folder)
    return read_tensor_store(folder / "manifest.json")


def every(store: TensorStore) -> np.ndarray:
    return store.signals[np.arange(len(store.signals))]


MIXED = [(1250, 500), (1300, 500), (1250, 500), (2500, 1000), (1250, 500), (800, 300), (1251, 500), (1250, 1000)] * 3


@pytest.mark.parametrize("block_records", [1, 5, 256])
@pytest.mark.parametrize("stack_records", [1, 3, 16])
def test_mixed_rates_and_lengths_come_out_in_the_stores_order_whatever_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_records: int, stack_records: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_RECORDS", block_records)
    monkeypatch.setattr(module, "STACK_RECORDS", stack_records)
    records = [record(f"r{n}", samples, rate_hz, seed=n) for n, (samples, rate_hz) in enumerate(MIXED)]
    store = build(tmp_path, records)
    settings = Preprocessing.model_validate(FIELDS)
    assert store.index["record_id"].tolist() == [item.record_id for item in records]
    for row, item in enumerate(records):
        alone = preprocess(item.signal_uv[np.newaxis], item.rate_hz, settings, mains_hz=60).counts[0]
        np.testing.assert_array_equal(store.signals[row], alone)


def test_the_manifest_tells_unit_leads_and_what_was_changed(tmp_path: Path) -> None:
    records = [record("exact", 1250), record("long", 1252), record("short", 1249), record("half", 1000, 1000)]
    store = build(tmp_path, records)
    facts = store.manifest.facts
    assert store.scale == 1e-3 and facts["unit"] == "mV" and facts["rate_hz"] == 400
    assert facts["lead_names"] == ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
    # 1249 samples at 500 Hz are ceil(999.2) = 1000 at 400 Hz: neither cut nor padded
    assert facts["cropped_records"] == 1 and facts["padded_records"] == 1
    assert facts["clipped_samples"] == 0 and facts["clipped_records"] == 0
    assert facts["notch_hz_by_stored_rate"] == {"500": 60, "1000": 60}
    assert facts["source"] == "fake" and store.manifest.synthetic and store.manifest.code == "code1"


def test_scaled_records_are_in_standard_deviations(tmp_path: Path) -> None:
    store = build(tmp_path, [record("a", 1250), record("b", 2000, seed=1)], normalisation="record")
    assert store.manifest.facts["unit"] == "sd"
    assert (store.signals[0] * store.scale).std() == pytest.approx(1, abs=1e-3)


def test_clipped_samples_are_counted(tmp_path: Path) -> None:
    signal = np.zeros((12, 1250), np.int16)
    signal[0, 600:] = 32_500
    loud = Record("loud", "e", "p", 1, signal, 500, {}, "", 50.0, "male")
    store = build(tmp_path, [record("a", 1250), loud], baseline="none", powerline_hz="none")
    facts = store.manifest.facts
    assert facts["clipped_records"] == 1
    assert facts["clipped_samples"] == int((np.abs(store.signals[1].astype(int)) == 32_767).sum()) > 0


def test_records_and_leads_that_do_not_vary_are_zeros_and_counted_over_the_shards(tmp_path: Path) -> None:
    dead = record("dead", 1250, seed=1)
    dead.signal_uv[8] = 40
    still = Record("still", "e", "p", 1, np.full((12, 1250), 9, np.int16), 500, {}, "", 50.0, "male")
    store = build(tmp_path, [record("a", 1250), dead, still], shards=2, baseline="none", normalisation="lead")
    assert store.manifest.facts["unit"] == "sd of the lead"
    assert (store.manifest.facts["flat_leads"], store.manifest.facts["flat_records"]) == (1 + 8, 1)
    row = store.index["record_id"].tolist().index("still")
    assert not every(store)[row].any() and every(store).any(axis=(1, 2)).sum() == 2


def test_a_rate_that_a_step_cannot_take_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rate_hz 80 is too low for a band-pass"):
        build(tmp_path, [record("a", 1250), record("b", 1000, 80)], baseline="bandpass", powerline_hz="none")
    assert not (tmp_path / "tensors").exists()


def test_a_notch_that_one_rate_does_not_hold_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a notch at 60 Hz needs records of at least 120 Hz, found 100 Hz"):
        build(tmp_path, [record("a", 1250), record("b", 1000, 100)])
    assert not (tmp_path / "tensors").exists()


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    records = [record("a", 1250), record("b", 1300, seed=1)]
    one, other = build(tmp_path / "one", records), build(tmp_path / "other", records)
    assert one.manifest.files["index.parquet"] == other.manifest.files["index.parquet"]
    names = [tmp_path / name / "tensors" / "shards" / "0" / "signals.npy" for name in ("one", "other")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_shards_hold_the_same_tensors_as_the_whole(tmp_path: Path) -> None:
    records = [record(f"r{n}", samples, rate_hz, seed=n) for n, (samples, rate_hz) in enumerate(MIXED[:7])]
    whole, cut = build(tmp_path / "whole", records), build(tmp_path / "cut", records, shards=3)
    assert cut.index["record_id"].tolist() == ["r0", "r3", "r6", "r1", "r4", "r2", "r5"]
    order = [cut.index["record_id"].tolist().index(name) for name in whole.index["record_id"]]
    np.testing.assert_array_equal(cut.signals[np.array(order)], every(whole))
    assert cut.manifest.facts["records"] == 7 and cut.manifest.facts["shards"] == 3
    same = ("cropped_records", "padded_records", "clipped_samples", "lead_names", "unit", "notch_hz_by_stored_rate")
    assert {name: cut.manifest.facts[name] for name in same} == {name: whole.manifest.facts[name] for name in same}


def test_the_notch_at_mains_is_that_of_the_sources_card(tmp_path: Path) -> None:
    records = [record("a", 1250)]
    found = {hz: build(tmp_path / f"at{hz}", records, mains_hz=hz, powerline_hz="mains") for hz in (50, 60)}
    fixed = build(tmp_path / "fixed", records, mains_hz=60, powerline_hz=50, mode="benchmark_compatible")
    np.testing.assert_array_equal(every(found[50]), every(fixed))
    assert not np.array_equal(every(found[50]), every(found[60]))
    assert found[50].manifest.facts["notch_hz_by_stored_rate"] == {"500": 50}


def test_long_records_give_a_tensor_for_each_section_in_every_shard(tmp_path: Path) -> None:
    lengths = [
        (1250, 500),
        (4000, 500),
        (1000, 500),
        (3125, 500),
        (5000, 1000),
    ]  # 1000, 3200, 800, 2500, 2000 at 400 Hz
    records = [record(f"r{n}", samples, rate_hz, seed=n) for n, (samples, rate_hz) in enumerate(lengths)]
    store = build(tmp_path, records, shards=2, placement="sections")
    assert store.index["record_id"].tolist() == ["r0", "r2", "r4", "r4", *["r1"] * 4, *["r3"] * 3]
    assert store.index["section"].tolist() == [0, 0, 0, 1, 0, 1, 2, 3, 0, 1, 2]
    facts = store.manifest.facts
    assert (facts["records"], facts["rows"], facts["cropped_records"], facts["padded_records"]) == (5, 11, 0, 1)
    settings = Preprocessing.model_validate(FIELDS | {"placement": "sections"})
    for item in records:
        alone = preprocess(item.signal_uv[np.newaxis], item.rate_hz, settings, mains_hz=60).counts
        rows = np.flatnonzero(store.index["record_id"] == item.record_id)
        np.testing.assert_array_equal(store.signals[rows], alone)
