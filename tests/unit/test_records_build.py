"""The record store of a source, from a raw archive through the gates."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from codeii.artifacts.manifest import IntegrityError
from codeii.artifacts.raw_archive import write_raw_archive
from codeii.artifacts.record_store import RecordStore, read_record_store
from codeii.records.build import build_record_shard, five_numbers, gather_records
from codeii.schema.leads import in_standard_order
from codeii.schema.record import Card, Exclusion, Record
from codeii.schema.shard import WHOLE, Shard

CARD = Card("Fake", "1", "", "", None, None, (500,), 60, "standard", "uV", "", "", ("none",), "")

Item = Record | Exclusion


def good(name: str, samples: int = 1000, seed: int = 0, **changes: object) -> Record:
    rng = np.random.default_rng(seed)
    smooth = np.convolve(rng.normal(0, 1, samples * 8), np.ones(20), "same").reshape(8, samples)
    signal = np.rint(1000 * smooth / np.abs(smooth).max()).astype(np.int16)
    signal = in_standard_order(signal, ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"])
    return replace(Record(name, f"e{name}", f"p{name}", 1, signal, 500, {"AF": None}, "1", 60.0, "female"), **changes)


Build = Callable[..., RecordStore]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds the record store of a source whose reader yields the given items."""

    def run(items: list[Item], max_faulty_share: float = 0.05, origin: str = "local", shards: int = 1) -> RecordStore:
        folder = tmp_path / "raw"
        folder.mkdir(exist_ok=True)
        (folder / "signals.bin").write_bytes(b"as published")
        raw = write_raw_archive(
            folder, folder, [folder / "signals.bin"], source="fake", origin=origin, settings={}, code="c"
        )

        def read_records(root: Path, options: Mapping[str, object], shard: Shard = WHOLE) -> Iterator[Item]:
            assert (root / "signals.bin").read_bytes() == b"as published" and options == {"form": "contest"}
            yield from shard.of(items, block=1)

        module = ModuleType("codeii.sources.fake")
        module.CARD, module.read_records = CARD, read_records  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "codeii.sources.fake", module)
        folders = [tmp_path / "records" / "shards" / str(index) for index in range(shards)]
        for index, shard in enumerate(folders):
            settings = {"layout": {"form": "contest"}, "shard": {"index": index, "count": shards}}
            build_record_shard(raw, "fake", settings, "code1", shard)
        made = [shard / "manifest.json" for shard in folders]
        gather_records(made, "fake", {"max_faulty_share": max_faulty_share}, "code1", tmp_path / "records")
        return read_record_store(tmp_path / "records" / "manifest.json")

    return run


def test_records_are_stored_in_the_sources_order_as_they_were(build: Build) -> None:
    items = [good("b", 800), good("a", 1200, seed=1), good("c", seed=2)]
    store = build(items)
    assert store.records["record_id"].tolist() == ["b", "a", "c"]
    for row, item in enumerate(items):
        np.testing.assert_array_equal(store.signal(row), item.signal_uv)
    assert list(store.statements()) == [{"AF": None}] * 3
    assert store.manifest.code == "code1" and len(store.manifest.inputs) == 1


def test_shards_hold_the_same_records_and_are_judged_as_a_whole(build: Build) -> None:
    flat = good("flat", signal_uv=np.zeros((12, 1000), np.int16))
    items: list[Item] = [good("a"), flat, good("c", seed=2), good("d", seed=3), good("e", seed=4)]
    store = build(items, max_faulty_share=0.2, shards=3)  # a share of the whole: shard 1 alone has half
    assert store.records["record_id"].tolist() == ["a", "d", "e", "c"]
    assert store.records["shard"].tolist() == [0, 0, 1, 2]
    np.testing.assert_array_equal(store.signal(3), good("c", seed=2).signal_uv)
    assert store.excluded["record_id"].tolist() == ["flat"] and store.manifest.facts["faulty"] == 1


@pytest.mark.parametrize(("origin", "synthetic"), [("synthetic", True), ("local", False)])
def test_the_store_says_whether_its_records_are_synthetic(build: Build, origin: str, synthetic: bool) -> None:
    assert build([good("a")], origin=origin).manifest.synthetic is synthetic


