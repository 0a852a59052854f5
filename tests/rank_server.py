"""Processes that train together, forked from one that has imported everything: no second of imports for each.

As torchrun does, each is told by its environment who it is. `python -m tests.rank_server` reads one order a line.
"""

import functools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from codeii.__main__ import main
from codeii.networks import prefetch
from codeii.networks.batches import Inputs
from codeii.networks.device import prepare
from codeii.networks.inference import answers
from codeii.networks.ranks import ranks_of, together
from codeii.networks.shared_norm import share_norms, uncounted
from codeii.training import loop, resume, run
from codeii.training.gradients import loss_and_gradients
from codeii.training.share import share_of

ROOT = Path(__file__).parents[1]


class Server:
    """Asks the forking process for runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, call: str, folder: Path, count: int, **arguments: Any) -> list[int]:
        """Exit codes of `count` processes that each call a function of this file; `<rank>.err` is what they said."""
        folder.mkdir(exist_ok=True)
        order = {"call": call, "folder": str(folder), "count": count, "arguments": arguments}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        codes: list[int] = json.loads(self.process.stdout.readline())
        return codes


@contextmanager
def server() -> Iterator[Server]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([sys.executable, "-m", "tests.rank_server"], **pipes) as process:
        yield Server(process)
        process.stdin.close()


def command(inputs: dict[str, Path], settings: dict[str, Any], folder: Path) -> list[str]:
    """Arguments of a training: `run` and `scratch` in the folder."""
    told = ["train", "--tensors", str(inputs["tensors"]), "--targets", str(inputs["targets"]), "--code", "code"]
    told += ["--settings", json.dumps(settings), "--out", str(folder / "run"), "--scratch", str(folder / "scratch")]
    return told


def train(
    folder: Path,
    command: list[str],
    spoilt: int | None = None,
    hit: list[int] | None = None,
    save_always: bool = False,
) -> int:
    """Train by the command line; `<rank>.picks` lists the records of each batch, `<rank>.written` the files opened.

    Also `<rank>.seeds`, of dropout in each step.
    spoilt : a record that is no number
    hit : rank that gets a signal, at which step, and which; `<rank>.states` lists what it leaves when it ends
    """
    rank, steps, seeds = os.environ["RANK"], [0], []
    honest, seed_dropout = prefetch.read, loop.seed_dropout

    def read(inputs: Any, picks: np.ndarray, device: torch.device) -> torch.Tensor:
        batch = honest(inputs, picks, device)
        batch[picks == spoilt] = float("nan")
        steps[0] += 1
        if hit and hit[:2] == [int(rank), steps[0]]:
            os.kill(os.getpid(), hit[2])
        with (folder / f"{rank}.picks").open("a") as file:
            file.write(json.dumps(picks.tolist()) + "\n")
        return batch

    def seed(*told: int) -> None:
        seed_dropout(*told)
        seeds.append(torch.initial_seed())

    def save(*told: Any) -> None:
        if hit:
            time.sleep(0.3)  # the others could be gone by then
        honest_save(*told)

    honest_save = resume.save
    prefetch.read, loop.seed_dropout, resume.save = read, seed, save
    if save_always:
        run.Keeper = functools.partial(run.Keeper, every_s=-1.0)
    written: list[str] = []

    def opened(event: str, told: tuple[Any, ...]) -> None:
        if event == "open" and str(told[1])[:1] in "wax" and Path(str(told[0])).is_relative_to(folder):
            written.append(str(told[0]))

    sys.addaudithook(opened)
    try:
        code = main(command)
    except SystemExit:
        states = [path.name for path in folder.glob("scratch/*/*.sha256")]
        (folder / f"{rank}.states").write_text(json.dumps(states))
        raise
    own = folder / f"{rank}.picks"
    (folder / f"{rank}.written").write_text("\n".join(path for path in written if Path(path) != own))
    (folder / f"{rank}.seeds").write_text(json.dumps(seeds))
    return code


def norm(folder: Path) -> int:
    """A batch norm of seven records on three ranks, one of which has none; what it gives and what flows back."""
    ranks = ranks_of(os.environ)
    x = torch.from_numpy(np.load(folder / "x.npy"))
    network = nn.Sequential(nn.BatchNorm1d(x.shape[1]))
    with together(ranks, prepare(1)):
        share_norms(network, ranks)
        mine = [x[:2], x[2:], x[:0]][ranks.rank].clone().requires_grad_()
        if len(mine):
            y = network(mine)
            (y**3).sum().backward()
        else:
            with uncounted(network):
                stand_in = torch.full((1, *x.shape[1:]), 7.0, requires_grad=True)
                (network(stand_in).sum() * 0).backward()
            y, mine.grad = x[:0], torch.zeros_like(x[:0])
            assert not stand_in.grad.any()
        state = {name: value.numpy() for name, value in network.state_dict().items()}
        gradients = {"gain": network[0].weight.grad.numpy(), "offset": network[0].bias.grad.numpy()}
        np.savez(folder / f"{ranks.rank}.npz", y=y.detach(), x=mine.grad, **state, **gradients)
    return 0


def ask(folder: Path, batch_size: int) -> int:
    """Answers of a network to the inputs in the folder."""
    ranks = ranks_of(os.environ)
    x = np.load(folder / "x.npy")
    inputs = Inputs(x, np.arange(len(x)), 1.0, np.arange(len(x)))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(x.shape[1], 5), nn.Tanh(), nn.Linear(5, 3))
    device = prepare(1)
    with together(ranks, device):
        np.save(folder / f"{ranks.rank}.npy", answers(network, network, inputs, batch_size, device, ranks))
    return 0


class Skipping(nn.Module):
    """Layers, one of which each rank leaves out, and one that all leave out."""

    def __init__(self, left_out: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(4))
        self.left_out = left_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number, layer in enumerate(self.layers[:3]):
            x = x if number == self.left_out else layer(x)
        return x


def skip(folder: Path) -> int:
    """Gradients of a network in which each rank skips another layer; `<rank>.npz` has those there are."""
    ranks = ranks_of(os.environ)
    x = torch.arange(12.0).reshape(4, 3) / 10
    network = Skipping(ranks.rank)
    with together(ranks, prepare(1)):
        share = share_of(4, 1, ranks)
        loss = loss_and_gradients(network, x[share.places], torch.ones(2, 3), share=share, ranks=ranks)
    found = {name: value.grad.numpy() for name, value in network.named_parameters() if value.grad is not None}
    np.savez(folder / f"{ranks.rank}.npz", loss=loss, **found)
    return 0


def disagree(folder: Path, makings: str, step: int) -> int:
    """Rank 1 sees other states, or is made of something else."""
    ranks = ranks_of(os.environ)
    with together(ranks, prepare(1)):
        mine = folder / str(ranks.rank)
        made_of = {"code": makings if ranks.rank else "a"}
        resume.save(mine, made_of, resume.Position(step=step if ranks.rank else 1), {})
        try:
            loop.Keeper(mine, made_of, ranks=ranks).load()
        except ValueError as error:
            print(error, file=sys.stderr, flush=True)
            return 3
    return 0


def _start(order: dict[str, Any], rank: int, port: int) -> int:
    number = os.fork()
    if number:
        return number
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": order["count"], "MASTER_ADDR": "127.0.0.1"}
    os.environ.update({name: str(value) for name, value in {**told, "MASTER_PORT": port}.items()})
    folder = Path(order["folder"])
    os.dup2(os.open(folder / f"{rank}.err", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), 2)
    code = 1
    try:
        code = globals()[order["call"]](folder, **order["arguments"])
    except SystemExit as stopped:
        code = stopped.code
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        numbers = [_start(order, rank, port) for rank in range(order["count"])]
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]), flush=True)


if __name__ == "__main__":
    _serve()
