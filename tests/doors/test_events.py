"""The log of a run's events."""

from pathlib import Path

import pytest

from codeii.artifacts import events


def test_events_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert events.read(tmp_path) == []
    events.append(tmp_path / "run", "epoch", step=5, validation_auroc=None)
    events.append(tmp_path / "run", "end")
    first, second = events.read(tmp_path / "run")
    assert (first["event"], first["step"], first["validation_auroc"], second["event"]) == ("epoch", 5, None, "end")


def test_half_a_line_of_a_killed_writer_is_passed_over(tmp_path: Path) -> None:
    events.append(tmp_path, "start")
    with (tmp_path / events.EVENTS).open("a") as file:
        file.write('{"event": "ep')
    assert [event["event"] for event in events.read(tmp_path)] == ["start"]


def test_no_run_ends_over_its_log(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    events.append(tmp_path / "file", "start")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("fact", [Path("x"), float("nan")])
def test_a_fact_of_any_kind_can_be_told(tmp_path: Path, fact: object) -> None:
    events.append(tmp_path, "start", fact=fact)
    assert str(events.read(tmp_path)[0]["fact"]) == str(fact)
