"""Doors of the search and of the check: what is written is read, and each broken invariant is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codeii.artifacts.duplicates import (
    PAIR_COLUMNS,
    PAIRS,
    UNSEARCHED_COLUMNS,
    VECTORS,
    DescribedRecord,
    by_record,
    read_descriptors,
    read_duplicates,
    write_descriptors,
    write_duplicates,
)
from codeii.artifacts.leakage import FINDING_COLUMNS, FINDINGS, OVERLAP_COLUMNS, read_leakage, write_leakage
from codeii.artifacts.manifest import IntegrityError

MADE: dict[str, Any] = {"settings": {"source": "s"}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}


def described(*windows: int, numbers: int = 4) -> list[DescribedRecord]:
    found = []
    for number, count in enumerate(windows):
        row = {"record_id": f"r{number}", "exam_id": f"e{number}", "patient_id": "p", "rate_hz": 500, "samples": 5000}
        vectors = np.arange(count * numbers, dtype=np.float16).reshape(count, numbers) + number
        seconds = np.arange(count, dtype=np.float32)
        found.append(DescribedRecord({**row, "signal_sha256": f"{number:064x}"}, seconds, vectors))
    return found


def test_descriptors_come_back_record_by_record(tmp_path: Path) -> None:
    given = described(3, 0, 2)
    found = read_descriptors(write_descriptors(tmp_path, iter(given), 4, **MADE))
    assert found.records["windows"].tolist() == [3, 0, 2]
    assert isinstance(found.vectors, np.memmap)
    for record, where in zip(given, by_record(found), strict=True):
        np.testing.assert_array_equal(found.vectors[where], record.vectors)
        np.testing.assert_array_equal(found.seconds[where], record.seconds)
    assert found.manifest.facts == {"records": 3, "windows": 5}


def test_a_source_without_windows_is_read(tmp_path: Path) -> None:
    found = read_descriptors(write_descriptors(tmp_path, described(0, 0), 4, **MADE))
    assert found.vectors.shape == (0, 4) and len(found.records) == 2


def test_vectors_of_another_shape_are_refused_by_name(tmp_path: Path) -> None:
    odd = DescribedRecord(described(1)[0].row, np.zeros(2, np.float32), np.zeros((1, 4), np.float16))
    with pytest.raises(ValueError, match="record r0: "):
        write_descriptors(tmp_path, [odd], 4, **MADE)
    assert not (tmp_path / "manifest.json").exists()


def test_an_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'r0' occurs more than once"):
        write_descriptors(tmp_path, [*described(1), *described(1)], 4, **MADE)


def test_a_changed_vector_is_noticed(tmp_path: Path) -> None:
    manifest = write_descriptors(tmp_path, described(3), 4, **MADE)
    content = (tmp_path / VECTORS).read_bytes()
    (tmp_path / VECTORS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(IntegrityError, match=VECTORS):
        read_descriptors(manifest)


PAIR = ("a", "007", "b", "1e3", "near", 0.9991234, 0.5, -1.25, 7.5, -2.0)


def write_pairs(folder: Path, *rows: tuple[Any, ...]) -> Path:
    unsearched = pd.DataFrame([("a", "1", "still")], columns=list(UNSEARCHED_COLUMNS))
    return write_duplicates(folder, pd.DataFrame(rows, columns=list(PAIR_COLUMNS)), unsearched, **MADE)


def test_pairs_come_back_with_their_names(tmp_path: Path) -> None:
    found = read_duplicates(write_pairs(tmp_path, PAIR))
    assert tuple(found.pairs.iloc[0]) == PAIR
    assert found.manifest.facts == {"pairs": {"identical": 0, "near": 1}, "unsearched": 1}


def test_no_pairs_are_pairs_too(tmp_path: Path) -> None:
    assert len(read_duplicates(write_pairs(tmp_path)).pairs) == 0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("a", "1", "a", "1", *PAIR[4:]), "'1' is paired with itself"),
        ((*PAIR[:4], "alike", *PAIR[5:]), r"match \['alike'\] is not one of"),
    ],
)
def test_an_impossible_pair_is_refused(tmp_path: Path, row: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_pairs(tmp_path, row)


def test_a_pair_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    manifest = write_pairs(tmp_path, PAIR)
    (tmp_path / PAIRS).write_text((tmp_path / PAIRS).read_text().replace("007", "008"))
    with pytest.raises(IntegrityError, match=PAIRS):
        read_duplicates(manifest)


LEAK = ("recording_in_two_splits", "t", "test", "a", "01", "t", "train", "a", "02", "the same recording")
NOTE = ("recording_twice", "", "", "a", "01", "", "", "a", "02", "identical")


def write_findings(
    folder: Path, *rows: tuple[str, ...], overlap: tuple[Any, ...] = ("a", "b", "test", 9, 0, 1, 2)
) -> Path:
    findings = pd.DataFrame(rows, columns=list(FINDING_COLUMNS))
    overlaps = pd.DataFrame([overlap], columns=list(OVERLAP_COLUMNS))
    return write_leakage(folder, findings, overlaps, **MADE)


def test_findings_come_back_with_their_reasons(tmp_path: Path) -> None:
    found = read_leakage(write_findings(tmp_path, (*LEAK, "known, and meant"), (*NOTE, "")))
    assert found.findings["waived"].tolist() == ["known, and meant", ""]
    assert found.findings["record_id"].tolist() == ["01", "01"]
    assert tuple(found.overlaps.iloc[0]) == ("a", "b", "test", 9, 0, 1, 2)
    assert found.manifest.facts["findings"]["recording_in_two_splits"] == 1


def test_a_leak_without_a_waiver_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 leaks are neither mended nor waived"):
        write_findings(tmp_path, (*LEAK, ""))
    assert not (tmp_path / FINDINGS).exists()


def test_an_unknown_kind_and_an_impossible_overlap_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"kind \['odd'\] is not one of"):
        write_findings(tmp_path, ("odd", *NOTE[1:], ""))
    with pytest.raises(ValueError, match="more records overlap than are held out"):
        write_findings(tmp_path, overlap=("a", "b", "test", 3, 0, 4, 0))


def test_a_reason_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    manifest = write_findings(tmp_path, (*LEAK, "meant"))
    (tmp_path / FINDINGS).write_text((tmp_path / FINDINGS).read_text().replace("meant", "fine"))
    with pytest.raises(IntegrityError, match=FINDINGS):
        read_leakage(manifest)
