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
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from absent import removed, stand_in
from eager import CLASSES, FULL_SIZE, LEADS, SAMPLES, EagerResNet, training_products
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

OPEN_TRAINING, FULL_TRAINING = 12_000, 2_735_269  # records of CODE-II-open's training split, exams of CODE-II full
SMALL = {"filters": (8, 12, 16), "strides": (1, 16, 16), "kernel_size": 17, "dropout_rate": 0.2, "head_samples": 16}
SMALL |= {"stem_activation": "none"}
USUAL = "eager float32, DataLoader"


MISSING = stand_in(("pydantic", "pandas", "safetensors", "safetensors.numpy"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from codeii.artifacts.tensor_store import Signals  # noqa: E402
from codeii.models.resnet1d import ResNet1d  # noqa: E402
from codeii.networks.arithmetic import EXACT, Arithmetic, asked_with  # noqa: E402
from codeii.networks.batches import Inputs, read  # noqa: E402
from codeii.networks.device import prepare  # noqa: E402
from codeii.networks.optimiser import update  # noqa: E402
from codeii.networks.prefetch import prefetched  # noqa: E402

removed(MISSING)

OURS = {  # arithmetic, and whether torch's fused AdamW moves the weights
    "ours, float32": (EXACT, False),
    "ours, bfloat16": (Arithmetic("bfloat16"), False),
    "ours, bfloat16, fused AdamW": (Arithmetic("bfloat16"), True),
    "ours, bfloat16, compiled": (Arithmetic("bfloat16", "default"), True),
    "ours, bfloat16, tuned and graphs": (Arithmetic("bfloat16", "max"), True),
}


class Records(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """One float32 record in millivolts at a time, as the field's loaders give them."""

    def __init__(self, signals: np.ndarray, targets: np.ndarray) -> None:
        self.signals, self.targets = signals, targets

    def __len__(self) -> int:
        return len(self.signals)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        signal = torch.from_numpy(self.signals[index].astype(np.float32) * np.float32(1e-3))
        return signal, torch.from_numpy(self.targets[index])


class Bench:
    """What all parts share: device, network, records and the time each may take."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.device = prepare(1 if arguments.smoke else (os.cpu_count() or 1))
        self.settings = SMALL if arguments.smoke else FULL_SIZE
        self.batch, self.seconds, self.rounds = arguments.batch, arguments.seconds, arguments.rounds
        path = folder / "signals.npy"
        self.signals = np.lib.format.open_memmap(path, "w+", np.int16, (arguments.records, LEADS, SAMPLES))
        generator = np.random.default_rng(0)
        noise = generator.integers(-2000, 2000, (256, LEADS, SAMPLES), np.int16)
        for start in range(0, arguments.records, 256):
            part = self.signals[start : start + 256]
            part[:] = np.roll(noise[: len(part)], start, axis=-1)
        self.targets = (generator.random((arguments.records, CLASSES)) < 0.1).astype(np.float32)
        rows = np.arange(arguments.records)
        self.inputs = Inputs(Signals([np.load(path, mmap_mode="r")]), rows, 1e-3, rows)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def orders(self) -> Iterator[np.ndarray]:
        """Whole batches in random order, without end."""
        number = 0
        while True:
            order = np.random.default_rng(number).permutation(len(self.inputs))
            number += 1
            yield from (order[n : n + self.batch] for n in range(0, len(order) - self.batch + 1, self.batch))

    def timed(self, run: Callable[[], object]) -> float:
        run()
        self.wait()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run()
            self.wait()
            times.append(time.perf_counter() - start)
        return median(times)


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


def usual(bench: Bench) -> Iterator[None]:
    """Steps of the usual way, one at each turn."""
    torch.manual_seed(0)
    network = EagerResNet(LEADS, CLASSES, bench.settings).to(bench.device).train()
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    cuda = bench.device.type == "cuda"
    while True:
        records = Records(bench.signals, bench.targets)
        for signals, targets in DataLoader(records, bench.batch, shuffle=True, drop_last=True, pin_memory=cuda):
            optimiser.zero_grad()
            logits = network(signals.to(bench.device, non_blocking=True))
            functional.binary_cross_entropy_with_logits(logits, targets.to(bench.device)).backward()
            optimiser.step()
            yield


def ours(bench: Bench, arithmetic: Arithmetic, fused: bool, resident: bool = False) -> Iterator[None]:
    """Steps of ours, one at each turn; `resident` keeps one batch on the device and reads no other."""
    torch.manual_seed(0)
    network = ResNet1d(LEADS, CLASSES, SimpleNamespace(**bench.settings)).to(bench.device).train()
    ask = asked_with(arithmetic, network, bench.device)
    move = _mover(network, fused and bench.device.type == "cuda")
    batches = bench.orders()
    if resident:
        picks = next(batches)
        held = picks, read(bench.inputs, picks, bench.device)
        source: Iterator[tuple[np.ndarray, torch.Tensor]] = iter(lambda: held, None)
    else:
        per_pass = len(bench.inputs) // bench.batch
        source = (item for _ in iter(int, 1) for item in prefetched(
            bench.inputs, [next(batches) for _ in range(per_pass)], bench.device
        ))  # fmt: skip
    for picks, signals in source:
        targets = torch.from_numpy(bench.targets[picks]).to(bench.device)
        network.zero_grad()
        functional.binary_cross_entropy_with_logits(ask(signals), targets).backward()
        move()
        yield


def _mover(network: nn.Module, fused: bool) -> Callable[[], object]:
    values = list(network.parameters())
    if fused:
        return torch.optim.AdamW(values, 1e-3, weight_decay=0.0, fused=True).step
    means, squares = ([torch.zeros_like(value) for value in values] for _ in range(2))
    number = 0

    def move() -> None:
        nonlocal number
        number += 1
        update(values, means, squares, number, 1e-3, 0.0)

    return move


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


def training(bench: Bench, peak: dict[str, float]) -> dict[str, Any]:
    """Records a second of each way; first steps, which compile, are not counted."""
    started, memory, failures = {}, {}, {}
    for name, steps in ways(bench).items():
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
        result |= training(bench, result["peaks"])
    if result["ways"]:
        result["projections"] = projections(result["ways"])
    print(json.dumps(result, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1))
    if not result["ways"] or USUAL in result["failed"]:
        raise SystemExit("no comparison could be made; see 'failed'")


if __name__ == "__main__":
    main()
