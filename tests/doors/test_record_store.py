"""The door of the records: what goes in comes out, and nothing else goes through."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.stores import record_store

from codeii.artifacts.manifest import IntegrityError, read_manifest, write_manifest
from codeii.artifacts.record_store import EXCLUDED, RECORDS, SIGNALS, RecordStore, gathered, read_record_store
from codeii.schema.record import Exclusion, Record


def record(name: str, samples: int = 100, **changes: object) -> Record:
    signal = np.random.default_rng(samples).integers(-900, 900, (12, samples)).astype(np.int16)
    made = Record(name, f"e{name}", f"p{name}", 1, signal, 500, {"SR": 100.0, "SCHÄDEL": None}, "1", 61.0, "male")
    return replace(made, **changes)


def write(folder: Path, *shards: list[Record | Exclusion] | Iterator[Record]) -> Path:
    return record_store(folder, *shards, facts={"source": "fake"})


def alter(manifest: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """Change records.parquet and sign it again, as a faulty writer would."""
    folder, old = manifest.parent, read_manifest(manifest, "records")
    change(pd.read_parquet(folder / RECORDS)).to_parquet(folder / RECORDS, index=False)
    return write_manifest(
        folder, "records", files=old.files, settings={}, code="c", inputs=[], facts=old.facts, synthetic=True
    )


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    items = [record("a", 50), record("b", 300, flags=("clipped", "age_masked"), age_years=np.nan), record("c", 1)]
    store = read_record_store(write(tmp_path, items))
    assert isinstance(store, RecordStore)
    for row, item in enumerate(items):
        assert store.signal(row).dtype == np.int16
        np.testing.assert_array_equal(store.signal(row), item.signal_uv)
    assert store.records["flags"].tolist() == ["", "clipped age_masked", ""]
    assert store.records["age_years"].isna().tolist() == [False, True, False]
    assert list(store.statements()) == [dict(item.statements) for item in items]
    assert store.manifest.facts["records"] == 3 and store.manifest.facts["source"] == "fake"


def test_exclusions_come_back_as_text(tmp_path: Path) -> None:
    out = Exclusion("007", "wrong_rate", "rate_hz", "NA", '1,000 or "500"')
    store = read_record_store(write(tmp_path, [record("a"), out]))
    assert store.excluded.iloc[0].tolist() == ["007", "wrong_rate", "rate_hz", "NA", '1,000 or "500"']
    assert store.manifest.facts["excluded"] == {"wrong_rate": 1}


def test_the_signal_file_is_plain_npy(tmp_path: Path) -> None:
    write(tmp_path, [record("a", 10), record("b", 20)])
    assert np.load(tmp_path / "shards" / "0" / SIGNALS).shape == (360,)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    one = write(tmp_path / "one", [record("a"), record("b", 20)])
    other = write(tmp_path / "other", [record("a"), record("b", 20)])
    for name in ("shards/0/manifest.json", RECORDS, EXCLUDED):
        assert (one.parent / name).read_bytes() == (other.parent / name).read_bytes()


def test_a_store_without_records_can_be_read(tmp_path: Path) -> None:
    store = read_record_store(write(tmp_path, []))
    assert len(store.records) == 0 and len(store.excluded) == 0


def test_shards_are_gathered_one_after_the_other_and_an_empty_one_changes_nothing(tmp_path: Path) -> None:
    out = Exclusion("x", "flat", "signal", "0", "some")
    items = [record("b", 30), record("a", 20, age_years=np.nan), record("c", 10)]
    manifest = write(tmp_path, [], [items[0]], [out, *items[1:]], [])
    store = read_record_store(manifest)
    assert store.records["record_id"].tolist() == ["b", "a", "c"]
    assert store.records["shard"].tolist() == [1, 2, 2] and store.manifest.facts["shards"] == 4
    assert store.records["start"].tolist() == [0, 0, 240]
    assert store.records["age_years"].dtype == float and store.excluded["record_id"].tolist() == ["x"]
    for row, item in enumerate(items):
        np.testing.assert_array_equal(store.signal(row), item.signal_uv)


def test_a_record_that_two_shards_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="record_id 'a' occurs more than once"):
        write(tmp_path, [record("a")], [record("b"), record("a")])
    assert not (tmp_path / "manifest.json").exists()


def test_metadata_can_be_read_without_signals_which_are_checked_when_they_are_used(tmp_path: Path) -> None:
    store = read_record_store(write(tmp_path, [record("a")], [record("b")]))
    flip(tmp_path / "shards" / "1" / SIGNALS)
    assert store.signal(0).shape == (12, 100)
    with pytest.raises(IntegrityError, match=r"1/signals\.npy: content changed"):
        store.signal(1)


@pytest.mark.parametrize("name", [RECORDS, EXCLUDED, "manifest.json"])
def test_a_shard_that_changed_is_not_gathered_or_read(tmp_path: Path, name: str) -> None:
    manifest = write(tmp_path, [record("a"), Exclusion("x", "flat", "signal", "0", "some")])
    flip(tmp_path / "shards" / "0" / name)
    if name == "manifest.json":
        with pytest.raises(IntegrityError, match=r"manifest\.json"):
            read_record_store(manifest)
    else:
        with pytest.raises(IntegrityError, match=f"{name}: content changed"):
            gathered([tmp_path / "shards" / "0" / "manifest.json"])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([record("a"), record("a")], "record_id 'a' occurs more than once"),
        ([record("a", signal_uv=np.zeros((8, 10), np.int16))], r"record a: signal is int16 \(8, 10\), expected int16"),
        ([record("a", signal_uv=np.zeros((12, 10)))], r"record a: signal is float64 \(12, 10\)"),
        ([record("a", signal_uv=np.zeros((12, 0), np.int16))], "do not tile"),
        ([record("a", rate_hz=0)], "rate_hz 0 is not positive"),
        ([record("a", sex="M")], r"sex \['M'\] is not one of"),
    ],
)
def test_a_record_that_breaks_the_form_is_not_written(tmp_path: Path, items: list[Record], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path, list(items))
    assert not (tmp_path / "manifest.json").exists()


def test_a_reader_that_fails_midway_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Record]:
        yield record("a")
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        write(tmp_path, failing())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(record_id="a"), "occurs more than once"),
        (lambda t: t.assign(stop=t["stop"] - 12), "do not tile"),
        (lambda t: t.assign(start=[0, 1188]), "do not tile"),
        (lambda t: t.iloc[::-1], "do not tile"),
        (lambda t: t.assign(rate_hz=-1), "rate_hz -1 is not positive"),
        (lambda t: t.assign(sex="F"), "is not one of"),
        (lambda t: t.drop(columns="fold"), "records have columns"),
    ],
)
def test_a_store_that_breaks_the_form_is_not_read(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    manifest = alter(write(tmp_path, [record("a"), record("b", 20)]), change)
    with pytest.raises(ValueError, match=message):
        read_record_store(manifest)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", [RECORDS, EXCLUDED])
def test_a_flipped_byte_is_noticed_in_every_file(tmp_path: Path, name: str) -> None:
    manifest = write(tmp_path, [record("a"), Exclusion("x", "flat", "signal", "0", "some")])
    flip(tmp_path / name)
    with pytest.raises(IntegrityError, match=f"{name}: content changed"):
        read_record_store(manifest)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    store = read_record_store(write(tmp_path, [record("a")]))
    (tmp_path / "shards" / "0" / SIGNALS).unlink()
    with pytest.raises(IntegrityError, match=r"signals\.npy: listed in the manifest but absent"):
        store.signal(0)


def test_released_signals_come_back_as_they_were_and_are_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = record("a")
    store = read_record_store(write(tmp_path, [item]))
    assert store.signal(0).shape == (12, 100)
    store.release()
    monkeypatch.setattr("codeii.artifacts.record_store.check_files", lambda folder, files: pytest.fail("hashed again"))
    np.testing.assert_array_equal(store.signal(0), item.signal_uv)
