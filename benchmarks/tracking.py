"""What a tracker costs a training: a follower beside it, whose store is well, slow, locked, refusing or gone.

Run: python benchmarks/tracking.py [--rounds 5] [--epochs 40]

Each round trains the same small network once without a follower and once beside `codeii track --follow` in each
condition, in processes and folders of their own, in an order that turns from round to round. A training never talks to
the store: it appends to its file of events. So what can be lost is the machine's time, and that is what is measured:
seconds of the epochs by the training's own clock, and processor time of its process. The follower's own processor time
stands beside them; it is spent on another core where there is one.
"""

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from harness import ROOT, as_a_job

from codeii.artifacts import events
from codeii.artifacts.targets import write_targets
from codeii.artifacts.tensor_store import CHANGED, write_tensor_shard, write_tensor_store
from codeii.schema.params import Preprocessing

RECORDS, CLASSES, LEADS, SAMPLES = 512, 5, 8, 1024
PREPROCESSING = Preprocessing(rate_hz=100, samples=SAMPLES).model_dump()
DATABASE = Path("results/tracking/mlflow.db")
Trouble = Callable[[Path, threading.Event], None]


def well(_: Path, __: threading.Event) -> None:
    """Nothing happens to the store."""


def locked(database: Path, stop: threading.Event, held_s: float = 3600.0, free_s: float = 0.0) -> None:
    """Somebody holds the database, for so long, and then leaves it alone for so long."""
    while not stop.is_set():
        try:
            with sqlite3.connect(database, timeout=1, isolation_level=None) as connection:
                connection.execute("BEGIN EXCLUSIVE")
                stop.wait(held_s)
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            continue
        stop.wait(free_s)


def slow(database: Path, stop: threading.Event) -> None:
    """Nine tenths of every second belong to somebody else."""
    locked(database, stop, 0.9, 0.1)


def refusing(database: Path, _: threading.Event) -> None:
    """The file is no database."""
    database.write_bytes(b"not a database\n" * 4096)


def gone(database: Path, stop: threading.Event) -> None:
    """The file is deleted again and again."""
    while not stop.is_set():
        database.unlink(missing_ok=True)
        stop.wait(0.5)


CONDITIONS: dict[str, Trouble] = {
    "store well": well,
    "store slow": slow,
    "store locked": locked,
    "store refusing": refusing,
    "store gone": gone,
}
ALONE = "no follower"


def inputs(folder: Path) -> tuple[Path, Path]:
    """Manifests of random tensors and targets."""
    rng = np.random.default_rng(0)
    split = np.where(np.arange(RECORDS) % 4 == 0, "validation", "train")
    ids = pd.DataFrame({name: [f"{name[0]}{row:04d}" for row in range(RECORDS)] for name in ("record_id", "exam_id")})
    ids = ids.assign(patient_id=ids["exam_id"], split=split, age_years=50.0, sex="unknown")
    made = {"code": "c", "inputs": [], "synthetic": True}
    facts = {"lead_names": [f"L{lead}" for lead in range(LEADS)], "rate_hz": 100, "unit": "mV", "scale": 1e-3}
    signals = [rng.integers(-1000, 1000, (RECORDS, LEADS, SAMPLES)).astype(np.int16)]
    shape = {"leads": LEADS, "samples": SAMPLES, "rows": RECORDS, "settings": {"preprocessing": PREPROCESSING}}
    changed = dict.fromkeys(CHANGED, 0)
    index = ids[["record_id", "exam_id", "patient_id"]].assign(section=0)
    shard = write_tensor_shard(folder / "tensors/shards/0", signals, index, facts=changed | facts, **shape, **made)
    settings = {"preprocessing": PREPROCESSING}
    whole = {"facts": {"source": "random"}, "settings": settings, "code": "c", "synthetic": True}
    tensors = write_tensor_store(folder / "tensors", [shard], **whole)
    matrix = (rng.random((RECORDS, CLASSES)) < 0.3).astype(np.uint8)
    classes = [f"c{number}" for number in range(CLASSES)]
    return tensors, write_targets(folder / "targets", ids, matrix, classes, settings=settings, facts={}, **made)


