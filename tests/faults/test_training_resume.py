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
    while not (folder / "scratch" / f"state-{step:012d}.sha256").exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, f"the run did not reach step {step} in two minutes"
        time.sleep(0.001)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def interrupted(inputs: Inputs, settings: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the states of a run that stopped in its third epoch, without starting a process."""
    honest = resume.save

    def stop(folder: Path, fingerprint: str, position: resume.Position, *rest: Any) -> None:
        honest(folder, fingerprint, position, *rest)
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
    assert files_of(tmp_path / "scratch") == {}


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
    assert list(files_of(tmp_path / "scratch")) == ["state-000000000007.safetensors", "state-000000000007.sha256"]
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
    assert [path.stem for path in sorted((tmp_path / "scratch").glob("*.safetensors"))] == [
        "state-000000000012",
        "state-000000000013",
    ]
    steps: list[int] = []
    honest = loop.seed_dropout
    monkeypatch.setattr(loop, "seed_dropout", lambda seed, step: (steps.append(step), honest(seed, step)))
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
    states = sorted((tmp_path / "scratch").glob("*.safetensors"))
    content = bytearray(states[-1].read_bytes())
    content[-3] ^= 64
    if damage == "no_hash":
        states[-1].with_suffix(".sha256").unlink()
    elif damage == "truncate":
        states[-1].write_bytes(content[:200])
    elif damage == "flip":
        states[-1].write_bytes(content)
    else:
        for state in states:
            state.write_bytes(b"")
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert capsys.readouterr().err.count("passed over") == (2 if damage == "all" else 1)
    assert files_of(tmp_path / "run") == files_of(undisturbed)


def test_a_state_of_other_settings_is_foreign(
    tiny_inputs: Inputs,
    settings: dict[str, Any],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(tiny_inputs, {**settings, "seed": 9}, tmp_path, monkeypatch)
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert "of another run (settings, inputs or code differ); passed over" in capsys.readouterr().err
    assert files_of(tmp_path / "run") == files_of(undisturbed)


def test_what_a_killed_writer_left_is_swept(
    tiny_inputs: Inputs, settings: dict[str, Any], undisturbed: Path, tmp_path: Path
) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / ".state-000000000003.safetensors.tmp.1.safetensors").write_bytes(b"half")
    finish(tiny_inputs, settings, tmp_path / "run", tmp_path / "scratch")
    assert files_of(tmp_path / "scratch") == {}
    assert files_of(tmp_path / "run") == files_of(undisturbed)
