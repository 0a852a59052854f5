"""Training steps of the usual way and of ours, one at each turn, with torch and numpy alone."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import torch
from absent import removed, stand_in
from eager import CLASSES, FULL_SIZE, LEADS, SAMPLES, EagerResNet
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

SMALL = {"filters": (8, 12, 16), "strides": (1, 16, 16), "kernel_size": 17, "dropout_rate": 0.2, "head_samples": 16}
SMALL |= {"stem_activation": "none", "activation": "relu"}
USUAL = "eager float32, DataLoader"


MISSING = stand_in(("pydantic", "pandas", "safetensors", "safetensors.numpy"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from codeii.artifacts.tensor_store import Signals  # noqa: E402
from codeii.models.resnet1d import ResNet1d  # noqa: E402
from codeii.networks.arithmetic import EXACT, Arithmetic, asked_with  # noqa: E402
from codeii.networks.batches import Inputs, read  # noqa: E402
from codeii.networks.device import prepare  # noqa: E402
from codeii.networks.prefetch import prefetched  # noqa: E402
from codeii.training import adamw  # noqa: E402

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
    if fused:
        return torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.0, fused=True).step
    moments, number = adamw.no_moments(network), 0

    def move() -> None:
        nonlocal number
        number += 1
        adamw.update(network, moments, number, 1e-3, 0.0)

    return move
