"""How fast the CODE ResNet trains on a GPU, against eager float32 PyTorch with a DataLoader.

Run: PYTHONPATH=src python benchmarks/gpu.py [--records 65536] [--batch 512] [--seconds 20] [--out gpu.json]
     PYTHONPATH=src python benchmarks/gpu.py --smoke    (any machine, seconds: does every part run?)

Needs torch and numpy, no data and nothing else: int16 records are drawn and lie in the page cache. The usual way is
eager float32 without TF32, Conv1d, torch's dropout, torch.optim.Adam, DataLoader in the same process with pinned
memory. Ours is added to it piece by piece: float32 reference path, bfloat16, compiled, and tuned with CUDA graphs;
prefetch on a side stream and AdamW over lists, or the fused one of torch. All run in one process, in turn, several
rounds. Peaks are matrix products of the same run. A part that fails is reported and the others go on.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from eager import LEADS, SAMPLES, training_products
from steps import OURS, USUAL, Bench, ours, usual

OPEN_TRAINING, FULL_TRAINING = 12_000, 2_735_269  # records of CODE-II-open's training split, exams of CODE-II full


def peaks(bench: Bench) -> dict[str, float]:
    """TFLOP/s of large matrix products by type, and GB/s between memories; the floors of this run."""
    size, found = 8192 if bench.device.type == "cuda" else 256, {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        one, other = (torch.randn(size, size, device=bench.device).to(kind) for _ in range(2))
        found[f"matmul {name} TFLOP/s"] = 2e-12 * size**3 / bench.timed(lambda one=one, other=other: one @ other)
    counts = torch.zeros(bench.batch, LEADS, SAMPLES, dtype=torch.int16)
    if bench.device.type == "cuda":
        pinned = counts.pin_memory()
        for name, source in (("pageable", counts), ("pinned", pinned)):
            took = bench.timed(lambda source=source: source.to(bench.device, non_blocking=True))
            found[f"host to device, {name} GB/s"] = 1e-9 * counts.nbytes / took
    return found


def rate(bench: Bench, steps: Iterator[None]) -> float:
    """Records a second over the time that a round gives each way."""
    bench.wait()
    start, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - start < bench.seconds / bench.rounds:
        next(steps)
        count += 1
        if count % 8 == 0:
            bench.wait()  # else the clock would measure how fast work is queued
    bench.wait()
    return count * bench.batch / (time.perf_counter() - start)


def ways(bench: Bench) -> dict[str, Iterator[None]]:
    found = {USUAL: usual(bench)}
    found |= {
        name: ours(bench, *how) for name, how in OURS.items() if bench.device.type == "cuda" or how[0].compile == "none"
    }
    found["ours, bfloat16, one batch held"] = ours(bench, *OURS["ours, bfloat16, fused AdamW"], resident=True)
    return found


def repeatable(name: str, wanted: str) -> None:
    """Our jobs compute so that bits repeat; the usual way does not ask for it."""
    torch.set_deterministic_debug_mode("default" if name == USUAL else wanted)


def training(bench: Bench, peak: dict[str, float], wanted: str) -> dict[str, Any]:
    """Records a second of each way; first steps, which compile, are not counted.

    wanted : of `torch.set_deterministic_debug_mode`, for our ways
    """
    started, memory, failures = {}, {}, {}
    for name, steps in ways(bench).items():
        repeatable(name, wanted)
        try:
            if bench.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            for _ in range(3):
                next(steps)
            bench.wait()
            started[name] = steps
            memory[name] = torch.cuda.max_memory_allocated() / 2**30 if bench.device.type == "cuda" else None
        except Exception as error:  # told below: one way that does not run must not hide the others
            failures[name] = f"{type(error).__name__}: {str(error)[:300]}"
    rates: dict[str, list[float]] = {name: [] for name in started}
    for number in range(bench.rounds):
        for name in list(started) if number % 2 else list(reversed(started)):
            repeatable(name, wanted)
            rates[name].append(rate(bench, started[name]))
    for steps in started.values():
        steps.close()  # type: ignore[attr-defined]
    flops = 2 * training_products(bench.settings)
    rows = {}
    for name, found in rates.items():
        kind = "bfloat16" if "bfloat16" in name else "float32"
        rows[name] = {
            "records/s": median(found),
            "lowest, highest": (min(found), max(found)),
            "times the usual way": median(a / b for a, b in zip(found, rates[USUAL], strict=True))
            if USUAL in rates
            else None,
            "share of the matmul peak": 1e-12 * flops * median(found) / peak[f"matmul {kind} TFLOP/s"],
            "peak memory GiB": memory[name],
        }
    return {"ways": rows, "failed": failures}


def projections(rows: dict[str, Any]) -> dict[str, float]:
    """Minutes of an epoch at the best rate, and what reading costs; eight GPUs at eight times one, an upper bound."""
    fed = {name: row["records/s"] for name, row in rows.items() if "held" not in name}
    best = max(fed.values())
    held = rows.get("ours, bfloat16, one batch held")
    same = rows.get("ours, bfloat16, fused AdamW")
    found = {
        "epoch of CODE-II-open, s": OPEN_TRAINING / best,
        "epoch of CODE-II full, 1 GPU, min": FULL_TRAINING / best / 60,
        "epoch of CODE-II full, 8 GPUs at 8 times one, min": FULL_TRAINING / best / 60 / 8,
    }
    if held and same:
        found["loader's share of a step"] = max(0.0, 1 - same["records/s"] / held["records/s"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=32_768)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each way, over all rounds")
    parser.add_argument("--folder", type=Path, help="where the records lie meanwhile, 64 KiB each")
    parser.add_argument("--out", type=Path, help="JSON of all figures")
    parser.add_argument("--smoke", action="store_true", help="tiny network, few records, no figure worth anything")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.records, arguments.batch, arguments.rounds, arguments.seconds = 32, 8, 1, 0.1
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = Bench(arguments, Path(folder))
        cuda = bench.device.type == "cuda"
        result: dict[str, Any] = {
            "device": torch.cuda.get_device_name() if cuda else "cpu",
            "torch": torch.__version__,
            "smoke": arguments.smoke,
            "batch": bench.batch,
            "peaks": peaks(bench),
        }
        result |= training(bench, result["peaks"], "error")
        if any("deterministic" in failure for failure in result["failed"].values()):
            result["not repeatable"] = result["failed"]  # told, and measured all the same
            result |= training(bench, result["peaks"], "default")
    if result["ways"]:
        result["projections"] = projections(result["ways"])
    print(json.dumps(result, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1))
    if not result["ways"] or USUAL in result["failed"]:
        raise SystemExit("no comparison could be made; see 'failed'")


if __name__ == "__main__":
    main()
