"""Where a run comes from, as tags and data sets: data, code, lock, git."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from codeii.artifacts.manifest import Manifest

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, RunTag

CHECKOUT = Path(__file__).parents[3]
COMMIT, DIRTY = "mlflow.source.git.commit", "codeii.git.dirty"  # the first is where MLflow's page looks
DIGEST = 36  # characters; MLflow's limit
DATA = ("tensors", "targets")  # folders of results whose manifests are data sets


def git_tags() -> "list[RunTag]":
    """Commit of the checkout and whether it was changed since; nothing where it is no git repository."""
    from mlflow.entities import RunTag

    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return []
    return [RunTag(COMMIT, commit), RunTag(DIRTY, str(bool(changes)).lower())]


def manifest_tags(manifest: Manifest) -> "list[RunTag]":
    """Hashes of the inputs, the code fingerprint, and what of the environment may change results."""
    from mlflow.entities import RunTag

    hashes = [RunTag(f"codeii.input.{path}"[:250], digest) for path, digest in sorted(manifest.inputs.items())]
    environment = [RunTag(f"codeii.{name}", value) for name, value in sorted(manifest.environment.items())]
    synthetic = RunTag("codeii.synthetic", str(manifest.synthetic).lower())
    return [*hashes, *environment, synthetic, RunTag("codeii.code", manifest.code)]


def data_sets(inputs: Mapping[str, str]) -> "list[DatasetInput]":
    """The tensors and targets a run was made from, as MLflow shows data sets."""
    from mlflow.entities import Dataset, DatasetInput

    chosen = {path: digest for path, digest in inputs.items() if set(DATA) & set(Path(path).parts)}
    return [
        DatasetInput(Dataset(Path(path).parent.as_posix(), digest[:DIGEST], "manifest", path))
        for path, digest in sorted(chosen.items())
    ]


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(CHECKOUT), *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
