"""Make a tree that was pulled or copied current for Snakemake, which goes by time stamps and would run all of it again.

Everything that is there is checked first, byte by byte: one fault, and nothing is touched. What is absent stays absent.
No job is run: Snakemake is only told, by `--touch`, that what was checked is current.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeii.artifacts.manifest import IntegrityError, Manifest
from codeii.checks.hashes import Hashes, remember_hashes
from codeii.checks.reach import Listed, made_files, raw_files
from codeii.checks.receipt import drop_receipts
from codeii.checks.scheduler import planned, touch
from codeii.checks.verify import judge, verdict_of
from codeii.schema.progress import progress
from codeii.workflow.job import Job
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import load_params

# Kind of artefact -> what its absence means.
WITHOUT = {
    "raw": "records cannot be read again",
    "record_shard": "the records of that part cannot be looked at or preprocessed again",
    "audit": "the audit of a source cannot be shown again",
    "tensor_shard": "nothing can be trained or predicted again",
    "records": "tensors and targets cannot be made again, nor tables and figures of the data",
    "tensors": "nothing can be trained or predicted again",
    "targets": "nothing can be trained or scored again",
    "descriptors": "recordings of that source cannot be searched for duplicates again",
    "duplicates": "leaks cannot be searched for again",
    "leakage": "nothing can be trained or scored again before the search for leaks",
    "checkpoint": "nothing can be predicted, fine-tuned from it or logged to MLflow",
    "prediction_set": "nothing can be scored again",
    "submission": "there is no predictions file to hand in",
    "scores": "tables and figures cannot be made again",
    "comparisons": "tables of differences and the verdicts on claims cannot be made again",
    "analyses": "calibration, subgroups and confusion cannot be shown again",
    "explanations": "failures and saliency cannot be drawn again",
    "verdicts": "the study is not set beside what was published, and codeii gate has nothing to read",
    "table": "the report cannot be made again",
    "figure": "the report cannot be made again",
    "report": "there is no page to read",
    "results": "cards, checklists and the crate cannot be made again",
    "documents": "there are no cards, checklists and crate to hand in",
    "tracking": "Snakemake logs to MLflow again, from runs and scores, and trains nothing for it",
}
READY = Path("results/tracking/ready.json")


@dataclass(frozen=True, slots=True)
class Found:
    """The artefacts of a study as they are on disk."""

    verified: list[Job]
    manifests: list[Manifest]  # of those
    absent: list[Job]
    unlisted: list[str]  # raw manifests that are here without the files they list
    faults: list[str]


def restore(params: list[Path]) -> str:
    """Check the tree below the working directory and tell Snakemake that it is current. Returns what to tell people.

    params : as `--configfile` of Snakemake takes them.

    Raises IntegrityError with one sentence per fault (file, found, expected), having touched nothing; ValueError where
    nothing of the study is here, or Snakemake refuses.
    """
    hashes = Hashes({})  # nothing is taken from an earlier check
    found = look_at(all_jobs(load_params(params)), hashes)
    if found.faults:
        drop_receipts()
        advice = "check out the commit and parameters these results belong to, or pull what is damaged again"
        raise IntegrityError("\n".join([*found.faults, f"{len(found.faults)} faults; nothing was touched; {advice}"]))
    if not found.verified:
        raise ValueError(f"nothing of this study is below {Path.cwd()}; pull it first: dvc pull")
    targets = [job.manifest for job in found.verified]
    touch([*targets, *_store_of(found.verified)], params)
    remember_hashes(hashes)
    return "\n".join([*_in_words(found), *_what_now(found, targets, params)])


def look_at(jobs: Sequence[Job], hashes: Hashes) -> Found:
    """Judge every artefact that is there. A stale log of the tracker counts as absent: it is a sink."""
    found = Found([], [], [], [], [])
    folders = {job.folder for job in jobs}
    for job in progress(jobs, len(jobs), "restore"):
        if not Path(job.manifest).is_file():
            found.absent.append(job)
            found.faults.extend(_torn(job, folders))
            continue
        manifest, faults = judge(job, hashes.of, here)
        if job.kind == "tracking" and faults:
            found.absent.append(job)
        elif manifest is None or faults:
            found.faults.extend(faults)
        else:
            found.verified.append(job)
            found.manifests.append(manifest)
            if manifest.kind == "raw" and not _any_raw_file(Path(job.manifest), manifest):
                found.unlisted.append(job.manifest)
    return found


def here(manifest_path: Path, manifest: Manifest) -> Iterator[Listed]:
    """What is to be checked of an artefact: all it reaches, but raw files that were left behind as a whole."""
    yield from made_files(manifest_path, manifest)
    if manifest.kind == "raw" and _any_raw_file(manifest_path, manifest):
        yield from raw_files(manifest_path, manifest)


def _any_raw_file(manifest_path: Path, manifest: Manifest) -> bool:
    return any(listed.path.is_file() for listed in raw_files(manifest_path, manifest))


def _torn(job: Job, folders: set[str]) -> Iterator[str]:
    """A fault if files of an artefact are there without its manifest: Snakemake would delete and remake them."""
    for folder, below, files in os.walk(job.folder):
        below[:] = [name for name in below if f"{folder}/{name}" not in folders]
        if files and job.kind not in ("raw", "tracking"):  # a download goes on, a log is written again
            yield f"{folder}/{min(files)}: there, but {job.manifest} is not: pull again, or delete {job.folder}"
            return


def _store_of(verified: Sequence[Job]) -> list[str]:
    """The mark of the tracker's store, if the store the study names is here."""
    uris = [job.settings["uri"] for job in verified if job.kind == "tracking"]
    if not uris or not READY.is_file() or json.loads(READY.read_text(encoding="utf-8")) != {"uri": uris[0]}:
        return []
    file = str(uris[0]).removeprefix("sqlite:///")
    return [READY.as_posix()] if file == uris[0] or Path(os.path.expandvars(file)).is_file() else []


def _in_words(found: Found) -> Iterator[str]:
    verdict = verdict_of(found.manifests, [])
    yield f"restored: {verdict.artefacts} artefacts, {verdict.bytes_listed / 1e6:.0f} MB, every hash checked"
    if verdict.of_other_environments:
        yield f"note: {verdict.of_other_environments} artefacts were made in another environment than this one"
    for manifest in found.unlisted:
        yield f"not here: the raw files that {manifest} lists; {WITHOUT['raw']}"
    for kind in WITHOUT:
        folders = sorted(job.folder for job in found.absent if job.kind == kind)
        if folders:
            yield f"not here: {_few(folders)}; {WITHOUT[kind]}"


def _what_now(found: Found, targets: Sequence[str], params: Sequence[Path]) -> Iterator[str]:
    """What Snakemake would do, asked of Snakemake itself."""
    jobs = planned([], params)
    if not jobs:
        yield "snakemake: nothing to be done"
        return
    if again := planned(targets, params):
        raise IntegrityError(f"checked and touched, and yet Snakemake wants to make {_counts(again)}; see snakemake -n")
    yield f"snakemake would now make what is not here, and what follows from it: {_counts(jobs)}"
    last = found.verified[-1].kind
    names = [job.manifest for job in found.verified if job.kind == last]
    yield f"to stay with what is here, ask for it by name, for instance: snakemake {names[-1]}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _counts(jobs: dict[str, int]) -> str:
    return ", ".join(f"{count} {rule}" for rule, count in Counter(jobs).most_common())
