"""Judge a tree of results against `params.yaml` and the code: neither Snakemake nor DVC can certify stale files.

Every artefact the parameters ask for must be there, made under these settings, by this code, from these inputs,
and every file must still have the hash it was written with.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeii.artifacts.manifest import IntegrityError, Manifest, environment, load_manifest, sha256_of
from codeii.checks.reach import HashOf, Reach, check_listed, listed_below
from codeii.schema.params import Params
from codeii.schema.progress import progress
from codeii.workflow.job import Job
from codeii.workflow.jobs import all_jobs

LEAKAGE = ("descriptors", "duplicates", "leakage")
DATA = ("raw", "record_shard", "records", "audit", "tensor_shard", "tensors", "targets", *LEAKAGE)
JUDGED = ("scores", "comparisons", "analyses", "explanations", "verdicts")
# What each stage of dvc.yaml ends with.
STAGES = {
    "raw": ("raw",),
    "tensors": DATA,
    "runs": (*DATA, "checkpoint", "prediction_set", "submission"),
    "scores": (*DATA, "checkpoint", "prediction_set", "submission", *JUDGED),
}
ALL = (*STAGES["scores"], "table", "figure", "report", "results", "documents")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence per fault (file, found, expected, what to do), what was looked at, and what is worth knowing."""

    faults: list[str]
    artefacts: int
    bytes_listed: int
    of_other_environments: int  # made with another Python, lock or kind of machine than is here now


def verify(params: Params, stage: str | None = None, hash_of: HashOf = sha256_of) -> Verdict:
    """Check every artefact of the study below the working directory, or those up to a stage.

    hash_of : sha256 of a file; `Hashes.of` does not read again what it knows.
    What was logged to the tracker is not looked at: it is a sink, and losing it loses nothing.
    """
    jobs = [job for job in all_jobs(params) if job.kind in (STAGES[stage] if stage else ALL)]
    judged = [judge(job, hash_of) for job in progress(jobs, len(jobs), "verify")]
    return verdict_of([manifest for manifest, _ in judged if manifest], [fault for _, some in judged for fault in some])


def verdict_of(manifests: list[Manifest], faults: list[str]) -> Verdict:
    """Sum up what was judged."""
    size = sum(int(one.facts.get("bytes", sum(entry.bytes for entry in one.files.values()))) for one in manifests)
    here = environment()
    return Verdict(faults, len(manifests), size, sum(one.environment != here for one in manifests))


def judge(job: Job, hash_of: HashOf, reach: Reach = listed_below) -> tuple[Manifest | None, list[str]]:
    """Check one artefact and the files it reaches: its manifest, None where there is none, and a sentence per fault."""
    path = Path(job.manifest)
    try:
        if path.is_file():
            hash_of(path)  # before it is read, so that a change in between is not remembered as checked
        manifest = load_manifest(path, job.kind)
    except IntegrityError as error:
        return None, [str(error)]
    faults = list(_differences(job, manifest, hash_of))
    try:
        for listed in reach(path, manifest):
            check_listed(listed, hash_of)
    except IntegrityError as error:
        faults.append(str(error))
    return manifest, faults


def _differences(job: Job, manifest: Manifest, hash_of: HashOf) -> Iterator[str]:
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
        if Path(path).is_file() and hash_of(Path(path)) != manifest.inputs[path]:
            yield f"{job.manifest}: made from another {path} than is there now; run the study"
