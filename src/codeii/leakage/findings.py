"""What recordings and patients in two places mean for splits, for pretraining and for blind tests."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from codeii.artifacts.leakage import PRETRAINED_BY_OTHERS

Key = tuple[str, str]  # source, record_id
LATER = (("train", "validation"), ("train", "test"), ("validation", "test"))  # a split, and one it must not reach into


class Finding(NamedTuple):
    """One record and the one it should not be beside: the door's `FINDING_COLUMNS`, but the last."""

    kind: str
    task: str
    split: str
    source: str
    record_id: str
    other_task: str
    other_split: str
    other_source: str
    other_record_id: str
    why: str


class Overlap(NamedTuple):
    """How many held-out records share something with a training split: the door's `OVERLAP_COLUMNS`."""

    trained_on: str
    task: str
    split: str
    held_out: int
    records: int
    patients: int
    recordings: int


@dataclass(frozen=True, slots=True)
class Side:
    """The records of one split of a task."""

    task: str
    split: str
    source: str
    rows: tuple[tuple[str, str], ...]  # record_id, patient_id

    def place(self, record_id: str) -> tuple[str, str, str, str]:
        """How a finding names a record of this side."""
        return self.task, self.split, self.source, record_id


def side(task: str, source: str, table: pd.DataFrame, split: str) -> Side:
    """One split of a task's table of targets."""
    rows = table[table["split"] == split]
    return Side(task, split, source, tuple(zip(rows["record_id"], rows["patient_id"], strict=True)))


def recordings_of(pairs: pd.DataFrame) -> dict[Key, Key]:
    """One name for all records that are one recording, directly or through a third: the first of them.

    Records whose recording occurs once are not in it. pairs : source_a, record_a, source_b, record_b.
    """
    parent: dict[Key, Key] = {}

    def root(key: Key) -> Key:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    columns = (pairs[name] for name in ("source_a", "record_a", "source_b", "record_b"))
    for source_a, record_a, source_b, record_b in zip(*columns, strict=True):
        one, other = (source_a, record_a), (source_b, record_b)
        parent.setdefault(one, one)
        parent.setdefault(other, other)
        first, last = sorted((root(one), root(other)))
        parent[last] = first
    return {key: root(key) for key in parent}


def shared(known: Side, held: Side, recordings: Mapping[Key, Key]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each held-out record that a known side shares something with: what it is -> the known record.

    "record" and "patient" are ids, compared inside a source only: two sources' ids never mean the same. "recording" is
    the signal, wherever it comes from.
    """
    names: dict[str, dict[object, str]] = {"record": {}, "patient": {}, "recording": {}}
    for record, patient in known.rows:
        name = recordings.get((known.source, record))
        if name is not None:
            names["recording"].setdefault(name, record)
        if known.source == held.source:
            names["record"][record] = record
            names["patient"].setdefault(patient, record)
    for record, patient in held.rows:
        of = {"record": record, "patient": patient, "recording": recordings.get((held.source, record))}
        found = {what: names[what][key] for what, key in of.items() if key in names[what]}
        if found:
            yield record, found


def within_task(sides: Mapping[str, Side], recordings: Mapping[Key, Key]) -> Iterator[Finding]:
    """Patients and recordings in more than one split of a task; sides : split -> its records."""
    for first, second in LATER:
        for record, found in shared(sides[first], sides[second], recordings):
            for what in found:
                kind = "patient_in_two_splits" if what == "patient" else "recording_in_two_splits"
                places = (*sides[second].place(record), *sides[first].place(found[what]))
                yield Finding(kind, *places, f"the same {what}")


def against_training(trained: Side, held: Side, recordings: Mapping[Key, Key]) -> Iterator[Finding]:
    """Held-out records of a task that a network has met in the training split of the task it starts from."""
    for record, found in shared(trained, held, recordings):
        what, other = next(iter(found.items()))
        places = (*held.place(record), *trained.place(other))
        yield Finding("pretraining_on_held_out", *places, f"the same {what}")


def overlap(trained: Side, held: Side, recordings: Mapping[Key, Key]) -> Overlap:
    """How much of a held-out split was met in a training split."""
    counts = Counter(what for _, found in shared(trained, held, recordings) for what in found)
    numbers = (counts["record"], counts["patient"], counts["recording"])
    return Overlap(trained.task, held.task, held.split, len(held.rows), *numbers)


def against_blind_test(trained: Side, source: str, recordings: Mapping[Key, Key]) -> Iterator[Finding]:
    """Recordings of a source whose labels are withheld that the network judged on it was trained on."""
    inside: dict[Key, str] = {}
    for (of_source, record), name in recordings.items():
        if of_source == source:
            inside.setdefault(name, record)
    for record, _ in trained.rows:
        name = recordings.get((trained.source, record), ("", ""))
        if name in inside:
            places = (trained.task, "blind test", source, inside[name], *trained.place(record))
            yield Finding("training_on_blind_test", *places, "the same recording")


def noted(pairs: pd.DataFrame, split_of: Mapping[str, Mapping[Key, str]]) -> Iterator[Finding]:
    """Every pair, as a note: recordings twice in a source, and in two sources.

    split_of : task -> its records and their splits
    """
    columns = (pairs[name] for name in ("source_a", "record_a", "source_b", "record_b", "match", "overlap_s", "lag_s"))
    for source_a, record_a, source_b, record_b, match, seconds, lag_s in zip(*columns, strict=True):
        places = [
            f"{task} ({split})"
            for task, splits in split_of.items()
            if (split := splits.get((source_a, record_a))) and split == splits.get((source_b, record_b))
        ]
        kind = "recording_twice" if source_a == source_b else "recording_in_two_sources"
        how = "identical" if match == "identical" else f"{float(seconds):.1f} s shared, {float(lag_s):+.2f} s apart"
        why = f"{how}; both in {', '.join(places)}" if places else how
        yield Finding(kind, "", "", source_b, record_b, "", "", source_a, record_a, why)


def noted_weights(
    source_of: Mapping[str, str], experiments: Mapping[str, Mapping[str, Any]], weights: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """A note for each task that starts from weights published by others: whether these have seen its source, and the
    sources of blind tests that are predicted.

    Their training data are not here, so that no record can be compared: what is said of them is repeated.
    source_of : task -> its source; weights : name -> `data`, `sources` (yes, no or undetermined), `known`
    """
    asked = {
        (way["task"], source, name)
        for way in experiments.values()
        for name in way.get("weights", ())
        for source in (source_of[way["task"]], *way.get("predict", ()))
    }
    for task, source, name in sorted(asked):
        said = weights[name]
        why = f"{said['sources'].get(source, 'undetermined')}: pretrained on {said['data']} ({said['known']})"
        yield Finding(PRETRAINED_BY_OTHERS, task, "test", source, "any", "", "", "weights", name, why)
