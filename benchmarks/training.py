"""How fast the CODE ResNet trains and answers on a CPU, against the same network in plain PyTorch.

Run: python benchmarks/training.py [--part speed|start|all] [--rounds 5] [--batch 32]

Network, weights and batch are those of the paper: 8 leads x 4096 samples, 66 classes, five blocks. The usual way is
eager float32 with Conv1d, torch's dropout and torch.optim.Adam; answers are asked with gradients on. One thread;
processor time; both sides run in the environment of the study's jobs, which helps the usual way too. That both give
the same numbers is checked before the clock starts. The floor is arithmetic alone: the products that the layers need,
at the rate at which this processor multiplies and adds numbers that never leave its registers, in the same rounds.

`parity.py` shows that bfloat16 learns what float32 learns.
"""

import argparse
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch
from eager import CLASSES, FULL_SIZE, LEADS, SAMPLES, EagerResNet, products, training_products
from harness import PROCESSOR, ROOT, as_a_job, both_clocks, report
from loading import inputs_over, written
from torch import nn
from torch.nn import functional

from codeii.models import build
from codeii.native.library import load_library
from codeii.networks.arithmetic import EXACT, Arithmetic, Ask, asked_with, computes_bfloat16
from codeii.networks.batches import order_of, read
from codeii.networks.device import prepare
from codeii.networks.inference import folded
from codeii.training import adamw

USUAL = "eager float32, Conv1d"
LOWERED = Arithmetic(precision="bfloat16")
CPU = torch.device("cpu")
ROUNDS_OF_ARITHMETIC = 20_000_000
VECTORS = 16  # of fused.c
ROUNDING = 2e-6  # of the logits' scale: what folding may change in float32, whose own rounding is half of it
Case = dict[str, Callable[[], object]]


def pair(rate: float = FULL_SIZE["dropout_rate"]) -> tuple[nn.Module, nn.Module]:
    """The usual network and ours with the same weights."""
    settings = {**FULL_SIZE, "dropout_rate": rate}
    torch.manual_seed(0)
    ours = build("resnet1d", LEADS, CLASSES, settings)
    usual = EagerResNet(LEADS, CLASSES, settings)
    usual.load_state_dict(ours.state_dict())
    return usual, ours