def test_a_partial_copy_is_normal_and_counted(build: Build) -> None:
    missing = [Exclusion(f"m{n}", "absent", "file", "no such file", "a signal file") for n in range(50)]
    store = build([*missing[:25], good("a"), *missing[25:]], max_faulty_share=0.0)
    assert len(store.records) == 1 and len(store.excluded) == 50
    assert store.manifest.facts["absent"] == 50 and store.manifest.facts["faulty"] == 0
    assert store.manifest.facts["excluded"] == {"absent": 50}


def test_every_fault_is_named_once_and_the_rest_is_kept(build: Build) -> None:
    tiny = (good("x").signal_uv // 100).astype(np.int16)
    items: list[Item] = [
        good("a"),
        good("a", seed=1),
        good("flat", signal_uv=np.zeros((12, 1000), np.int16)),
        good("tiny", signal_uv=tiny),
        good("rate", rate_hz=250),
        good("short", samples=499),
        Exclusion("torn", "unreadable", "file", "3 bytes", "24024 bytes"),
        good("z", seed=2),
    ]
    store = build(items, max_faulty_share=0.8)
    assert store.records["record_id"].tolist() == ["a", "z"]
    np.testing.assert_array_equal(store.signal(0), items[0].signal_uv)
    reasons = dict(zip(store.excluded["record_id"], store.excluded["reason"], strict=True))
    assert reasons == {
        "a": "duplicate_id",
        "flat": "flat",
        "tiny": "wrong_amplitude",
        "rate": "wrong_rate",
        "short": "wrong_length",
        "torn": "unreadable",
    }
    assert store.manifest.facts["faulty"] == 6


def test_too_many_faults_stop_the_build_and_leave_no_store(build: Build, tmp_path: Path) -> None:
    flat = [good(f"f{n}", signal_uv=np.zeros((12, 1000), np.int16)) for n in range(2)]
    with pytest.raises(ValueError, match=r"source fake: 2 of 10 records present are faulty .*2 flat.*f0: signal found"):
        build([*flat, *(good(f"g{n}", seed=n) for n in range(8))])
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["shards"]


def test_a_source_without_records_stops_the_build(build: Build) -> None:
    with pytest.raises(ValueError, match="no record is left; 1 of those its metadata names are absent"):
        build([Exclusion("a", "absent", "file", "no such file", "a file")], max_faulty_share=1.0)


def test_a_wrong_unit_of_the_whole_source_stops_the_build(build: Build) -> None:
    items = [good(f"g{n}", seed=n, signal_uv=(good("x", seed=n).signal_uv // 8).astype(np.int16)) for n in range(3)]
    with pytest.raises(ValueError, match="the unit or gain of the whole source is wrong"):
        build(items, max_faulty_share=1.0)


def test_a_changed_raw_file_stops_the_build(build: Build, tmp_path: Path) -> None:
    build([good("a")])
    (tmp_path / "raw" / "signals.bin").write_bytes(b"as publishee")
    with pytest.raises(IntegrityError, match=r"signals\.bin: content changed"):
        build_record_shard(
            tmp_path / "raw" / "manifest.json", "fake", {"layout": {}, "shard": {"index": 0, "count": 1}}, "c", tmp_path
        )


def test_the_manifest_tells_what_the_records_are(build: Build) -> None:
    dead = good("c", 2000, seed=2).signal_uv.copy()
    dead[6:] = 0
    store = build(
        [good("a", 1000), good("b", 1500, seed=1, age_years=np.nan, sex="unknown"), good("c", signal_uv=dead)]
    )
    facts = store.manifest.facts
    assert facts["source"] == "fake" and facts["card"]["title"] == "Fake" and facts["card"]["rates_hz"] == [500]
    assert facts["rates_hz"] == {"500": 3} and facts["sexes"] == {"female": 2, "unknown": 1}
    assert facts["flags"] == {f"flat_lead:V{n}": 1 for n in range(1, 7)}
    assert facts["length_s"]["minimum"] == 2.0 and facts["length_s"]["maximum"] == 4.0
    assert facts["age_years"]["unknown"] == 1 and facts["age_years"]["median"] == 60.0
    assert 1 < facts["largest_peak_to_peak_mv"]["median"] < 4
    assert store.records["flags"].tolist()[2] == " ".join(f"flat_lead:V{n}" for n in range(1, 7))


def test_no_known_value_has_no_quartiles() -> None:
    assert five_numbers(pd.Series([np.nan, np.nan])) == {"unknown": 2}
