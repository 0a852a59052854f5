"""The door of a run's events: what is told is read, and nothing that goes wrong with it reaches the run."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from codeii.artifacts import events


def epochs_of(folder: Path) -> list[tuple[int, float]]:
    return [(event["epoch"], event["loss"]) for event in events.read(folder) if event["event"] == "epoch"]


def test_events_come_back_in_order_with_their_time(tmp_path: Path) -> None:
    events.append(tmp_path / "run", "start", settings={"seed": 0, "path": Path("a/b")}, resumed_from_step=0)
    events.append(tmp_path / "run", "epoch", epoch=1, loss=np.float32(0.5), share=(1, 2.0))
    events.append(tmp_path / "run", "end")
    start, epoch, end = events.read(tmp_path / "run")
    assert start["settings"] == {"seed": 0, "path": "a/b"}
    assert (epoch["epoch"], epoch["loss"], epoch["share"]) == (1, 0.5, [1, 2.0])
    assert end["event"] == "end"
    assert abs(datetime.fromisoformat(end["time"]) - datetime.now(UTC)) < timedelta(seconds=60)


def test_what_is_not_finite_is_a_word(tmp_path: Path) -> None:
    events.append(tmp_path, "epoch", epoch=1, a=float("nan"), b=[float("inf")], c=np.float32("-inf"))
    line = (tmp_path / events.EVENTS).read_text()
    assert json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert [events.read(tmp_path)[0][name] for name in "abc"] == ["nan", ["inf"], "-inf"]


def test_a_run_that_told_nothing_has_no_events(tmp_path: Path) -> None:
    assert events.read(tmp_path / "absent") == []


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_line_is_left_out_and_spoils_no_other(tmp_path: Path, cut: int) -> None:
    for number in (1, 2):
        events.append(tmp_path, "epoch", epoch=number, loss=0.5)
    path = tmp_path / events.EVENTS
    path.write_bytes(path.read_bytes()[:-cut])
    whole = [(1, 0.5)] if cut > 1 else [(1, 0.5), (2, 0.5)]
    assert epochs_of(tmp_path) == whole
    events.append(tmp_path, "epoch", epoch=3, loss=0.25)
    assert epochs_of(tmp_path) == [*whole, (3, 0.25)]


def test_after_a_resume_the_later_of_repeated_epochs_counts(tmp_path: Path) -> None:
    events.append(tmp_path, "start", resumed_from_step=0)
    for number, loss in ((1, 0.9), (2, 0.8), (3, 0.7)):
        events.append(tmp_path, "epoch", epoch=number, loss=loss)
    events.append(tmp_path, "start", resumed_from_step=15)
    events.append(tmp_path, "epoch", epoch=3, loss=0.6)
    assert epochs_of(tmp_path) == [(1, 0.9), (2, 0.8), (3, 0.6)]
    assert [event["event"] for event in events.read(tmp_path)] == ["start", "epoch", "epoch", "start", "epoch"]


def test_a_run_that_begins_anew_leaves_the_former_one_behind(tmp_path: Path) -> None:
    for loss, count in ((0.9, 3), (0.5, 1)):
        events.append(tmp_path, "start", resumed_from_step=0)
        for number in range(1, count + 1):
            events.append(tmp_path, "epoch", epoch=number, loss=loss)
    assert epochs_of(tmp_path) == [(1, 0.5)]


def test_a_run_that_never_began_does_not_touch_the_one_that_ended(tmp_path: Path) -> None:
    events.append(tmp_path, "start", resumed_from_step=0)
    events.append(tmp_path, "end")
    events.append(tmp_path, "stopped", reason="IntegrityError: the tensors are torn")
    assert [event["event"] for event in events.read(tmp_path)] == ["start", "end"]


def test_what_cannot_be_written_is_said_once_and_never_raised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    for number in range(3):
        events.append(tmp_path / "file", "epoch", epoch=number)
    said = capsys.readouterr().err
    assert said.count("the run goes on") == 1 and "events.jsonl" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
def test_a_full_disk_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / events.EVENTS).symlink_to("/dev/full")
    events.append(tmp_path, "epoch", epoch=1)
    assert "No space left on device" in capsys.readouterr().err


def test_an_event_costs_a_training_nothing_it_could_measure(tmp_path: Path) -> None:
    began = datetime.now(UTC)
    for number in range(200):
        events.append(tmp_path, "epoch", epoch=number, train_loss=0.1, validation_loss=0.2, records_per_s=1e3)
    assert (datetime.now(UTC) - began) / 200 < timedelta(milliseconds=5)


def test_training_imports_no_tracker() -> None:
    code = "import sys, codeii.training.run, codeii.artifacts.events; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"mlflow", "sqlalchemy", "codeii.tracking"} & set(done.stdout.split())


def test_what_other_settings_did_in_between_is_not_this_runs(tmp_path: Path) -> None:
    for state, step, epochs in (("a", 0, (1, 2)), ("b", 0, (1,)), ("a", 20, (3,))):
        events.append(tmp_path, "start", state=state, resumed_from_step=step)
        for epoch in epochs:
            events.append(tmp_path, "epoch", epoch=epoch, of=state)
    told = events.read(tmp_path)
    assert [(event["epoch"], event["of"]) for event in told if event["event"] == "epoch"] == [
        (1, "a"), (2, "a"), (3, "a"),
    ]  # fmt: skip
