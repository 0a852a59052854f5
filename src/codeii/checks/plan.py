"""Show what a study will do before it starts: jobs, sizes and time by stage."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codeii.artifacts.manifest import IntegrityError, load_manifest, sha256_of
from codeii.schema.leads import LEAD_SETS
from codeii.schema.params import Params
from codeii.workflow.job import Job
from codeii.workflow.jobs import all_jobs
from codeii.workflow.plugins import PACKAGE

BENCHMARKS = Path("logs/benchmarks")  # written by the rules: seconds and memory of each job that ran here
SHIPPED = PACKAGE / "checks" / "seconds_of_the_built_in_study.csv"
STAGES = {
    "synthesise": "raw data",
    "fetch": "raw data",
    "record_shard": "records",
    "records": "records",
    "audit": "audit",
    "tensor_shard": "tensors",
    "tensors": "tensors",
    "targets": "targets",
    "descriptors": "leakage",
    "duplicates": "leakage",
    "leakage": "leakage",
    "weights": "weights",
    "train": "training",
    "predict": "prediction",
    "evaluate": "evaluation",
    "compare": "evaluation",
    "analyse": "evaluation",
    "explain": "evaluation",
    "reproduce": "evaluation",
    "submit": "submission",
    "track": "tracking",
    "track_page": "tracking",
    "table": "report",
    "figure": "report",
    "report": "report",
    "results": "report",
    "documents": "report",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Jobs of one stage: how many, those to run, bytes to write, seconds of one core (None where unknown)."""

    name: str
    jobs: int
    waiting: tuple[Job, ...]
    megabytes: float | None
    seconds: float | None

    @property
    def to_run(self) -> int:
        """Number of jobs to run."""
        return len(self.waiting)


def plan(params: Params) -> list[Stage]:
    """The study by stage. A job is to run when its artefact is absent, or made by other settings, code or inputs."""
    jobs = all_jobs(params)
    stale = _stale(jobs)
    known = _known_seconds(all(source.origin in ("synthetic", "awaiting") for source in params.sources.values()))
    stages = []
    for name in dict.fromkeys(STAGES.values()):
        mine = [job for job in jobs if STAGES[job.rule] == name]
        waiting = [job for job in mine if job.manifest in stale]
        if mine:
            sizes = [_megabytes(job, params) for job in waiting]
            size = None if None in sizes else sum(size for size in sizes if size is not None)
            times = [_seconds(job, known) for job in waiting]
            seconds = None if None in times else sum(time for time in times if time is not None)
            stages.append(Stage(name, len(mine), tuple(waiting), size, seconds))
    return stages


def as_text(stages: list[Stage], cores: int) -> str:
    """The plan as a table for the terminal, with the wall time on `cores` cores."""
    lines = [f"{'stage':<12} {'jobs':>5} {'to run':>7} {'writes':>10} {'core time':>10}"]
    for stage in stages:
        size, time = _size(stage.megabytes), _time(stage.seconds)
        lines.append(f"{stage.name:<12} {stage.jobs:>5} {stage.to_run:>7} {size:>10} {time:>10}")
    total = sum(stage.to_run for stage in stages)
    times = [stage.seconds for stage in stages]
    wall = None if None in times else sum(time for time in times if time is not None) / cores
    if total == 0:
        return "\n".join([*lines, "Nothing to be done."])
    return "\n".join([*lines, f"{total} jobs to run, about {_time(wall)} on {cores} cores"])


def measured_seconds() -> str:
    """Mean seconds of a job by rule, from this tree's benchmark files, in the form of the shipped table."""
    lines = ["rule,seconds_of_a_job"]
    for rule in STAGES:
        found = [_seconds_in(path) for path in sorted((BENCHMARKS / rule).rglob("*.tsv"))]
        lines += [f"{rule},{sum(found) / len(found):.2f}"] if found else []
    return "\n".join(lines)


def _seconds_in(path: Path) -> float:
    with path.open(newline="", encoding="utf-8") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def _stale(jobs: list[Job]) -> set[str]:
    """Manifests of the jobs that are not current, those downstream of them included."""
    stale: set[str] = set()
    for job in jobs:
        if any(path in stale for role in job.inputs.values() for path in role) or not _current(job):
            stale.add(job.manifest)
    return stale


def _current(job: Job) -> bool:
    try:
        manifest = load_manifest(Path(job.manifest), job.kind)
    except IntegrityError:
        return False
    inputs = {path for role in job.inputs.values() for path in role}
    same = manifest.code == job.code and manifest.settings == json.loads(json.dumps(job.settings))
    return same and manifest.inputs == {path: sha256_of(Path(path)) for path in inputs if Path(path).is_file()}


def _known_seconds(built_in: bool) -> Mapping[str, list[float]]:
    """Seconds by job and by rule from this tree's benchmark files; for twins also the shipped measurement."""
    known: dict[str, list[float]] = {}
    with SHIPPED.open(newline="", encoding="utf-8") as file:
        shipped = {row["rule"]: float(row["seconds_of_a_job"]) for row in csv.DictReader(file)}
    for path in sorted(BENCHMARKS.rglob("*.tsv")):
        seconds = _seconds_in(path)
        known[path.relative_to(BENCHMARKS).as_posix().removesuffix(".tsv")] = [seconds]
        known.setdefault(path.relative_to(BENCHMARKS).parts[0], []).append(seconds)
    for rule, seconds_of_a_job in shipped.items() if built_in else ():
        known.setdefault(rule, [seconds_of_a_job])
    return known


def benchmark_name(job: Job) -> str:
    """Where the rules write a job's benchmark, without folder and suffix."""
    tail = "/".join(job.wildcards.values()) or "all"
    return f"{job.rule}/{tail}"


def _seconds(job: Job, known: Mapping[str, list[float]]) -> float | None:
    found = known.get(benchmark_name(job)) or known.get(job.rule)
    return sum(found) / len(found) if found else None


def _megabytes(job: Job, params: Params) -> float | None:
    """Bytes a stage writes, where they follow from the parameters: tensors of a twin; small things count as none."""
    if job.rule == "fetch":
        primary = params.sources[job.wildcards["source"]].primary
        return primary.total_bytes / 1e6 if primary and primary.total_bytes else 0.0
    if job.rule not in ("synthesise", "record_shard", "tensor_shard"):
        return 0.0
    source = params.sources[job.wildcards["source"]]
    if source.twin is None:
        return None
    records = source.twin.records / (1 if job.rule == "synthesise" else source.shards)
    if job.rule == "tensor_shard":
        shape = params.preprocessing[job.wildcards["preprocessing"]]
        return records * len(LEAD_SETS[shape.leads]) * shape.samples * 2 / 1e6
    return records * 12 * 5000 * 2 / 1e6  # ten seconds at 500 Hz


def _size(megabytes: float | None) -> str:
    if megabytes is None:
        return "?"
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"
