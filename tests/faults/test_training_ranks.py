"""F06, F07: what happens to several processes that train together when one of them, or their launcher, dies."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace as Namespace
from typing import Any

import pytest
from tests.rank_server import Server, command, server

from codeii.artifacts import events
from codeii.training import run
from codeii.workflow.rules import Study

SOON_S = 30.0
# The command line, with a state saved after every step.
PROGRAM = """
import functools, sys
from codeii.__main__ import main
from codeii.training import run
run.Keeper = functools.partial(run.Keeper, every_s=-1.0)
sys.exit(main(sys.argv[1:]))
"""

Inputs = dict[str, Path]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def settings(tiny_settings: dict[str, Any]) -> dict[str, Any]:
    return {**tiny_settings, "recipe": {**tiny_settings["recipe"], "epochs": 12, "batch_size": 13}}


@pytest.fixture(scope="module")
def ranks() -> Iterator[Server]:
    with server() as started:
        yield started


@pytest.fixture(scope="module")
def weights(
    ranks: Server, tiny_inputs: Inputs, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert ranks("train", folder, 2, command=command(tiny_inputs, settings, folder)) == [0, 0]
    return (folder / "run/weights.safetensors").read_bytes()


@pytest.fixture
def start(tiny_inputs: Inputs, settings: dict[str, Any], tmp_path: Path) -> Iterator[Start]:
    """torchrun with two processes, in a session of its own, of which nothing is left at the end."""
    program, started = tmp_path / "program.py", []
    program.write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program)]
    environment = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parents[2])}

    def begin() -> subprocess.Popen[bytes]:
        words = [*launcher, *command(tiny_inputs, settings, tmp_path)]
        with (tmp_path / "log").open("a") as log:
            started.append(subprocess.Popen(words, env=environment, stderr=log, start_new_session=True))
        return started[-1]

    yield begin
    for process in started:
        for number in [*children(process.pid), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()


def children(number: int) -> dict[int, int]:
    """Ranks started by a process -> their rank."""
    path = Path(f"/proc/{number}/task/{number}/children")
    found = {}
    for child in map(int, path.read_text().split() if path.is_file() else []):
        told = dict(
            word.split("=", 1) for word in Path(f"/proc/{child}/environ").read_text().split("\0") if "=" in word
        )
        if "RANK" in told:
            found[child] = int(told["RANK"])
    return found


def wait_for_step(process: subprocess.Popen[bytes], folder: Path, step: int) -> dict[int, int]:
    """Wait for a state of this step; who trains."""
    deadline = time.monotonic() + 120
    while not any((folder / "scratch").glob(f"*/state-{step:012d}.sha256")):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, f"the run did not reach step {step} in two minutes"
        time.sleep(0.001)
    return {rank: number for number, rank in children(process.pid).items()}


def gone(numbers: list[int]) -> bool:
    deadline = time.monotonic() + SOON_S
    while any(alive(number) for number in numbers):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def alive(number: int) -> bool:
    status = Path(f"/proc/{number}/stat")
    with suppress(FileNotFoundError, ProcessLookupError):
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def finished(ranks: Server, inputs: Inputs, settings: dict[str, Any], folder: Path) -> bytes:
    """Weights after the same command again."""
    assert not (folder / "run").exists()
    assert ranks("train", folder, 2, command=command(inputs, settings, folder)) == [0, 0], (
        folder / "0.err"
    ).read_text()
    assert [event["resumed_from_step"] > 0 for event in events.read(folder / "scratch") if event["event"] == "start"][
        -1
    ]
    return (folder / "run/weights.safetensors").read_bytes()


def test_what_the_rule_starts_is_the_command_line_in_several_processes_of_this_python(
    ranks: Server, tiny_inputs: Inputs, settings: dict[str, Any], tmp_path: Path
) -> None:
    recipes = {"one": Namespace(processes=1, threads=3), "two": Namespace(processes=2, threads=3)}
    study = Study(Namespace(recipes=recipes, experiments={name: Namespace(recipe=name) for name in recipes}), {})
    one, two = Namespace(experiment="one"), Namespace(experiment="two")
    assert (study.launcher(one), study.processes(one), study.training_threads(one)) == ("python", 1, 3)
    assert (study.processes(two), study.training_threads(two), study.threads(two)) == (2, 6, 3)
    short = {**settings, "recipe": {**settings["recipe"], "epochs": 1}}
    python, *words = study.launcher(two).split()
    assert python == "python"
    environment = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parents[2])}
    words = [sys.executable, *words, "-m", "codeii", *command(tiny_inputs, short, tmp_path)]
    subprocess.run(words, env=environment, check=True, capture_output=True)
    other = tmp_path / "other"
    assert ranks("train", other, 2, command=command(tiny_inputs, short, other)) == [0, 0]
    found, expected = (folder / "run/weights.safetensors" for folder in (tmp_path, other))
    assert found.read_bytes() == expected.read_bytes()


def test_two_launchers_that_find_each_other_train_as_one_with_two_processes(
    tiny_inputs: Inputs, settings: dict[str, Any], weights: bytes, tmp_path: Path
) -> None:
    """As on two machines, which share their files."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = f"--rdzv-endpoint=localhost:{free.getsockname()[1]}"
    words = ["--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", "--rdzv-id=1", meeting, "-m", "codeii"]
    words = [sys.executable, "-m", "torch.distributed.run", *words, *command(tiny_inputs, settings, tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parents[2])}
    launchers = [subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [launcher.wait(120) for launcher in launchers] == [0, 0]
    assert (tmp_path / "run/weights.safetensors").read_bytes() == weights


def test_when_one_process_is_killed_the_others_end_and_the_next_call_goes_on_to_the_same_bits(
    start: Start,
    ranks: Server,
    tiny_inputs: Inputs,
    settings: dict[str, Any],
    weights: bytes,
    tmp_path: Path,
) -> None:
    killed = random.SystemRandom().randrange(2)
    process = start()
    found = wait_for_step(process, tmp_path, 9)
    os.kill(found[killed], signal.SIGKILL)
    assert process.wait(SOON_S) == 1
    assert gone(list(found.values()))
    assert finished(ranks, tiny_inputs, settings, tmp_path) == weights, f"killed process {killed}"


def test_sigterm_to_the_launcher_saves_the_state(
    start: Start, ranks: Server, tiny_inputs: Inputs, settings: dict[str, Any], weights: bytes, tmp_path: Path
) -> None:
    process = start()
    found = wait_for_step(process, tmp_path, 9)
    process.terminate()
    assert process.wait(SOON_S) != 0
    assert gone(list(found.values()))
    told = events.read(tmp_path / "scratch")[-1]
    assert (told["event"], told["reason"]) == ("stopped", "SIGTERM")
    assert (tmp_path / "log").read_text().count("training stopped (SIGTERM) at step") == 1
    assert finished(ranks, tiny_inputs, settings, tmp_path) == weights


def test_when_the_launcher_is_killed_the_processes_save_their_state_and_end(
    start: Start, ranks: Server, tiny_inputs: Inputs, settings: dict[str, Any], weights: bytes, tmp_path: Path
) -> None:
    process = start()
    found = wait_for_step(process, tmp_path, 9)
    process.kill()
    assert gone(list(found.values()))
    assert events.read(tmp_path / "scratch")[-1]["reason"] == "SIGHUP"
    assert finished(ranks, tiny_inputs, settings, tmp_path) == weights
