"""The door of the records: what goes in comes out, and nothing else goes through."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codeii.artifacts.manifest import IntegrityError, read_manifest, write_manifest
from codeii.artifacts.record_store import EXCLUDED, RECORDS, SIGNALS, RecordStore, read_record_store, write_record_store
from codeii.schema.record import Exclusion, Record


def record(name: str, samples: int = 100, **changes: object) -> Record:
    signal = np.random.default_rng(samples).integers(-900, 900, (12, samples)).astype(np.int16)
    made = Record(name, f"e{name}", f"p{name}", 1, signal, 500, {"SR": 100.0, "SCHÄDEL": None}, "1", 61.0, "male")
    return replace(made, **changes)


def write(folder: Path, items: list[Record | Exclusion] | Iterator[Record]) -> Path:
    return write_record_store(
        folder, items, settings={"layout": {}}, code="c", inputs=[], facts={"source": "fake"}, synthetic=True
    )


def alter(manifest: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """Change records.parquet and sign it again, as a faulty writer would."""
    folder, old = manifest.parent, read_manifest(manifest, "records")
    change(pd.read_parquet(folder / RECORDS)).to_parquet(folder / RECORDS, index=False)
    files = [SIGNALS, RECORDS, EXCLUDED]
    return write_manifest(
        folder, "records", files=files, settings={}, code="c", inputs=[], facts=old.facts, synthetic=True
    )


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    items = [record("a", 50), record("b", 300, flags=("clipped", "age_masked"), age_years=np.nan), record("c", 1)]
    store = read_record_store(write(tmp_path, items))
    assert isinstance(store, RecordStore) and isinstance(store.signals_uv, np.memmap)
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
    assert np.load(tmp_path / SIGNALS).shape == (360,)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    one = write(tmp_path / "one", [record("a"), record("b", 20)])
    other = write(tmp_path / "other", [record("a"), record("b", 20)])
    assert one.read_bytes() == other.read_bytes()


def test_a_store_without_records_can_be_read(tmp_path: Path) -> None:
    store = read_record_store(write(tmp_path, []))
    assert len(store.records) == 0 and len(store.signals_uv) == 0


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
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("name", [SIGNALS, RECORDS, EXCLUDED])
def test_a_flipped_byte_is_noticed_in_every_file(tmp_path: Path, name: str) -> None:
    manifest = write(tmp_path, [record("a"), Exclusion("x", "flat", "signal", "0", "some")])
    content = bytearray((tmp_path / name).read_bytes())
    content[-3] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{name}: content changed"):
        read_record_store(manifest)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    manifest = write(tmp_path, [record("a")])
    (tmp_path / SIGNALS).unlink()
    with pytest.raises(IntegrityError, match=r"signals\.npy: listed in the manifest but absent"):
        read_record_store(manifest)
