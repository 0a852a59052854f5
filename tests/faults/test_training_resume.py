"""Killed, interrupted and damaged runs end with the same bits as one that was left alone."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from codeii.training import loop, resume, run
from codeii.training.loop import Keeper
from codeii.training.run import train

Inputs = dict[str, Path]

# A run in a process of its own, whose state is saved after every step.
PROGRAM = """
import functools, json, sys
from pathlib import Path
from codeii.training import run
tensors, targets, settings, folder, scratch = sys.argv[1:]
run.Keeper = functools.partial(run.Keeper, every_s=-1.0)
run.train(Path(tensors), Path(targets), None, json.loads(settings), "code", Path(folder), Path(scratch))
"""


@pytest.fixture(scope="module")
def settings(tiny_settings: dict[str, Any]) -> dict[str, Any]:
    recipe = {"epochs": 8, "schedule": "plateau", "plateau_patience": 1, "weight_decay": 0.01}
    return {**tiny_settings, "recipe": {**tiny_settings["recipe"], **recipe}}


@pytest.fixture(scope="module")
def undisturbed(tiny_inputs: Inputs, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(tiny_inputs, settings, folder / "run", folder / "scratch")
    return folder / "run"


def finish(inputs: Inputs, settings: dict[str, Any], folder: Path, scratch: Path) -> None:
    train(inputs["tensors"], inputs["targets"], None, settings, "code", folder, scratch)


def start(inputs: Inputs, settings: dict[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    arguments = [*map(str, inputs.values()), json.dumps(settings), str(folder / "run"), str(folder / "scratch")]
    environment = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parents[2])}
    with (folder / "log").open("w") as log:
        return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], env=environment, stderr=log)


def wait_for_step(process: subprocess.Popen[bytes], folder: Path, step: int) -> None:
    deadline = time.monotonic() + 120
    while not any((folder / "scratch").glob(f"*/state-{step:012d}.sha256")):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, f"the run did not reach step {step} in two minutes"
        time.sleep(0.001)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def states(folder: Path) -> list[Path]:
    """Every file of the states of a run, whatever the name."""
    return sorted(path for path in (folder / "scratch").rglob("*") if path.is_file() and path.name != "events.jsonl")


def interrupted(inputs: Inputs, settings: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the states of a run that stopped in its third epoch, without starting a process."""
    honest = resume.save

    def stop(scratch: Path, made_of: dict[str, Any], position: resume.Position, *rest: Any) -> None:
        honest(scratch, made_of, position, *rest)
        if position.step == 13:
            raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(resume, "save", stop)
        patch.setattr(run, "Keeper", lambda *arguments: Keeper(*arguments, every_s=-1.0))
        with pytest.raises(InterruptedError):
            finish(inputs, settings, folder / "run", folder / "scratch")


