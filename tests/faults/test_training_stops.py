"""F21, F28 and time limits: how a training ends that must not go on, and that it goes on from there."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from codeii.__main__ import main
from codeii.artifacts import events
from codeii.networks import prefetch
from codeii.networks.batches import Inputs
from codeii.training import loop, run
from codeii.training.loop import Keeper

SAMPLE = (2, 100)  # lead and time point


@pytest.fixture(scope="module")
def settings(tiny_settings: dict[str, Any]) -> dict[str, Any]:
    return {**tiny_settings, "recipe": {**tiny_settings["recipe"], "epochs": 2}}


def command(inputs: dict[str, Path], settings: dict[str, Any], folder: Path, *more: str) -> list[str]:
    told = ["train", "--tensors", str(inputs["tensors"]), "--targets", str(inputs["targets"]), "--code", "code"]
    told += ["--settings", json.dumps(settings), "--out", str(folder / "run"), "--scratch", str(folder / "scratch")]
    return [*told, *more]


@pytest.fixture(scope="module")
def weights(tiny_inputs: dict[str, Path], settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main(command(tiny_inputs, settings, folder)) == 0
    return (folder / "run/weights.safetensors").read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_sample_that_is_no_number_stops_the_run_and_the_last_good_state_stays(
    tiny_inputs: dict[str, Path],
    settings: dict[str, Any],
    weights: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    value: float,
) -> None:
    honest, steps, spoilt = prefetch.read, [], []

    def read(inputs: Inputs, picks: Any, device: torch.device) -> torch.Tensor:
        batch = honest(inputs, picks, device)
        steps.append(picks)
        if len(steps) == 7:
            batch[3, *SAMPLE] = value
            spoilt.append(int(inputs.record[picks[3]]))
        return batch

    with monkeypatch.context() as patch:
        patch.setattr(prefetch, "read", read)
        patch.setattr(run, "Keeper", functools.partial(Keeper, every_s=-1.0))
        assert main(command(tiny_inputs, settings, tmp_path)) == 3
    said = capsys.readouterr().err
    assert "codeii train: epoch 2, step 7: loss nan" in said
    assert f"r{spoilt[0]:03d}" in said.partition("records of the batch: ")[2]
    assert not (tmp_path / "run").exists()
    newest = max(path.name for path in (tmp_path / "scratch").glob("*/state-*.safetensors"))
    assert newest == "state-000000000006.safetensors"
    assert main(command(tiny_inputs, settings, tmp_path)) == 0
    assert (tmp_path / "run/weights.safetensors").read_bytes() == weights
    told = [(event["event"], event.get("resumed_from_step")) for event in events.read(tmp_path / "scratch")]
    assert told == [("start", 0), ("epoch", None), ("stopped", None), ("start", 6), ("epoch", None), ("end", None)]


def test_too_little_memory_of_a_device_is_a_sentence_that_says_what_to_do(
    tiny_inputs: dict[str, Path],
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*arguments: Any) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop, "loss_and_gradients", full)
    assert main(command(tiny_inputs, settings, tmp_path)) == 3
    said = capsys.readouterr().err
    assert "16 records in 1 parts do not fit into the memory of cpu; raise `accumulate`" in said


def test_a_run_in_a_queue_with_a_time_limit_goes_on_call_by_call_to_the_same_bits(
    tiny_inputs: dict[str, Path],
    settings: dict[str, Any],
    weights: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(command(tiny_inputs, settings, tmp_path, "--max-minutes", "1e-9"))
    assert stopped.value.code == 75
    said = "training stopped (time limit) at step 1 of 10; its state is in"
    assert said in (told := capsys.readouterr().err) and "run the same again to go on" in told
    assert events.read(tmp_path / "scratch")[-1]["reason"] == "time limit"
    monkeypatch.setenv("CODEII_MAX_MINUTES", "1e-9")
    for _ in range(8):  # each call does one step
        with pytest.raises(SystemExit):
            main(command(tiny_inputs, settings, tmp_path))
    assert not (tmp_path / "run").exists()
    assert main(command(tiny_inputs, settings, tmp_path)) == 0  # the last step needs no more time
    assert (tmp_path / "run/weights.safetensors").read_bytes() == weights


def test_minutes_are_above_zero(
    tiny_inputs: dict[str, Path], settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(command(tiny_inputs, settings, tmp_path, "--max-minutes", "0"))
    assert stopped.value.code == 2
    assert "above 0" in capsys.readouterr().err
