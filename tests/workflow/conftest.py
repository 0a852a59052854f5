"""A checkout of its own with a small study in it, run once for all tests of the workflow."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from codeii.workflow.load import merge

ROOT = Path(__file__).parents[2]
COPIED = (
    "Snakefile",
    "LICENSE",
    "CITATION.cff",
    "workflow",
    "profiles",
    "src",
    "envs",
    "config",
    "dvc.yaml",
    ".dvc",
    ".dvcignore",
    ".gitignore",
)
BIN = Path(sys.executable).parent
STORES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


@dataclass(frozen=True)
class Checkout:
    """A folder with the project's files; `run` calls one of its commands there."""

    folder: Path

    def run(self, *command: str, expect: int | None = 0, env: dict[str, str] | None = None) -> str:
        path = f"{BIN}:{os.environ['PATH']}"
        # MLflow leaves the addresses of other tests' stores in the environment of the process that used them
        mine = {name: value for name, value in os.environ.items() if name not in STORES}
        variables = {**mine, "PATH": path, "PYTHONPATH": str(self.folder / "src"), **(env or {})}
        done = subprocess.run(
            command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=900, check=False
        )
        output = done.stdout + done.stderr
        assert expect is None or done.returncode == expect, f"{command} ended with {done.returncode}:\n{output[-6000:]}"
        return output

    def snakemake(self, *arguments: str, expect: int | None = 0) -> str:
        return self.run("snakemake", "--cores", "2", *arguments, expect=expect)

    def planned(self) -> dict[str, int]:
        """Jobs that a dry run lists, by rule."""
        output = self.snakemake("-n", "--quiet", "host")
        if "Nothing to be done" in output:
            return {}
        lines = output.split("Job stats:")[1].strip().splitlines()[2:]
        counts = {}
        for line in lines:
            words = line.split()
            if len(words) != 2 or not words[1].isdigit():
                break
            counts[words[0]] = int(words[1])
        return {rule: count for rule, count in counts.items() if rule not in ("total", "all")}


def copy_checkout(folder: Path, *over: str) -> Checkout:
    """Copy the project, with the given parameter files merged into its params.yaml."""
    folder.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp", "*.egg-info")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name in over:
        params = merge(params, yaml.safe_load((ROOT / name).read_text()))
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return Checkout(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose tiny study has run to the report. Tests that change it put it back."""
    checkout = copy_checkout(tmp_path_factory.mktemp("study") / "checkout", "tests/params/tiny.yaml")
    checkout.snakemake()
    return checkout


@pytest.fixture(scope="session")
def with_git(finished: Checkout) -> Iterator[Checkout]:
    """The finished checkout as a git repository, its results recorded by `dvc repro`."""
    (finished.folder / ".dvc/config.local").unlink(missing_ok=True)
    for command in (
        ("git", "init", "-q"),
        ("git", "config", "user.email", "test@example.org"),
        ("git", "config", "user.name", "test"),
        ("git", "add", "-A"),
        ("git", "commit", "-qm", "a study"),
    ):
        finished.run(*command)
    manifests = {path: path.stat().st_mtime_ns for path in (finished.folder / "results").rglob("manifest.json")}
    output = finished.run("dvc", "repro")
    assert output.count("Nothing to be done") == 5, "DVC ran again what Snakemake had made"
    assert {path: path.stat().st_mtime_ns for path in manifests} == manifests
    yield finished
    shutil.rmtree(finished.folder / ".git")