def usual_step(network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> Callable[[], None]:
    optimiser = torch.optim.Adam(network.train().parameters(), 1e-3)

    def step() -> None:
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(network(inputs), targets).backward()
        optimiser.step()

    return step


def our_step(
    network: nn.Module, arithmetic: Arithmetic, inputs: torch.Tensor, targets: torch.Tensor
) -> Callable[[], None]:
    ask = asked_with(arithmetic, network.train(), CPU)
    moments = adamw.no_moments(network)
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        loss_of(network, ask, inputs, targets)
        adamw.update(network, moments, count, 1e-3, 0.0)

    return step


def loss_of(network: nn.Module, ask: Ask, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    network.zero_grad()
    loss = functional.binary_cross_entropy_with_logits(ask(inputs), targets)
    loss.backward()
    return loss.item()


@dataclass(frozen=True, slots=True)
class Peak:
    """Arithmetic that never leaves the registers."""

    work: Callable[[], object]
    products: float  # of one call


def peaks() -> dict[str, Peak]:
    """By precision; none where the compiler or the instruction is missing."""
    library = load_library(Path(__file__).with_name("fused.c"))
    found = {}
    for name, kind in (("float32", "floats"), ("bfloat16", "bfloats")):
        lanes = getattr(library, f"lanes_of_{kind}")() if library is not None else 0
        if lanes:
            fuse = partial(getattr(library, f"fuse_{kind}"), ctypes.c_int64(ROUNDS_OF_ARITHMETIC), ctypes.c_float(1))
            found[name] = Peak(fuse, float(lanes * VECTORS * ROUNDS_OF_ARITHMETIC))
    return found


def compare(title: str, contestants: Case, needed: float, batch: int, rounds: int) -> None:
    """Print times, ratios to the usual way, and the share of the peak that each contestant's arithmetic reaches."""
    floors = peaks()
    _, seconds = both_clocks({**contestants, **{name: peak.work for name, peak in floors.items()}}, rounds)
    measured = {name: seconds.pop(name) for name in floors}
    print(f"{title}; {batch} records of {LEADS} x {SAMPLES}, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
    print(report(seconds, USUAL, batch, "record", PROCESSOR))
    for name, times in seconds.items():
        kind = "bfloat16" if "bfloat16" in name else "float32"
        if kind in floors:
            least = needed * batch / floors[kind].products
            shares = sorted(100 * least * peak / took for peak, took in zip(measured[kind], times, strict=True))
            print(f"{name:32} {median(shares):.0f} % of the peak ({shares[0]:.0f}, {shares[-1]:.0f})")
    for kind, times in measured.items():
        print(f"peak {kind}: {2e-9 * floors[kind].products / median(times):.0f} GFLOP/s a core")
    print()


def training_steps(batch: int, rounds: int) -> None:
    inputs, targets = torch.randn(batch, LEADS, SAMPLES), (torch.rand(batch, CLASSES) < 0.1).float()
    usual, ours = pair(rate=0.0)
    losses = [loss_of(network, network, inputs, targets) for network in (usual.train(), ours.train())]
    if abs(losses[0] - losses[1]) > 1e-5:
        raise SystemExit(f"without dropout the two networks lose {losses[0]} and {losses[1]}")
    usual, ours = pair()
    contestants = {
        USUAL: usual_step(usual, inputs, targets),
        "ours, float32": our_step(ours, EXACT, inputs, targets),
    }
    if computes_bfloat16(CPU):
        contestants["ours, bfloat16"] = our_step(pair()[1], LOWERED, inputs, targets)
    compare("training step", contestants, training_products(FULL_SIZE), batch, rounds)


def answers(batch: int, rounds: int) -> None:
    inputs = torch.randn(batch, LEADS, SAMPLES)
    usual, ours = (network.eval() for network in pair())
    quick = folded(ours)

    def asked(ask: Ask) -> torch.Tensor:
        with torch.inference_mode():
            return ask(inputs)

    exact = asked(ours)
    scale = exact.abs().max()
    apart = float((asked(quick) - exact).abs().max() / scale)
    few, double = inputs[:4], deepcopy(ours).double()
    with torch.inference_mode():
        truth = double(few.double())
        own, folding = (float((ask(few) - truth).abs().max() / scale) for ask in (ours, quick))
    print(f"answers apart from float64, of the logits' scale: ours {own:.1e}, folded {folding:.1e}")
    if apart > ROUNDING:
        raise SystemExit(f"folded answers are {apart:.1g} of the logits' scale apart")
    contestants: Case = {
        USUAL: lambda: usual(inputs),
        "ours, float32": lambda: asked(ours),
        "ours, float32, folded": lambda: asked(quick),
    }
    if computes_bfloat16(CPU):
        lowered = asked_with(LOWERED, quick, CPU)
        contestants["ours, bfloat16, folded"] = lambda: asked(lowered)
        rounded = float((asked(lowered) - exact).abs().max() / scale)
        print(f"answers apart from float32, of the logits' scale: folded {apart:.1e}, bfloat16 {rounded:.1e}")
    compare("answers", contestants, products(FULL_SIZE), batch, rounds)


def loader_share(batch: int, rounds: int) -> None:
    """Processor time of reading a batch from a store in memory, as a share of the fastest step with it."""
    _, network = pair()
    with tempfile.TemporaryDirectory() as folder:
        inputs = inputs_over(written(Path(folder) / "store", 1024))
        order = order_of(0, 0, len(inputs))[:batch]
        targets = (torch.rand(batch, CLASSES) < 0.1).float()
        arithmetic = LOWERED if computes_bfloat16(CPU) else EXACT
        step = our_step(network, arithmetic, read(inputs, order, CPU), targets)
        contestants = {"read": lambda: read(inputs, order, CPU), "step": step}
        _, seconds = both_clocks(contestants, rounds)
    shares = sorted(one / (one + step) for one, step in zip(seconds["read"], seconds["step"], strict=True))
    print(f"loader: {100 * median(shares):.2f} % of a training step ({100 * shares[0]:.2f}, {100 * shares[-1]:.2f})\n")


START = """
import torch
from codeii.training.run import train
from codeii.training.gradients import loss_and_gradients
from codeii.training import adamw
from codeii.models import build
from codeii.networks.device import prepare
prepare(1)
network = build("resnet1d", 8, 5, {"filters": [16, 24, 32, 48], "strides": [4, 4, 4, 2], "kernel_size": 9,
    "dropout_rate": 0.1, "head_samples": 1}).train()
loss_and_gradients(network, torch.zeros(64, 8, 1024), torch.zeros(64, 5))
adamw.update(network, adamw.no_moments(network), 1, 1e-3, 0.0)
"""


def start(rounds: int) -> None:
    """Processor time of a process that imports the training and makes its first step, beside `import torch` alone."""
    programs = {"first step": START, "import torch": "import torch"}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            subprocess.run([sys.executable, "-c", program], check=True, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    for name, times in seconds.items():
        print(f"start to {name}: {median(times):.2f} s of processor time ({min(times):.2f}, {max(times):.2f})")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=("all", "speed", "start"), default="all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    as_a_job()
    began = time.monotonic()
    prepare(1)
    wanted = arguments.part
    if wanted in ("all", "speed"):
        training_steps(arguments.batch, arguments.rounds)
        answers(arguments.batch, arguments.rounds)
        loader_share(arguments.batch, arguments.rounds)
    if wanted in ("all", "start"):
        start(arguments.rounds)
    print(f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
