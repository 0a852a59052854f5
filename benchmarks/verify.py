"""`codeii verify` of a tree of 1 GB, the second time, against sha256 of every file of it. Whole processes.

    python benchmarks/verify.py

The tree has an artefact for every job of the built-in study, filled with noise, and raw data in as few files as HDF5 or
as many as WFDB makes of it; all of it lies in the page cache. The baseline is one process of Python on OpenSSL, faster
than sha256sum(1) where that does without the processor's instructions for it. Ratios are taken within a round.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import report

from codeii.artifacts.manifest import write_manifest
from codeii.artifacts.raw_archive import write_raw_archive
from codeii.workflow.job import Job
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import load_params

ROOT = Path(__file__).parents[1]
BYTES, RAW_SHARE, ROUNDS = 1_000_000_000, 0.6, 5
RAW_FILES = (2_000, 16_000)
NOISE = os.urandom(1 << 24)
HASH_ALL = """
import hashlib, os
for folder, _, files in os.walk("."):
    for name in files:
        with open(os.path.join(folder, name), "rb") as file:
            hashlib.file_digest(file, "sha256").digest()
"""
BASELINE, SECOND = "sha256 of every file", "verify, second time"
VERIFY = [sys.executable, "-c", "import sys; from codeii.start import main; sys.exit(main())", "verify"]
TIMERS: dict[str, Callable[[], float]] = {
    "processor": lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]),
    "wall": time.perf_counter,
}


def make_tree(raw_files: int) -> None:
    """An artefact for every job of the built-in study below the working directory, 1 GB in all."""
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    jobs = all_jobs(load_params([Path("params.yaml")]))
    sources = sum(job.kind == "raw" for job in jobs)
    for job in jobs:
        if job.kind == "raw":
            write_raw(job, raw_files // sources, int(BYTES * RAW_SHARE / raw_files))
        else:
            write_artefact(job, int(BYTES * (1 - RAW_SHARE) / (len(jobs) - sources)))


def write_raw(job: Job, files: int, size: int) -> None:
    folder = Path(job.folder)
    made = [noise(folder / f"records/{number:06d}.dat", size) for number in range(files)]
    write_raw_archive(folder, folder, made, source="s", origin="synthetic", settings=job.settings, code=job.code)


def write_artefact(job: Job, size: int) -> None:
    made = noise(Path(job.folder) / "content.bin", size)
    inputs = [Path(path) for role in job.inputs.values() for path in role]
    common = {"settings": job.settings, "code": job.code, "inputs": inputs, "facts": {}, "synthetic": True}
    write_manifest(made.parent, job.kind, files=[made.name], **common)


def noise(path: Path, size: int) -> Path:
    """A file unlike all others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole, rest = divmod(size, len(NOISE))
    path.write_bytes(str(path).encode() + NOISE * whole + NOISE[:rest])
    return path


def run(command: list[str]) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def touch_parameters() -> None:
    Path("params.yaml").touch()
    time.sleep(0.2)  # a file this young is not trusted


# What comes before a contestant, untimed.
PREPARE: dict[str, Callable[[], object]] = {
    SECOND: lambda: (touch_parameters(), run(VERIFY)),
    "verify, parameters touched": touch_parameters,
}
CONTESTANTS: dict[str, list[str]] = {
    BASELINE: [sys.executable, "-c", HASH_ALL],
    SECOND: VERIFY,
    "verify, parameters touched": VERIFY,
    "verify --full": [*VERIFY, "--full"],
}


def measure() -> dict[str, dict[str, list[float]]]:
    """Seconds of every contestant by timer, taking turns; the first round warms up and is not counted."""
    seconds: dict[str, dict[str, list[float]]] = {timer: {name: [] for name in CONTESTANTS} for timer in TIMERS}
    for number in range(ROUNDS + 1):
        for name, command in CONTESTANTS.items():
            PREPARE.get(name, lambda: None)()
            before = {timer: read() for timer, read in TIMERS.items()}
            run(command)
            if number:
                for timer, read in TIMERS.items():
                    seconds[timer][name].append(read() - before[timer])
    return seconds


def main() -> None:
    for raw_files in RAW_FILES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            make_tree(raw_files)
            print(f"1 GB in {raw_files:,} raw files and {len(list(Path('results').rglob('*.bin')))} others")
            for timer, seconds in measure().items():
                print(f"{timer} time\n{report(seconds, BASELINE, 1, 'run')}")
            os.chdir(ROOT)


if __name__ == "__main__":
    main()
