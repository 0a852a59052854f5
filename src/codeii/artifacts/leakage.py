"""Door of the leakage check: what was found, what was waived and why, what each training shares with each test."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

FINDINGS, OVERLAPS, REFUSED = "findings.csv", "overlaps.csv", "refused.csv"
LEAKS = (
    "patient_in_two_splits",
    "recording_in_two_splits",
    "pretraining_on_held_out",
    "training_on_blind_test",
)
PRETRAINED_BY_OTHERS = "pretrained_by_others"  # other_record_id names the weights, why says what they have seen
NOTES = ("recording_twice", "recording_in_two_sources", PRETRAINED_BY_OTHERS)  # told, and no reason to stop
FINDING_COLUMNS = (
    "kind",  # one of LEAKS or NOTES
    "task",  # whose scores it touches, "" where none
    "split",  # of the record
    "source",
    "record_id",
    "other_task",  # whose training split holds the other record
    "other_split",
    "other_source",
    "other_record_id",
    "why",
    "waived",  # the reason given in params.yaml, "" where it is not waived
)
OVERLAP_COLUMNS = (
    "trained_on",  # task; its training split
    "task",  # whose held-out records are looked at
    "split",
    "held_out",  # records
    "records",  # of them, also trained on under the same id
    "patients",  # of them, of a patient who was trained on
    "recordings",  # of them, the same recording as one trained on
)


@dataclass(frozen=True, slots=True)
class Leakage:
    """The findings of a study. It exists only where no leak was left without a waiver."""

    manifest: Manifest
    findings: pd.DataFrame
    overlaps: pd.DataFrame


def write_leakage(
    folder: Path,
    findings: pd.DataFrame,
    overlaps: pd.DataFrame,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write findings and overlaps. Raises ValueError on a leak without a waiver. Returns the manifest's path."""
    _check(findings, overlaps)
    for name, table in ((FINDINGS, findings), (OVERLAPS, overlaps)):
        with whole_file(folder / name) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    counts = {kind: int((findings["kind"] == kind).sum()) for kind in (*LEAKS, *NOTES)}
    return write_manifest(
        folder,
        "leakage",
        files=[FINDINGS, OVERLAPS],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, "findings": counts},
        synthetic=synthetic,
    )


def read_leakage(manifest_path: Path) -> Leakage:
    """Verify and read the findings of a study."""
    manifest = read_manifest(manifest_path, "leakage")
    folder = manifest_path.parent
    findings = pd.read_csv(folder / FINDINGS, dtype=str, keep_default_na=False)
    overlaps = pd.read_csv(folder / OVERLAPS, dtype=dict.fromkeys(OVERLAP_COLUMNS[:3], str), keep_default_na=False)
    _check(findings, overlaps)
    return Leakage(manifest, findings, overlaps)


def _check(findings: pd.DataFrame, overlaps: pd.DataFrame) -> None:
    if tuple(findings.columns) != FINDING_COLUMNS:
        raise ValueError(f"findings have columns {list(findings.columns)}, expected {list(FINDING_COLUMNS)}")
    if tuple(overlaps.columns) != OVERLAP_COLUMNS:
        raise ValueError(f"overlaps have columns {list(overlaps.columns)}, expected {list(OVERLAP_COLUMNS)}")
    odd = set(findings["kind"]) - {*LEAKS, *NOTES}
    if odd:
        raise ValueError(f"kind {sorted(odd)} is not one of {(*LEAKS, *NOTES)}")
    open_leaks = findings["kind"].isin(LEAKS) & (findings["waived"] == "")
    if open_leaks.any():
        raise ValueError(f"{int(open_leaks.sum())} leaks are neither mended nor waived")
    if (overlaps[["records", "patients", "recordings"]].max(axis=1) > overlaps["held_out"]).any():
        raise ValueError("more records overlap than are held out")
