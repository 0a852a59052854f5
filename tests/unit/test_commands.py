"""The command line: help with an example everywhere, exit codes, faults as sentences."""

import subprocess
import sys
from pathlib import Path

import pytest

from codeii.__main__ import main

ROOT = Path(__file__).parents[2]
PEOPLE = ("plan", "verify", "restore", "headline")
RULES = (
    "synthesise",
    "fetch",
    "record_shard",
    "records",
    "tensor_shard",
    "tensors",
    "targets",
    "weights",
    "train",
    "predict",
    "submit",
    "evaluate",
)
CHECKS = ("descriptors", "duplicates", "leakage")
REPORTING = ("tracking_store", "track", "table", "figure", "report")
COMMANDS = (*PEOPLE, *RULES, *CHECKS, *REPORTING)


def help_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--help"])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys)
    assert [command for command in COMMANDS if f"\n    {command}" not in text] == []
    assert "Research use only" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys, command)
    assert f"example:\n  codeii {command}" in text


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["verify", "--colour", "blue"])
    assert stopped.value.code == 2


def test_a_missing_file_of_parameters_ends_with_3_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--params", "absent.yaml"]) == 3
    assert "absent.yaml: there is no such file of parameters" in capsys.readouterr().err


def test_results_that_are_not_there_end_with_4(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["verify", "--params", str(ROOT / "params.yaml"), "--stage", "raw"]) == 4
    assert "data/raw/ptbxl/1.0.3-twin/manifest.json: there is no manifest" in capsys.readouterr().err


def test_start_up_imports_nothing_heavy() -> None:
    code = "import sys, codeii.__main__ as m; m._parser(); print(*[n for n in sys.modules if '.' not in n])"
    environment = {"PYTHONPATH": str(ROOT / "src")}
    loaded = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    heavy = {"torch", "numpy", "pandas", "mlflow", "sklearn", "scipy", "matplotlib", "pydantic", "yaml"}
    assert not heavy & set(loaded.stdout.split())
