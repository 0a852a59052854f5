"""What an audit looks at: the records of one source, what its metadata and card say, and how flags are looked up."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from codeii.artifacts.audit import Check, Finding
from codeii.schema.labels import LabelSet

TABLES = Path(__file__).parent


@dataclass(frozen=True)
class Subject:
    """One source that was read. `statements` is in the order of `records`."""

    source: str
    synthetic: bool
    card: Mapping[str, Any]
    facts: Mapping[str, Any]  # of the record store's manifest
    expected_exams: int | None  # the publisher's count, or the number of exams a twin was made with
    records: pd.DataFrame  # of the record store
    excluded: pd.DataFrame  # of the record store, all text
    statements: list[dict[str, float | None]]
    label_sets: tuple[LabelSet, ...]  # of the study's tasks on this source
    planted: Mapping[str, str]  # name of a record of a twin -> kind of fault

    @cached_property
    def faulty(self) -> pd.DataFrame:
        """Records left out for another reason than absence."""
        return self.excluded[self.excluded["reason"] != "absent"]

    @property
    def absent(self) -> int:
        """Records that the metadata name and the copy does not hold."""
        return len(self.excluded) - len(self.faulty)

    @cached_property
    def exams(self) -> int:
        """Distinct exams that the metadata name, kept or not."""
        names = set(self.records["exam_id"])
        tracings = self.records["record_id"] == self.records["exam_id"] + "_" + self.records["tracing"].astype(str)
        by_tracing = len(tracings) > 0 and bool(tracings.all())
        left_out = self.excluded["record_id"]
        return len(names | set(left_out.str.replace(r"_\d+$", "", regex=True) if by_tracing else left_out))

    @property
    def complete(self) -> bool:
        """Whether every exam of the published source is named and present."""
        return self.absent == 0 and self.exams == self.expected_exams

    @cached_property
    def flags(self) -> pd.DataFrame:
        """One row per flag of a record: record_id, flag, kind (the flag without what follows its colon)."""
        flags = self.records.set_index("record_id")["flags"].str.split().explode().dropna()
        return pd.DataFrame({"record_id": flags.index, "flag": flags.array, "kind": flags.str.split(":").str[0].array})

    def flagged(self, *kinds: str, expected: str) -> tuple[Finding, ...]:
        """A finding for every record with a flag of these kinds, which it is found with."""
        rows = self.flags[self.flags["kind"].isin(kinds)]
        told = rows.groupby("record_id", sort=False)["flag"].agg(" ".join)
        return tuple(Finding(str(record_id), found, expected) for record_id, found in told.items())


def rows_of(table: str, source: str) -> list[dict[str, str]]:
    """Rows of one of this room's tables that speak of a source."""
    with (TABLES / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row.get("source", source) == source]


def noted(check: str, expected: str, found: str, since: str, findings: tuple[Finding, ...]) -> Check:
    """A check that is noted where it has findings, and ok otherwise."""
    return Check(check, "noted" if findings else "ok", expected, found, since, findings)


def counted(what: Mapping[str, int]) -> str:
    """`3 flat, 1 unreadable`, the most frequent first; `none` for nothing."""
    ranked = sorted(what.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ranked if count) or "none"


def published(subject: Subject, quantity: str, found: Mapping[str, int]) -> Iterator[Check]:
    """One check that counts by name are those published: equal for a whole source, no larger for a part of one.

    A twin has counts of its own. Records left out for a fault may be any: so many may be missing of each count.
    """
    rows = [row for row in rows_of("published", subject.source) if row["quantity"] == quantity and row["name"]]
    if subject.synthetic or not rows:
        return
    slack = len(subject.faulty) if subject.complete else None
    wrong = [
        row
        for row in rows
        if found.get(row["name"], 0) > int(row["high"])
        or (slack is not None and found.get(row["name"], 0) < int(row["low"]) - slack)
    ]
    said = wrong or rows
    expected = ", ".join(f"{row['name']}: {int(row['high']):,}" for row in said)
    told = ", ".join(f"{row['name']}: {found.get(row['name'], 0):,}" for row in said)
    part = "" if slack is not None else "; of a part of the source, no more than these"
    verdict = "fault" if wrong else "ok"
    yield Check(f"published counts: {quantity}", verdict, expected + part, told, rows[0]["since"])
