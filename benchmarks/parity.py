"""Does bfloat16 learn what float32 learns? Loss curves and macro AUROC of both, seed by seed.

Run: python benchmarks/parity.py [--seeds 3]

A smaller network learns a synthetic task: which short waves hide in the noise of eight leads. Data, order, first
weights and dropout are the same in both; the difference is read beside the spread that another seed makes.
"""

import argparse
import os
from statistics import stdev

import numpy as np
import torch
from eager import LEADS
from harness import as_a_job
from torch import nn
from torch.nn import functional

from codeii.models import build
from codeii.networks.arithmetic import EXACT, Arithmetic, Ask, asked_with, check
from codeii.networks.batches import cut, order_of, seed_dropout
from codeii.networks.device import prepare
from codeii.training import adamw
from codeii.training.validation import macro_auroc

LOWERED = Arithmetic(precision="bfloat16")
CPU = torch.device("cpu")
TASK = {"filters": [16, 32, 48], "strides": [2, 4, 4], "kernel_size": 17, "dropout_rate": 0.2, "head_samples": 4}
TASK_SAMPLES, TASK_CLASSES, TASK_BATCH, TASK_EPOCHS = 512, 6, 32, 8


def task(records: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Records whose classes are short waves of different rate, at places and sizes of chance, under noise."""
    generator = np.random.default_rng(seed)
    truth = (generator.random((records, TASK_CLASSES)) < 0.25).astype(np.float32)
    signals = generator.standard_normal((records, LEADS, TASK_SAMPLES)).astype(np.float32)
    time_s = np.arange(TASK_SAMPLES) / 100
    leads = np.random.default_rng(0).standard_normal((TASK_CLASSES, LEADS))  # how a class spreads over them: the same
    for row, column in zip(*np.nonzero(truth), strict=True):
        envelope = np.exp(-(((time_s - generator.uniform(0.5, 4.5)) / 0.25) ** 2))
        wave = envelope * np.sin(2 * np.pi * (3 + 2 * column) * time_s) * generator.uniform(0.2, 0.9)
        signals[row] += leads[column][:, None].astype(np.float32) * wave.astype(np.float32)
    return torch.from_numpy(signals), truth


def curve(arithmetic: Arithmetic, seed: int) -> tuple[list[float], float]:
    """Mean training loss of each epoch, and macro AUROC on records never seen, of one run."""
    (signals, truth), (held_out, held_truth) = task(2048, 1), task(2048, 2)
    torch.manual_seed(seed)
    network = build("resnet1d", LEADS, TASK_CLASSES, TASK).train()
    ask, moments, losses, step = asked_with(arithmetic, network, CPU), adamw.no_moments(network), [], 0
    parts = cut(len(signals), TASK_BATCH)
    for epoch in range(TASK_EPOCHS):
        order, total = order_of(seed, epoch, len(signals)), 0.0
        for part in parts:
            seed_dropout(seed, step)
            step += 1
            total += loss_of(network, ask, signals[order[part]], torch.from_numpy(truth[order[part]]))
            adamw.update(network, moments, step, 3e-3, 0.0)
        losses.append(total / len(parts))
    with torch.inference_mode():
        logits = torch.cat([asked_with(arithmetic, network.eval(), CPU)(part) for part in held_out.split(256)])
    return losses, macro_auroc(logits.numpy(), held_truth) or float("nan")


def loss_of(network: nn.Module, ask: Ask, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    network.zero_grad()
    loss = functional.binary_cross_entropy_with_logits(ask(inputs), targets)
    loss.backward()
    return loss.item()


def parity(seeds: int) -> None:
    """Print loss curves and macro AUROC of both precisions, and their differences beside the spread of seeds."""
    print(f"loss parity: {seeds} seeds, 2,048 records of {LEADS} x {TASK_SAMPLES}, {TASK_EPOCHS} epochs")
    found = {}
    for name, arithmetic in (("float32", EXACT), ("bfloat16", LOWERED)):
        found[name] = [curve(arithmetic, seed) for seed in range(seeds)]
        for seed, (losses, auroc) in enumerate(found[name]):
            print(f"{name:9} seed {seed}: loss {' '.join(f'{loss:.4f}' for loss in losses)}  macro AUROC {auroc:.4f}")
    pairs = list(zip(found["float32"], found["bfloat16"], strict=True))
    for what, place in (("last loss", lambda run: run[0][-1]), ("macro AUROC", lambda run: run[1])):
        apart = [place(lowered) - place(exact) for exact, lowered in pairs]
        spread = stdev([place(exact) for exact, _ in pairs]) if seeds > 1 else float("nan")
        print(
            f"{what}: bfloat16 - float32 {np.mean(apart):+.4f} on average ({min(apart):+.4f}, {max(apart):+.4f}); "
            f"standard deviation of float32 over seeds {spread:.4f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    as_a_job()
    prepare(1)
    check(LOWERED, CPU)
    parity(arguments.seeds)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
