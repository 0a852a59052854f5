"""Each artefact's part of results.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeii.artifacts.audit import Audit
from codeii.artifacts.checkpoint import CARD, WEIGHTS, CheckpointCard
from codeii.artifacts.manifest import NAME, Manifest, load_manifest, read_manifest
from codeii.artifacts.record_store import RECORDS, read_record_store
from codeii.artifacts.scores import Scores
from codeii.schema.results import Cell, Column, File, Judged, Run, Source, Submission, Table, Task

CHECKS = ("check", "verdict", "expected", "found", "since")
KINDS = {"i": "integer", "u": "integer", "f": "number", "b": "boolean"}
OF_A_RUN = ("experiment", "model", "start", "fraction", "per_class", "seed", "task")


def source_of(path: Path, audits: Mapping[str, Audit]) -> Source:
    """A data set: its card, what was kept of it, its files and the audit's answers. audits : by source."""
    store = read_record_store(path)
    facts = dict(store.manifest.facts)
    name = facts["source"]
    return Source(
        name=name,
        synthetic=store.manifest.synthetic,
        manifest=path.as_posix(),
        card=facts.pop("card"),
        facts=facts,
        files=_files(path, store.manifest, kept=(RECORDS,)) + _signal_files(path, store.manifest),
        columns=[_column(str(column), kind) for column, kind in store.records.dtypes.items()],
        checks=_checks(audits[name]) if name in audits else None,
    )


def _checks(audit: Audit) -> Table:
    rows: list[list[Cell]] = [[getattr(check, name) for name in CHECKS] for check in audit.report.checks]
    return Table(columns=list(CHECKS), rows=rows)


def _signal_files(path: Path, manifest: Manifest) -> list[File]:
    """The signals of each shard, by the hashes of the shard's manifest: nobody waits for terabytes to be hashed."""
    shards = [path.parent / name for name in sorted(manifest.files) if name.endswith(f"/{NAME}")]
    return [file for shard in shards for file in _files(shard, load_manifest(shard, None), kept=("signals.npy",))]


def _files(path: Path, manifest: Manifest, kept: tuple[str, ...]) -> list[File]:
    return [
        File(path=(path.parent / name).as_posix(), **entry.model_dump())
        for name, entry in manifest.files.items()
        if name in kept
    ]


def _column(name: str, kind: Any) -> Column:
    return Column(name=name, kind=KINDS.get(kind.kind, "text"))


def task_of(path: Path) -> Task:
    """Classes and splits of a task."""
    manifest = read_manifest(path, "targets")
    facts = dict(manifest.facts)
    return Task(
        name=manifest.settings["name"],
        source=manifest.settings["task"]["source"],
        synthetic=manifest.synthetic,
        manifest=path.as_posix(),
        classes=facts.pop("classes"),
        facts=facts,
    )


def run_of(path: Path) -> Run:
    """A trained network: who it is, what it is, and the hash of its weights."""
    manifest = read_manifest(path, "checkpoint")
    card = CheckpointCard.model_validate(json.loads((path.parent / CARD).read_text(encoding="utf-8")))
    named = {name: manifest.settings[name] for name in OF_A_RUN}
    shared = ("parameters", "trained_on", "best_epoch", "leads", "rate_hz", "samples", "unit")
    return Run(
        **named,
        **{name: getattr(card, name) for name in shared},
        synthetic=manifest.synthetic,
        manifest=path.as_posix(),
        weights_sha256=manifest.files[WEIGHTS].sha256,
        settings={name: value for name, value in manifest.settings.items() if name not in OF_A_RUN},
        facts=manifest.facts,
    )


def judged_of(path: Path, scores: Scores) -> Judged:
    """How an experiment and model were scored. path : manifest of the scores."""
    facts = dict(scores.manifest.facts)
    first = scores.scores.iloc[0]
    return Judged(
        experiment=first["experiment"],
        model=first["model"],
        synthetic=scores.manifest.synthetic,
        manifest=path.as_posix(),
        protocol=facts.pop("protocol", None) or "not stated",
        facts=facts,
    )


def submission_of(path: Path) -> Submission:
    """A predictions file for a blind test."""
    manifest = read_manifest(path, "submission")
    return Submission(
        **{name: manifest.settings[name] for name in ("source", "experiment", "model")},
        synthetic=manifest.synthetic,
        manifest=path.as_posix(),
        files=_files(path, manifest, kept=tuple(manifest.files)),
        facts=manifest.facts,
    )
