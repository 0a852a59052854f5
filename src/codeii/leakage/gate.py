"""The gate: every leak is mended or waived with a reason, or the study stops."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.duplicates import read_duplicates
from codeii.artifacts.leakage import FINDING_COLUMNS, LEAKS, OVERLAP_COLUMNS, REFUSED, write_leakage
from codeii.artifacts.targets import Targets, read_targets
from codeii.leakage.findings import (
    Finding,
    Key,
    Overlap,
    Side,
    against_blind_test,
    against_training,
    noted,
    noted_weights,
    overlap,
    recordings_of,
    side,
    within_task,
)
from codeii.schema.params import Waiver
from codeii.schema.splits import SPLITS

SHOWN = 5  # leaks named in the error; the file names all
HELD_OUT = ("validation", "test")
Sides = Mapping[str, Mapping[str, Side]]  # task -> split -> records


def check_leakage(
    duplicates: Path, targets: Sequence[Path], settings: Mapping[str, Any], code: str, folder: Path
) -> None:
    """Judge the splits of every task and the way of every experiment, and write the findings to `folder`.

    duplicates : manifest of the pairs of the study; targets : manifests of its tasks
    settings : `experiments` (name -> task, seen: the tasks its starts were trained on, weights: published by others
        that it starts from, predict: blind sources), `weights` (what these have seen, which no record is compared
        with) and `waive` (the list of params.yaml)

    Raises ValueError on leaks that are not waived; `refused.csv` in `folder` then lists them all.
    """
    found = read_duplicates(duplicates)
    tasks = {str(task.manifest.settings["name"]): task for task in map(read_targets, targets)}
    sides = {name: sides_of(name, task) for name, task in tasks.items()}
    recordings = recordings_of(found.pairs)
    leaks, overlaps = judge(sides, settings["experiments"], recordings)
    waivers = [Waiver.model_validate(waiver) for waiver in settings["waive"]]
    reasons = [reason_to_waive(leak, waivers) for leak in leaks]
    refuse(leaks, reasons, folder)
    notes = list(noted(found.pairs, {name: _split_of(of_task) for name, of_task in sides.items()}))
    source_of = {name: of_task["test"].source for name, of_task in sides.items()}
    notes += noted_weights(source_of, settings["experiments"], settings.get("weights", {}))
    rows = [
        (*finding, reason) for finding, reason in zip([*leaks, *notes], [*reasons, *[""] * len(notes)], strict=True)
    ]
    unused = [waiver.model_dump() for waiver in waivers if not any(matches(leak, waiver) for leak in leaks)]
    write_leakage(
        folder,
        pd.DataFrame(rows, columns=list(FINDING_COLUMNS)),
        pd.DataFrame(overlaps, columns=list(OVERLAP_COLUMNS)),
        settings=settings,
        code=code,
        inputs=[duplicates, *targets],
        facts={**found.manifest.facts, "unused_waivers": unused},
        synthetic=found.manifest.synthetic or any(task.manifest.synthetic for task in tasks.values()),
    )
    (folder / REFUSED).unlink(missing_ok=True)


def sides_of(name: str, task: Targets) -> dict[str, Side]:
    """The splits of one task."""
    source = str(task.manifest.settings["task"]["source"])
    return {split: side(name, source, task.table, split) for split in SPLITS}


def judge(
    sides: Sides, experiments: Mapping[str, Mapping[str, Any]], recordings: Mapping[Key, Key]
) -> tuple[list[Finding], list[Overlap]]:
    """Every leak of a study, and the overlap of each held-out split with each training split behind it."""
    leaks = [leak for of_task in sides.values() for leak in within_task(of_task, recordings)]
    ways = {(seen, way["task"]) for way in experiments.values() for seen in way["seen"] if seen != way["task"]}
    blind = {(way["task"], source) for way in experiments.values() for source in way["predict"]}
    overlaps = []
    for trained_on, task in sorted({*ways, *((name, name) for name in sides)}):
        trained = sides[trained_on]["train"]
        for split in HELD_OUT:
            overlaps.append(overlap(trained, sides[task][split], recordings))
            if trained_on != task:
                leaks += against_training(trained, sides[task][split], recordings)
    for task, source in sorted(blind):
        leaks += against_blind_test(sides[task]["train"], source, recordings)
    return leaks, overlaps


def reason_to_waive(leak: Finding, waivers: Iterable[Waiver]) -> str:
    """The reason of the first waiver that covers a leak, "" where none does."""
    return next((waiver.reason for waiver in waivers if matches(leak, waiver)), "")


def matches(leak: Finding, waiver: Waiver) -> bool:
    """Whether a waiver covers a leak: its kind, and its task or its two records."""
    both = {f"{leak.source}/{leak.record_id}", f"{leak.other_source}/{leak.other_record_id}"}
    of_task = waiver.task is None or waiver.task == leak.task
    return waiver.kind == leak.kind and of_task and (waiver.records is None or set(waiver.records) == both)


def refuse(leaks: Sequence[Finding], reasons: Sequence[str], folder: Path) -> None:
    """Raise ValueError where a leak is not waived, and list all of these in `refused.csv`."""
    left = [leak for leak, reason in zip(leaks, reasons, strict=True) if not reason]
    if not left:
        return
    with whole_file(folder / REFUSED) as temporary:
        pd.DataFrame(left, columns=list(FINDING_COLUMNS[:-1])).to_csv(temporary, index=False, lineterminator="\n")
    kinds = Counter(leak.kind for leak in left)
    counts = ", ".join(f"{kinds[kind]} {kind.replace('_', ' ')}" for kind in LEAKS if kinds[kind])
    raise ValueError(
        "\n".join(
            [
                f"{len(left)} leak{'s' * (len(left) > 1)} into what the scores are counted on: {counts}",
                *_told(left, folder),
            ]
        )
    )


def _told(left: Sequence[Finding], folder: Path) -> Iterator[str]:
    for leak in left[:SHOWN]:
        here = f"{leak.source}/{leak.record_id} ({leak.task}, {leak.split})"
        there = f"{leak.other_source}/{leak.other_record_id} ({leak.other_task}, {leak.other_split})"
        yield f"  {leak.kind}: {here} is {leak.why} as {there}"
    first = left[0]
    records = f"[{first.source}/{first.record_id}, {first.other_source}/{first.other_record_id}]"
    yield f"All of them: {folder / REFUSED}. Take the records out of a split; or, if a leak is meant, waive it in"
    yield f'params.yaml: leakage: {{waive: [{{kind: {first.kind}, records: {records}, reason: "..."}}]}}'


def _split_of(of_task: Mapping[str, Side]) -> dict[Key, str]:
    return {(of.source, record): split for split, of in of_task.items() for record, _ in of.rows}