def test_a_run_killed_at_a_random_step_ends_with_the_same_bits(
    tiny_inputs: Inputs, settings: dict[str, Any], undisturbed: Path, tmp_path: Path
) -> None:
    step = random.SystemRandom().randrange(2, 36)
    process = start(tiny_inputs, settings, tmp_path)
    wait_for_step(process, tmp_path, step)
    process.kill()
    process.wait()
    assert not (tmp_path / "run").exists()
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert files_of(tmp_path / "run") == files_of(undisturbed), f"killed after step {step}"
    assert states(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_run_saves_its_state_and_says_so_by_its_exit_code(
    tiny_inputs: Inputs,
    settings: dict[str, Any],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
) -> None:
    former = signal.getsignal(number)
    honest = loop.loss_and_gradients
    calls: list[int] = []

    def send_at_step_7(*arguments: Any) -> float:
        calls.append(1)
        if len(calls) == 7:
            os.kill(os.getpid(), number)
        return honest(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "loss_and_gradients", send_at_step_7)
        with pytest.raises(SystemExit) as stopped:
            finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert stopped.value.code == code
    assert signal.getsignal(number) is former
    assert [path.name for path in states(tmp_path)] == ["state-000000000007.safetensors", "state-000000000007.sha256"]
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert files_of(tmp_path / "run") == files_of(undisturbed)


def test_a_run_goes_on_from_its_newest_state(
    tiny_inputs: Inputs,
    settings: dict[str, Any],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted(tiny_inputs, settings, tmp_path, monkeypatch)
    assert [path.stem for path in states(tmp_path) if path.suffix == ".safetensors"] == [
        "state-000000000012",
        "state-000000000013",
    ]
    steps: list[int] = []
    honest = loop.seed_dropout
    monkeypatch.setattr(loop, "seed_dropout", lambda seed, step, rank: (steps.append(step), honest(seed, step, rank)))
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert steps[0] == 13
    assert files_of(tmp_path / "run") == files_of(undisturbed)


@pytest.mark.parametrize("damage", ["flip", "truncate", "no_hash", "all"])
def test_a_damaged_state_is_passed_over_with_a_message(
    tiny_inputs: Inputs,
    settings: dict[str, Any],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damage: str,
) -> None:
    interrupted(tiny_inputs, settings, tmp_path, monkeypatch)
    kept = [path for path in states(tmp_path) if path.suffix == ".safetensors"]
    content = bytearray(kept[-1].read_bytes())
    content[-3] ^= 64
    if damage == "no_hash":
        kept[-1].with_suffix(".sha256").unlink()
    elif damage == "truncate":
        kept[-1].write_bytes(content[:200])
    elif damage == "flip":
        kept[-1].write_bytes(content)
    else:
        for state in kept:
            state.write_bytes(b"")
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert capsys.readouterr().err.count("passed over") == (2 if damage == "all" else 1)
    assert files_of(tmp_path / "run") == files_of(undisturbed)


def test_a_state_of_other_settings_is_told_apart_by_name_and_left_alone(
    tiny_inputs: Inputs,
    settings: dict[str, Any],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = {**settings, "seed": 9, "recipe": {**settings["recipe"], "plateau_patience": 2}}
    interrupted(tiny_inputs, other, tmp_path, monkeypatch)
    foreign = {path: path.read_bytes() for path in states(tmp_path)}
    capsys.readouterr()
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    told = capsys.readouterr().err
    assert told.count("the state of another run") == 1
    assert "(settings.recipe.plateau_patience was 2, is 1; settings.seed was 9, is 0); it stays" in told
    assert files_of(tmp_path / "run") == files_of(undisturbed)
    assert {path: path.read_bytes() for path in states(tmp_path)} == foreign
    steps: list[int] = []
    honest = loop.seed_dropout
    monkeypatch.setattr(loop, "seed_dropout", lambda seed, step, rank: (steps.append(step), honest(seed, step, rank)))
    finish(tiny_inputs, other, tmp_path / "other", tmp_path / "scratch")
    assert steps[0] == 13  # back at the other settings, their run goes on where it was


def test_an_input_that_changed_is_named(
    tiny_inputs: Inputs, settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    position = resume.Position(step=3)
    resume.save(tmp_path, {"code": "a", "inputs": {"tensors": "1", "targets": "2"}}, position, {})
    found, parts = resume.load(tmp_path, {"code": "b", "inputs": {"tensors": "1", "targets": "3", "init": "4"}})
    assert (found.step, parts) == (0, {})
    told = "(code was a, is b; inputs.init was None, is 4; inputs.targets was 2, is 3)"
    assert told in capsys.readouterr().err


def test_what_a_killed_writer_left_is_swept(
    tiny_inputs: Inputs,
    settings: dict[str, Any],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted(tiny_inputs, settings, tmp_path, monkeypatch)
    half = states(tmp_path)[0].with_name(".state-000000000003.safetensors.tmp.1.safetensors")
    half.write_bytes(b"half")
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert states(tmp_path) == []
    assert files_of(tmp_path / "run") == files_of(undisturbed)
