"""Judge a tree of results against `params.yaml` and the code: neither Snakemake nor DVC can certify stale files.

Every artefact the parameters ask for must be there, made under these settings, by this code, from these inputs,
and every file must still have the hash it was written with.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeii.artifacts.manifest import IntegrityError, Manifest, check_files, environment, load_manifest, sha256_of
from codeii.artifacts.predictions import runs_of_set
from codeii.artifacts.raw_archive import read_raw_archive
from codeii.schema.params import Params
from codeii.schema.progress import progress
from codeii.workflow.jobs import Job, all_jobs

LEAKAGE = ("descriptors", "duplicates", "leakage")
# What each stage of dvc.yaml ends with.
STAGES = {
    "raw": ("raw",),
    "tensors": ("raw", "records", "tensors", "targets", *LEAKAGE),
    "runs": ("raw", "records", "tensors", "targets", *LEAKAGE, "checkpoint", "prediction_set", "submission"),
    "scores": (
        "raw",
        "records",
        "tensors",
        "targets",
        *LEAKAGE,
        "checkpoint",
        "prediction_set",
        "submission",
        "scores",
    ),
}
ALL = (*STAGES["scores"], "table", "figure", "report")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence per fault (file, found, expected, what to do), what was looked at, and what is worth knowing."""

    faults: list[str]
    artefacts: int
    bytes_hashed: int
    of_other_environments: int  # made with another Python, lock or kind of machine than is here now


def verify(params: Params, stage: str | None = None) -> Verdict:
    """Check every artefact of the study below the working directory, or those up to a stage.

    What was logged to the tracker is not looked at: it is a sink, and losing it loses nothing.
    """
    jobs = [job for job in all_jobs(params) if job.kind in (STAGES[stage] if stage else ALL)]
    faults: list[str] = []
    size = elsewhere = 0
    here = environment()
    for job in progress(jobs, len(jobs), "verify"):
        try:
            manifest = load_manifest(Path(job.manifest), job.kind)
            size += int(manifest.facts.get("bytes", sum(entry.bytes for entry in manifest.files.values())))
            elsewhere += manifest.environment != here
            faults += _differences(job, manifest)
            check_files(Path(job.folder), manifest.files)
            _check_below(job)
        except IntegrityError as error:
            faults.append(str(error))
    return Verdict(faults, len(jobs), size, elsewhere)


def _check_below(job: Job) -> None:
    """Hash what a manifest reaches only through a list: raw files, and the runs of a prediction set."""
    if job.kind == "raw":
        read_raw_archive(Path(job.manifest))
    if job.kind == "prediction_set":
        for path in runs_of_set(Path(job.manifest)):
            check_files(path.parent, load_manifest(path, "predictions").files)


def _differences(job: Job, manifest: Manifest) -> Iterator[str]:
    expected = json.loads(json.dumps(job.settings))
    for key in sorted(set(expected) | set(manifest.settings)):
        if expected.get(key) != manifest.settings.get(key):
            found = json.dumps(manifest.settings.get(key), sort_keys=True)
            wanted = json.dumps(expected.get(key), sort_keys=True)
            yield f"{job.manifest}: made with {key} = {found[:200]}, params.yaml says {wanted[:200]}; run the study"
    if manifest.code != job.code:
        yield f"{job.manifest}: made by code {manifest.code}, the code is now {job.code}; run the study"
    paths = {path for role in job.inputs.values() for path in role}
    if paths != set(manifest.inputs):
        odd = sorted(paths ^ set(manifest.inputs))
        yield f"{job.manifest}: inputs differ from the study's: {', '.join(odd[:3])}; run the study"
    for path in sorted(paths & set(manifest.inputs)):
        if Path(path).is_file() and sha256_of(Path(path)) != manifest.inputs[path]:
            yield f"{job.manifest}: made from another {path} than is there now; run the study"
