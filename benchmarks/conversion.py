"""From a folder of WFDB files to the tensor store, whole programs, against the CODE group's way.

Run: python benchmarks/conversion.py [--records 6000] [--peer-records 2000] [--rounds 3]

Peer: wfdb reads a record to float64 millivolts, the group's filters and resampling run on it alone, and float64 goes
into HDF5. Ours, once as one program that does the same work (read with checksums, filter, resample, int16 store with
its hash), and once as the study runs it, job by job: hashes of the raw files verified, gates and a record store in
between, every artefact hashed when it is written and verified when it is read. On one core; CPU seconds of whole
processes, imports included. The peer's time grows with the records, so fewer may be measured and scaled up; the
seconds its imports take are counted once.

Last, the study's jobs in two shards, one after the other and both at once: what a second core brings.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import h5py
import numpy as np
from harness import ENVIRONMENT, ROOT
from release import write_release

PREPROCESSING = {"rate_hz": 400, "samples": 4096, "leads": "eight", "baseline": "elliptic", "powerline_hz": "mains"}

PEER = """
import sys, h5py, numpy as np, wfdb
from scipy.signal import ellip, ellipord, filtfilt, iirnotch, resample_poly, sosfiltfilt
folder, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
names = [line.split(",")[-1] for line in open(f"{folder}/ptbxl_database.csv").read().splitlines()[1:]][:count]
with h5py.File(out, "w") as file:
    tracings = file.create_dataset("tracings", (count, 4096, 8), "f8")
    for row, name in enumerate(names):
        record = wfdb.rdrecord(f"{folder}/{name}")
        signal, rate_hz = record.p_signal.T, record.fs
        order, edge_hz = ellipord(0.8, 0.2, 0.5, 40, fs=rate_hz)
        sos = ellip(order, 0.5, 40, edge_hz, "highpass", output="sos", fs=rate_hz)
        signal = sosfiltfilt(sos, signal, padtype="constant")
        signal = filtfilt(*iirnotch(50, 30, rate_hz), signal)
        signal = resample_poly(signal, 400, rate_hz, axis=-1)[[0, 1, 6, 7, 8, 9, 10, 11]]
        placed = np.zeros((8, 4096))
        before = (4096 - signal.shape[1]) // 2
        placed[:, before : before + signal.shape[1]] = signal
        tracings[row] = placed.T
"""

OURS = """
import json, sys
from pathlib import Path
import numpy as np
from codeii.artifacts.tensor_store import write_tensor_shard
from codeii.schema.params import Preprocessing
from codeii.sources.ptbxl import read_records
from codeii.tensors.pipeline import preprocess
folder, out, count, settings = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
wanted, index, stack = Preprocessing.model_validate(settings), [], 16
def blocks():
    waiting = []
    for record in read_records(folder, {}):
        index.append({"record_id": record.record_id, "exam_id": record.exam_id, "patient_id": record.patient_id,
                      "section": 0})
        waiting.append(record.signal_uv)
        if len(waiting) == stack:
            yield preprocess(waiting, 500, wanted, 50).counts
            waiting = []
    if waiting:
        yield preprocess(waiting, 500, wanted, 50).counts
write_tensor_shard(out, blocks(), index, leads=8, samples=4096, rows=count, settings=settings, code="", inputs=[],
                   facts={}, synthetic=True)
"""


def environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT / "src")}


def started(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments], env=environment(), stderr=subprocess.DEVNULL)


def finished(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        if process.wait():
            raise SystemExit(f"{process.args} ended with {process.returncode}")


def cpu_seconds() -> float:
    """CPU seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def job(verb: str, settings: dict[str, object], out: Path, *arguments: str) -> subprocess.Popen[bytes]:
    given = ["--settings", json.dumps(settings), "--code", "benchmark", "--out", str(out)]
    return started("-m", "codeii", verb, *arguments, *given)


