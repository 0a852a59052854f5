"""The tensor store of a source, from its record store."""

from pathlib import Path

import numpy as np
import pytest

from codeii.artifacts.record_store import write_record_store
from codeii.artifacts.tensor_store import TensorStore, read_tensor_store
from codeii.schema.params import Preprocessing
from codeii.schema.record import Record
from codeii.tensors import build as module
from codeii.tensors.build import build_tensors
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


def build(tmp_path: Path, records: list[Record], mains_hz: int = 60, **changes: object) -> TensorStore:
    facts = {"source": "fake", "card": {"mains_hz": mains_hz}}
    store = write_record_store(
        tmp_path / "records", records, settings={}, code="c", inputs=[], facts=facts, synthetic=True
    )
    settings = {"preprocessing": FIELDS | changes}
    build_tensors(store, settings, "code1", tmp_path / "tensors")
    return read_tensor_store(tmp_path / "tensors" / "manifest.json")


MIXED = [(1250, 500), (1300, 500), (1250, 500), (2500, 1000), (1250, 500), (800, 300), (1251, 500), (1250, 1000)] * 3


@pytest.mark.parametrize("block_records", [1, 5, 256])
@pytest.mark.parametrize("stack_values", [1, 25_000, 600_000])
def test_mixed_rates_and_lengths_come_out_in_the_stores_order_whatever_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_records: int, stack_values: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_RECORDS", block_records)
    monkeypatch.setattr(module, "STACK_VALUES", stack_values)
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


def test_a_notch_that_one_rate_does_not_hold_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a notch at 60 Hz needs records of at least 120 Hz, found 100 Hz"):
        build(tmp_path, [record("a", 1250), record("b", 1000, 100)])
    assert not (tmp_path / "tensors").exists()


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    records = [record("a", 1250), record("b", 1300, seed=1)]
    one, other = build(tmp_path / "one", records), build(tmp_path / "other", records)
    assert one.manifest.files == other.manifest.files


def test_the_notch_at_mains_is_that_of_the_sources_card(tmp_path: Path) -> None:
    records = [record("a", 1250)]
    found = {hz: build(tmp_path / f"at{hz}", records, mains_hz=hz, powerline_hz="mains") for hz in (50, 60)}
    fixed = build(tmp_path / "fixed", records, mains_hz=60, powerline_hz=50, mode="benchmark_compatible")
    np.testing.assert_array_equal(found[50].signals, fixed.signals)
    assert not np.array_equal(found[50].signals, found[60].signals)
    assert found[50].manifest.facts["notch_hz_by_stored_rate"] == {"500": 50}