def settings_of(epochs: int) -> dict[str, object]:
    """A network of a few thousand parameters whose epoch takes a good tenth of a second."""
    return {
        "experiment": "benchmark",
        "task": "benchmark",
        "model": "resnet1d",
        "model_settings": {"filters": [16, 16, 32], "strides": [2, 4, 4], "kernel_size": 9, "head_samples": 1},
        **{"start": "from_scratch", "init": "random", "mode": "full", "fraction": 1.0, "per_class": 0, "seed": 0},
        "recipe": {"epochs": epochs, "batch_size": 32, "learning_rate": 1e-3, "head_learning_rate": 1e-3},
        "preprocessing": PREPROCESSING,
    }


@contextmanager
def follower(folder: Path, trouble: Trouble | None) -> Iterator[subprocess.Popen[str] | None]:
    """A follower that has opened its store before the trouble begins; ended afterwards."""
    if trouble is None:
        yield None
        return
    command = [sys.executable, "-m", "codeii", "track", "--follow", "--directory", str(folder)]
    params = ["--params", str(ROOT / "params.yaml")]
    with subprocess.Popen([*command, *params], stderr=subprocess.PIPE, text=True) as process:
        database, stop = folder / DATABASE, threading.Event()
        end = time.monotonic() + 120
        while not (database.is_file() and database.stat().st_size > 100_000) and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(3.0)  # its first round
        troubled = threading.Thread(target=trouble, args=(database, stop), daemon=True)
        troubled.start()
        try:
            yield process
        finally:
            stop.set()
            troubled.join(10)
            process.terminate()
            process.communicate(timeout=60)


def processor_seconds(pid: int) -> float:
    """User and system time of a process that still runs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def train(made: tuple[Path, Path], epochs: int, trouble: Trouble | None) -> tuple[float, float, float]:
    """Seconds of the epochs, processor seconds of the training, and of the follower meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scratch = folder / "scratch/benchmark/resnet1d/from_scratch-f1/seed0"
        command = [
            sys.executable,
            "-m",
            "codeii",
            "train",
            "--settings",
            json.dumps(settings_of(epochs)),
            "--code",
            "c",
        ]
        command += ["--tensors", str(made[0]), "--targets", str(made[1]), "--out", str(folder / "run")]
        with follower(folder, trouble) as beside:
            before = processor_seconds(beside.pid) if beside else 0.0
            of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([*command, "--scratch", str(scratch)], capture_output=True, text=True, cwd=folder)
            if done.returncode:
                sys.exit(f"the training failed: {done.stderr.strip()}")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            theirs = processor_seconds(beside.pid) - before if beside else 0.0
        told = [event for event in events.read(scratch) if event["event"] == "epoch"]
        seconds = sum(float(event["seconds"]) for event in told[1:])  # the first warms up
        spent = after.ru_utime + after.ru_stime - of_children.ru_utime - of_children.ru_stime
        return seconds, spent, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=40)
    args = parser.parse_args()
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in (ALONE, *CONDITIONS)}
    with tempfile.TemporaryDirectory() as name:
        made = inputs(Path(name))
        for number in range(args.rounds):
            order = list(found) if number % 2 else list(reversed(found))
            for condition in order:
                found[condition].append(train(made, args.epochs, CONDITIONS.get(condition)))
    heads = f"{'epochs, s':>10} {'ratio (lowest, highest)':>26} {'processor, s':>13} {'ratio':>22}"
    print(f"{args.rounds} rounds of {args.epochs} epochs; ratios to the training without a follower of the same round")
    print(f"{'':16} {heads} {'follower, s':>12}")
    for condition, rows in found.items():
        columns = list(zip(*rows, strict=True))
        words = [f"{condition:16}"]
        for place in (0, 1):
            ratios = [mine[place] / alone[place] for mine, alone in zip(rows, found[ALONE], strict=True)]
            spread = f"{median(ratios):.3f} ({min(ratios):.3f}, {max(ratios):.3f})"
            words.append(f"{median(columns[place]):>{(10, 13)[place]}.2f} {spread:>{(26, 22)[place]}}")
        print(" ".join(words), f"{median(columns[2]):>12.2f}", flush=True)


if __name__ == "__main__":
    as_a_job()
    main()
