"""The tracker's store: opened by one process at a time, and allowed to be slow, locked, read-only or gone."""

import fcntl
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SQLITE = "sqlite:///"
LOCK = "store.db.lock"  # what *.db* is called stays out of DVC
LONGEST_WAIT_S = 30.0
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Store:
    """An open store, and the MLflow experiment in it that holds the study."""

    client: "MlflowClient"
    experiment_id: str
    study: str
    folder: Path  # results/tracking


def prepare(uri: str, folder: Path) -> None:
    """Create and migrate the database.

    Parallel first use of a fresh MLflow database breaks its schema, on SQLite and PostgreSQL alike.
    """
    with alone(folder):
        _client(uri).search_experiments(max_results=1)


def open_store(uri: str, study: str, folder: Path) -> Store:
    """Open the store, and create what is missing of it. Raises one of `faults()` where it cannot be had."""
    if _is_missing(uri):
        _prepare_elsewhere(uri, folder)
    with alone(folder):
        client = _client(uri)
        found = client.get_experiment_by_name(study)
        if found is not None:
            return Store(client, str(found.experiment_id), study, folder)
        artifacts = (folder / "artifacts").resolve().as_uri()
        return Store(client, str(client.create_experiment(study, artifacts)), study, folder)


def faults() -> tuple[type[Exception], ...]:
    """What a store may raise: itself, its database, its files, a driver that is not installed."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError, ImportError, subprocess.SubprocessError


def sentence_of(fault: Exception) -> str:
    """The first line of what was at the bottom of a fault."""
    cause: BaseException = fault
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def file_of(uri: str) -> Path | None:
    """The file of an SQLite store; None for a server."""
    expanded = os.path.expandvars(uri)
    return Path(expanded.removeprefix(SQLITE)) if expanded.startswith(SQLITE) else None


def mark_of(uri: str) -> tuple[int, int] | None:
    """What tells the file of an SQLite store from one that replaced it; None where it is gone, and for a server."""
    file = file_of(uri)
    try:
        stat = file.stat() if file else None
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino) if stat else None


def patiently(work: Callable[[], Result], seconds: float) -> tuple[Result | None, str]:
    """Do what may be done twice, again and again while the store does not let it, for so many seconds.

    Returns its result and "", or None and what the store said last.
    """
    end, wait = time.monotonic() + seconds, 0.5
    while True:
        try:
            return work(), ""
        except faults() as fault:
            said = sentence_of(fault)
            if time.monotonic() + wait > end:
                return None, said
        time.sleep(wait)
        wait = longer(wait)


def longer(wait: float) -> float:
    """Seconds to wait after waiting in vain."""
    return min(2 * wait, LONGEST_WAIT_S)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While other processes of this study wait: the schema, and a run looked for and then created."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _client(uri: str) -> "MlflowClient":
    address = os.path.expandvars(uri)
    if (file := file_of(uri)) is not None:
        address = f"{SQLITE}{file.resolve()}"
        file.parent.mkdir(parents=True, exist_ok=True)
        # a connection that is kept would go on writing to a file that was deleted
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    import mlflow
    from mlflow.tracking import MlflowClient

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # its stack traces; we say it in a sentence
    # what MLflow asks for by itself is there too, whatever MLFLOW_TRACKING_URI says in the user's shell
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    return MlflowClient(tracking_uri=address, registry_uri=address)


def _is_missing(uri: str) -> bool:
    """Whether the file of an SQLite store is gone, or empty: a connection to a file that is gone leaves that."""
    file = file_of(uri)
    return file is not None and not (file.is_file() and file.stat().st_size > 0)


def _prepare_elsewhere(uri: str, folder: Path) -> None:
    """Create the database in another process: MLflow creates each only once in the life of a process."""
    command = [sys.executable, "-m", "codeii", "tracking_store", "--settings", json.dumps({"uri": uri})]
    done = subprocess.run([*command, "--out", str(folder)], check=True, capture_output=True, text=True)
    sys.stderr.write(done.stderr if _is_missing(uri) else "")
