"""What two places mean: splits, pretraining, blind tests, waivers, and the refusal."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from codeii.artifacts.duplicates import PAIR_COLUMNS, UNSEARCHED_COLUMNS, write_duplicates
from codeii.artifacts.leakage import REFUSED, read_leakage
from codeii.artifacts.targets import write_targets
from codeii.leakage.findings import overlap, recordings_of, shared, side, within_task
from codeii.leakage.gate import check_leakage
from codeii.schema.params import Waiver
from codeii.schema.splits import SPLITS

MADE = {"code": "c", "inputs": [], "synthetic": True}


def pairs(*rows: tuple[str, str], match: str = "near") -> pd.DataFrame:
    """Pairs of `source/record`."""
    lines = [
        (*one.split("/"), *other.split("/"), match, 1.0, 1.0, 0.5 if match == "near" else 0.0, 8.0, 1.0)
        for one, other in rows
    ]
    return pd.DataFrame(lines, columns=list(PAIR_COLUMNS))


def table(**splits: list[str]) -> pd.DataFrame:
    """Record `r1` of patient `p1`, or `r1:p9` of another."""
    rows = []
    for split, records in splits.items():
        for text in records:
            record, _, patient = text.partition(":")
            rows.append((record, record, patient or record.replace("r", "p"), split, 50.0, "male"))
    return pd.DataFrame(rows, columns=["record_id", "exam_id", "patient_id", "split", "age_years", "sex"])


def sides(source: str, of: pd.DataFrame, task: str = "t") -> dict[str, Any]:
    return {split: side(task, source, of, split) for split in SPLITS}


# --- the pieces ---


def test_a_recording_is_one_through_a_third_source() -> None:
    names = recordings_of(pairs(("b/2", "a/1"), ("b/2", "c/3"), ("d/4", "d/5")))
    assert names[("a", "1")] == names[("b", "2")] == names[("c", "3")] == ("a", "1")
    assert names[("d", "5")] == ("d", "4")
    assert ("e", "6") not in names


def test_a_long_chain_of_pairs_is_one_recording() -> None:
    chain = pairs(*((f"a/{n + 1}", f"a/{n}") for n in range(5000)))
    assert len(set(recordings_of(chain).values())) == 1


def test_ids_of_two_sources_never_mean_the_same() -> None:
    known, held = side("a", "one", table(train=["r1"]), "train"), side("b", "two", table(test=["r1"]), "test")
    assert list(shared(known, held, {})) == []
    same = side("b", "one", table(test=["r1"]), "test")
    assert list(shared(known, same, {})) == [("r1", {"record": "r1", "patient": "r1"})]


def test_a_patient_and_a_recording_across_splits_are_told_once_each() -> None:
    of = sides("s", table(train=["r1", "r2"], validation=["r3:p1"], test=["r4", "r5:p1"]))
    found = list(within_task(of, recordings_of(pairs(("s/r2", "s/r4")))))
    told = {(leak.kind, leak.record_id, leak.split, leak.other_record_id, leak.other_split) for leak in found}
    assert told == {
        ("patient_in_two_splits", "r3", "validation", "r1", "train"),
        ("patient_in_two_splits", "r5", "test", "r1", "train"),
        ("patient_in_two_splits", "r5", "test", "r3", "validation"),
        ("recording_in_two_splits", "r4", "test", "r2", "train"),
    }


def test_a_recording_twice_in_one_split_is_no_leak() -> None:
    of = sides("s", table(train=["r1", "r2"], test=["r3"]))
    assert list(within_task(of, recordings_of(pairs(("s/r1", "s/r2"))))) == []


def test_an_overlap_counts_records_patients_and_recordings_apart() -> None:
    trained = side("a", "s", table(train=["r1", "r2", "r3"]), "train")
    held = side("b", "s", table(test=["r1", "r9:p2", "r4", "r5"]), "test")
    found = overlap(trained, held, recordings_of(pairs(("s/r3", "x/1"), ("x/1", "s/r4"))))
    assert found == ("a", "b", "test", 4, 1, 2, 1)


@pytest.mark.parametrize("given", [{"kind": "patient_in_two_splits"}, {"kind": "recording_twice", "task": "t"}])
def test_a_waiver_names_what_it_is_for(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Waiver.model_validate({**given, "reason": "because"})


# --- the gate ---


def targets(folder: Path, task: str, source: str, of: pd.DataFrame) -> Path:
    settings = {"name": task, "task": {"source": source}}
    matrix = np.ones((len(of), 1), np.uint8)
    return write_targets(folder / task, of, matrix, ["any"], settings=settings, facts={"source": source}, **MADE)


def run(folder: Path, found: pd.DataFrame, waive: list[dict[str, Any]] | None = None, seen: str = "pre") -> Path:
    """A study that pretrains on one source and is tested on another, with a blind source."""
    unsearched = pd.DataFrame([("rest", "u1", "still")], columns=list(UNSEARCHED_COLUMNS))
    facts = {"records": {"one": 6, "two": 3}, "candidates": 3, "windows": 99}
    duplicates = write_duplicates(folder / "pairs", found, unsearched, settings={}, facts=facts, **MADE)
    tasks = [
        targets(folder, "pre", "one", table(train=["r1", "r2"], validation=["r3"], test=["r4"])),
        targets(folder, "transfer", "two", table(train=["r1"], validation=["r2"], test=["r3"])),
    ]
    experiments = {
        "pretraining": {"task": "pre", "seen": [], "predict": ["blind"]},
        "transfer": {"task": "transfer", "seen": [seen], "predict": []},
    }
    settings = {"experiments": experiments, "waive": waive or []}
    check_leakage(duplicates, tasks, settings, "c", folder / "out")
    return folder / "out/manifest.json"


def test_a_clean_study_passes_and_says_what_was_compared(tmp_path: Path) -> None:
    found = read_leakage(run(tmp_path, pairs()))
    assert len(found.findings) == 0
    assert found.overlaps[["trained_on", "task", "split", "held_out"]].to_numpy().tolist() == [
        ["pre", "pre", "validation", 1],
        ["pre", "pre", "test", 1],
        ["pre", "transfer", "validation", 1],
        ["pre", "transfer", "test", 1],
        ["transfer", "transfer", "validation", 1],
        ["transfer", "transfer", "test", 1],
    ]
    assert found.overlaps[["records", "patients", "recordings"]].to_numpy().sum() == 0
    assert found.manifest.facts["records"] == {"one": 6, "two": 3}
    assert found.manifest.synthetic


LEAKS = {
    "recording_in_two_splits": ("one/r1", "one/r4"),
    "pretraining_on_held_out": ("one/r2", "two/r3"),
    "training_on_blind_test": ("one/r2", "blind/b7"),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_stops_with_both_records_named_and_a_file_of_all(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError) as caught:
        run(tmp_path, pairs(LEAKS[kind]))
    said = str(caught.value)
    assert f"1 leak into what the scores are counted on: 1 {kind.replace('_', ' ')}" in said
    assert all(record in said for record in LEAKS[kind])
    assert str(tmp_path / "out" / REFUSED) in said and f"{{kind: {kind}, records: [" in said
    refused = pd.read_csv(tmp_path / "out" / REFUSED)
    assert refused["kind"].tolist() == [kind]
    assert not (tmp_path / "out/manifest.json").exists()


@pytest.mark.parametrize("kind", LEAKS)
@pytest.mark.parametrize("by_task", [True, False])
def test_a_waived_leak_passes_with_its_reason(tmp_path: Path, kind: str, by_task: bool) -> None:
    with pytest.raises(ValueError):
        run(tmp_path, pairs(LEAKS[kind]))
    task = "transfer" if kind == "pretraining_on_held_out" else "pre"
    waiver = {"kind": kind, "reason": "to see what it does"}
    waiver |= {"task": task} if by_task else {"records": list(LEAKS[kind])}
    found = read_leakage(run(tmp_path, pairs(LEAKS[kind]), [waiver]))
    leaks = found.findings[found.findings["kind"] == kind]
    assert leaks["waived"].tolist() == ["to see what it does"]
    assert not (tmp_path / "out" / REFUSED).exists(), "the list of an earlier refusal is left"
    assert found.manifest.facts["unused_waivers"] == []


@pytest.mark.parametrize(
    "waiver",
    [
        {"kind": "recording_in_two_splits", "task": "transfer"},
        {"kind": "pretraining_on_held_out", "task": "pre"},
        {"kind": "pretraining_on_held_out", "records": ["one/r1", "two/r3"]},
    ],
)
def test_a_waiver_of_something_else_waives_nothing(tmp_path: Path, waiver: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="pretraining_on_held_out"):
        run(tmp_path, pairs(LEAKS["pretraining_on_held_out"]), [{**waiver, "reason": "no"}])


def test_a_waiver_that_covers_nothing_is_told(tmp_path: Path) -> None:
    waiver = {"kind": "training_on_blind_test", "task": "pre", "reason": "once upon a time"}
    found = read_leakage(run(tmp_path, pairs(), [waiver]))
    assert [one["kind"] for one in found.manifest.facts["unused_waivers"]] == ["training_on_blind_test"]


def test_pretraining_on_the_tasks_own_source_is_a_leak_by_id(tmp_path: Path) -> None:
    """The folds of two tasks on one source may differ: the record's id is enough."""
    of = {
        "pre": table(train=["r1", "r2"], validation=["r5"], test=["r4"]),
        "transfer": table(train=["r4"], validation=["r2"], test=["r9:p1"]),
    }
    facts = {"records": {"one": 6}, "candidates": 0, "windows": 9}
    nothing = pd.DataFrame(columns=list(UNSEARCHED_COLUMNS))
    duplicates = write_duplicates(tmp_path / "pairs", pairs(), nothing, settings={}, facts=facts, **MADE)
    tasks = [targets(tmp_path, name, "one", rows) for name, rows in of.items()]
    experiments = {"x": {"task": "transfer", "seen": ["pre"], "predict": []}}
    with pytest.raises(ValueError) as caught:
        check_leakage(duplicates, tasks, {"experiments": experiments, "waive": []}, "c", tmp_path / "out")
    assert "one/r2 (transfer, validation) is the same record as one/r2 (pre, train)" in str(caught.value)
    assert "one/r9 (transfer, test) is the same patient as one/r1 (pre, train)" in str(caught.value)


def test_what_stands_beside_itself_is_told_and_stops_nothing(tmp_path: Path) -> None:
    found = read_leakage(run(tmp_path, pairs(("one/r1", "one/r2"), ("one/r3", "rest/9"), ("rest/8", "rest/7"))))
    told = found.findings.set_index("record_id")
    assert told.loc["r2", "kind"] == "recording_twice" and told.loc["r2", "why"].endswith("both in pre (train)")
    assert told.loc["9", "kind"] == "recording_in_two_sources"
    assert told.loc["7", "why"] == "8.0 s shared, +0.50 s apart"


def test_many_leaks_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    blind = [("one/r1", "blind/b1"), ("one/r2", "blind/b2"), ("one/r1", "one/r3"), ("one/r2", "one/r4")]
    with pytest.raises(ValueError) as caught:
        run(tmp_path, pairs(*blind, ("one/r2", "two/r2"), ("one/r1", "two/r3")))
    said = str(caught.value)
    assert (
        "6 leaks" in said and "2 recording in two splits, 2 pretraining on held out, 2 training on blind test" in said
    )
    assert said.count("is the same recording as") == 5
    assert len(pd.read_csv(tmp_path / "out" / REFUSED)) == 6
