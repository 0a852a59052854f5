"""The search on published recordings: copies the publishers made are found, and no two others are called one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.recordings import Signal, disguised, searched

from codeii.formats.wfdb import read_record
from codeii.leakage.search import search
from codeii.schema.record import Record, RecordFault
from codeii.sources import code15, cpsc2018, ptbxl

Recording = tuple[str, str, str, Signal]


def of_source(name: str, found: Iterator[object]) -> list[Recording]:
    records = [item for item in found if isinstance(item, Record)]
    return [(name, item.record_id, item.patient_id, (item.signal_uv, item.rate_hz)) for item in records]


def of_challenge(folder: Path) -> list[Recording]:
    found = []
    for header in sorted(folder.rglob("*.hea")):
        try:
            tracing = read_record(header.with_suffix(""))
        except RecordFault:
            continue  # E00271, whose header names its file and not itself
        found.append((header.parts[-3], header.stem, header.stem, (tracing.signal_uv, tracing.rate_hz)))
    return found


@pytest.fixture(scope="module")
def published(shared: Path) -> list[Recording]:
    """PTB-XL at 500 Hz, CPSC 2018 in all its forms, CODE-15%, and the Challenge's other sets."""
    data = shared / "data"
    recordings = of_source("ptbxl", ptbxl.read_records(data / "ptbxl", {}))
    recordings += of_source("cpsc2018", cpsc2018.read_records(data, {}))
    recordings += of_source("code15", code15.read_records(data / "code15", {}))
    training = data / "challenge2021/training"
    for folder in sorted(training.iterdir()):
        if folder.name != "cpsc_2018":
            recordings += of_challenge(folder)
    return recordings + of_challenge(data / "challenge2021_wfdb_style")


def pairs_among(recordings: list[Recording]) -> pd.DataFrame:
    return search(searched(recordings), lambda row: recordings[row][3][0]).pairs


def test_ptbxl_inside_the_challenge_is_found_and_nothing_else(published: list[Recording]) -> None:
    assert [sum(source == name for source, *_ in published) for name in ("ptbxl", "cpsc2018")] == [149, 47]
    pairs = pairs_among(published)
    names = set(zip(pairs["source_a"], pairs["record_a"], pairs["source_b"], pairs["record_b"], strict=True))
    assert names == {("ptbxl", str(number), "ptb-xl", f"HR{number:05d}") for number in range(1, 6)}
    assert set(pairs["match"]) == {"identical"}


def test_every_ptbxl_record_is_found_at_its_other_rate(shared: Path, published: list[Recording]) -> None:
    at_100_hz = of_source("ptbxl100", ptbxl.read_records(shared / "data/ptbxl", {"rate_hz": 100}))
    pairs = pairs_among([item for item in published if item[0] == "ptbxl"] + at_100_hz)
    assert len(pairs) == 149 and (pairs["record_a"] == pairs["record_b"]).all()
    assert pairs["correlation"].min() > 0.9999


def test_every_disguised_copy_is_found(published: list[Recording]) -> None:
    rng = np.random.default_rng(1)
    originals = [item for item in published if item[0] != "ptb-xl"]
    copies, expected = [], set()
    for number, (source, record, _, signal) in enumerate(originals):
        copies.append(("planted", f"copy{number}", f"somebody{number}", disguised(rng, signal)[0]))
        expected.add((source, record, f"copy{number}"))
    pairs = pairs_among([*originals, *copies])
    found = set(zip(pairs["source_a"], pairs["record_a"], pairs["record_b"], strict=True))
    assert found == expected
