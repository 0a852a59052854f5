"""Whether time grows with the records alone and memory does not grow: shard jobs on releases of several sizes.

Run: python benchmarks/scale.py [--records 25000 50000 100000] [--shard-records 12500] [--folder DISK]

For each size a release in the form of PTB-XL is cut into shards of the same number of records; every job of the data
engine runs as the study runs it (`record_shard`, `records`, `tensor_shard`, `tensors`), one after the other on one
core. Shown: CPU time of a record, the largest memory of any job, and what the full CODE-II would take at that rate.
100,000 records need about 45 GB of disk for a while.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness import ENVIRONMENT, ROOT
from release import write_release

CODE_II_EXAMS = 2_735_269  # of the full set; up to four tracings each (facts of the paper's abstract)
PREPROCESSING = {"rate_hz": 400, "samples": 4096, "leads": "eight", "baseline": "elliptic", "powerline_hz": "mains"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one job took."""

    cpu_s: float
    memory_mb: float


def run(verb: str, settings: dict[str, object], out: Path, *arguments: str) -> Cost:
    """Run one job of the study as a process of its own."""
    command = [
        sys.executable,
        "-m",
        "codeii",
        verb,
        *arguments,
        "--settings",
        json.dumps(settings),
        "--code",
        "benchmark",
    ]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT / "src")}
    process = os.posix_spawn(sys.executable, [*command, "--out", str(out)], environment)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{verb} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(folder: Path, records: int, shard_records: int) -> dict[str, list[Cost]]:
    """Every job for the first `records` records of the release in `folder`."""
    shards = max(1, records // shard_records)
    raw = folder / "listed"
    costs = {
        "fetch": [
            run("fetch", {"version": "1", "origin": "local", "path": str(folder / "raw")}, raw, "--source", "ptbxl")
        ]
    }
    parts: dict[str, list[Path]] = {"record_shard": [], "tensor_shard": []}
    for index in range(shards):
        out = folder / "records" / "shards" / str(index)
        settings = {"layout": {}, "shard": {"index": index, "count": shards}}
        cost = run("record_shard", settings, out, "--source", "ptbxl", "--raw", str(raw / "manifest.json"))
        costs.setdefault("record_shard", []).append(cost)
        parts["record_shard"].append(out / "manifest.json")
    gathered = ("--source", "ptbxl", "--shards", *map(str, parts["record_shard"]))
    costs["records"] = [run("records", {"max_faulty_share": 0.05}, folder / "records", *gathered)]
    for index in range(shards):
        out = folder / "tensors" / "shards" / str(index)
        settings = {"preprocessing": PREPROCESSING, "shard": {"index": index, "count": shards}}
        cost = run("tensor_shard", settings, out, "--records", str(folder / "records/manifest.json"))
        costs.setdefault("tensor_shard", []).append(cost)
        parts["tensor_shard"].append(out / "manifest.json")
    settings = {"preprocessing": PREPROCESSING}
    costs["tensors"] = [run("tensors", settings, folder / "tensors", "--shards", *map(str, parts["tensor_shard"]))]
    return costs


def shown(records: int, costs: dict[str, list[Cost]]) -> float:
    """Print one size as a row per kind of job; CPU seconds of a record in all jobs."""
    print(f"{records:,} records")
    for verb, jobs in costs.items():
        cpu_us = 1e6 * sum(job.cpu_s for job in jobs) / records
        memory = max(job.memory_mb for job in jobs)
        print(f"  {verb:14} {len(jobs):4} jobs {cpu_us:9.0f} us CPU a record {memory:9.0f} MB at most")
    return sum(job.cpu_s for jobs in costs.values() for job in jobs) / records


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[25_000, 50_000, 100_000])
    parser.add_argument("--shard-records", type=int, default=12_500)
    parser.add_argument("--folder", type=Path, help="on which disk (default: the one of temporary files)")
    arguments = parser.parse_args()
    rates = []
    for records in arguments.records:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            write_release(Path(name) / "raw", records)
            rates.append(shown(records, measure(Path(name), records, arguments.shard_records)))
            shutil.rmtree(Path(name) / "raw")
    print(f"CPU time of a record, smallest to largest release: {', '.join(f'{1e6 * rate:.0f} us' for rate in rates)}")
    hours = rates[-1] * CODE_II_EXAMS / 3600
    print(f"CODE-II full, one 10 s tracing an exam at 500 Hz: {hours:.1f} core hours (projected from the largest size)")


if __name__ == "__main__":
    main()