def by_jobs(folder: Path, out: Path, shards: int = 1, at_once: bool = False) -> None:
    """The study's jobs from the listed raw files to the tensor store."""
    records, tensors = out / "records", out / "tensors"
    parts = [{"index": index, "count": shards} for index in range(shards)]

    def all_of(processes: Iterator[subprocess.Popen[bytes]]) -> None:
        finished(*processes) if at_once else [finished(process) for process in processes]

    manifests = [records / "shards" / str(part["index"]) / "manifest.json" for part in parts]
    raw = ("--source", "ptbxl", "--raw", str(folder / "listed/manifest.json"))
    all_of(
        job("record_shard", {"layout": {}, "shard": part}, manifest.parent, *raw)
        for part, manifest in zip(parts, manifests, strict=True)
    )
    finished(job("records", {"max_faulty_share": 0.05}, records, "--source", "ptbxl", "--shards", *map(str, manifests)))
    manifests = [tensors / "shards" / str(part["index"]) / "manifest.json" for part in parts]
    store = ("--records", str(records / "manifest.json"))
    all_of(
        job("tensor_shard", {"preprocessing": PREPROCESSING, "shard": part}, manifest.parent, *store)
        for part, manifest in zip(parts, manifests, strict=True)
    )
    finished(job("tensors", {"preprocessing": PREPROCESSING}, tensors, "--shards", *map(str, manifests)))


def check(peer: Path, ours: Path, jobs: Path) -> None:
    """Both of ours are the peer's float64, rounded to microvolts."""
    with h5py.File(peer) as file:
        wanted = np.rint(file["tracings"][:] * 1000).transpose(0, 2, 1)
    for folder in (ours, jobs / "tensors/shards/0"):
        found = np.load(folder / "signals.npy", mmap_mode="r")[: len(wanted)]
        different = int((found != wanted).sum())
        if different:
            raise SystemExit(f"{folder}: {different} of {wanted.size} values differ from the peer's, rounded")
    print(f"all {wanted.size:,} values equal the peer's float64 rounded to 1 uV")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=6000)
    parser.add_argument("--peer-records", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on which disk (default: the one of temporary files)")
    arguments = parser.parse_args()
    records, fewer = arguments.records, min(arguments.records, arguments.peer_records)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        write_release(folder / "raw", records)
        finished(
            job(
                "fetch",
                {"version": "1", "origin": "local", "path": str(folder / "raw")},
                folder / "listed",
                "--source",
                "ptbxl",
            )
        )
        programs = {
            "peer": lambda: finished(started("-c", PEER, str(folder / "raw"), str(folder / "peer.hdf5"), str(fewer))),
            "one program": lambda: finished(
                started("-c", OURS, str(folder / "raw"), str(folder / "one"), str(records), json.dumps(PREPROCESSING))
            ),
            "jobs": lambda: by_jobs(folder, folder / "jobs"),
            "two shards in turn": lambda: by_jobs(folder, folder / "two", 2),
            "two shards at once": lambda: by_jobs(folder, folder / "two", 2, at_once=True),
        }
        cpu: dict[str, list[float]] = {name: [] for name in programs}
        wall: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(arguments.rounds):
            for name, program in programs.items():
                os.sync()  # what one has written does not hold up the next
                before, start = cpu_seconds(), time.perf_counter()
                program()
                wall[name].append(time.perf_counter() - start)
                cpu[name].append(cpu_seconds() - before)
        check(folder / "peer.hdf5", folder / "one", folder / "jobs")
    scaled = [seconds * records / fewer for seconds in cpu["peer"]]
    words = f"{records:,} records" + (f", peer measured on {fewer:,} and scaled" if fewer < records else "")
    print(f"{words}, {arguments.rounds} rounds; CPU seconds of the peer {median(scaled):.1f}")
    for name in ("one program", "jobs"):
        found = [slow / fast for slow, fast in zip(scaled, cpu[name], strict=True)]
        spread = f"{median(found):.1f} ({min(found):.1f}, {max(found):.1f})"
        print(f"{name:20} {median(cpu[name]):8.2f} s CPU, {spread} times less than the peer")
    gains = [a / b for a, b in zip(wall["two shards in turn"], wall["two shards at once"], strict=True)]
    print(f"two cores against one, wall time of two shards: {median(gains):.2f} ({min(gains):.2f}, {max(gains):.2f})")


if __name__ == "__main__":
    main()
