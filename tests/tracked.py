"""Finished runs, runs under way and stores, for the tests of tracking."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from codeii.artifacts.checkpoint import CheckpointCard, probe_input, write_checkpoint
from codeii.artifacts.scores import write_scores
from tests.scores import no_replicates, score_frame

ROOT = Path(__file__).parents[1]
URI = "sqlite:///results/tracking/mlflow.db"
DATABASE = Path("results/tracking/mlflow.db")
STUDY = "a study"
MODEL_SETTINGS = {"filters": [4, 8], "strides": [1, 4], "kernel_size": 5, "head_samples": 1}
LEADS = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
LOSSES = (0.9, 0.7, 0.6, 0.65, 0.5)

# A training as the tracker sees one: argv are folder, settings, first and last epoch, step resumed from, and its end.
STUB = """
import json, sys, time
from pathlib import Path
from codeii.artifacts import events
folder, settings, first, last, resumed, ending = sys.argv[1:]
losses = json.loads(settings).pop("losses")
settings = {name: value for name, value in json.loads(settings).items() if name != "losses"}
folder = Path(folder)
events.append(folder, "start", **events.this_process(), settings=settings, resumed_from_step=int(resumed))
for epoch in range(int(first), int(last) + 1):
    loss = losses[epoch - 1]
    facts = {"learning_rate": 1e-3, "train_loss": loss, "validation_loss": loss, "validation_auroc": None}
    measured = {"seconds": 0.5, "records_per_s": 100.0 + epoch, "loader_share": 0.1, "memory_mb": float("nan")}
    events.append(folder, "epoch", epoch=epoch, step=10 * epoch, **facts, **measured)
if ending == "hang":
    time.sleep(600)
events.append(folder, ending, **({"reason": "SIGTERM"} if ending == "stopped" else {}))
"""


def settings_of(experiment: str = "transfer", seed: int = 0, **changed: Any) -> dict[str, Any]:
    """Settings of a training, as its rule passes them."""
    return {
        "experiment": experiment,
        "task": "a_task",
        "model": "resnet1d",
        "model_settings": MODEL_SETTINGS,
        "start": "scratch",
        "init": "random",
        "mode": "full",
        "fraction": 0.1,
        "per_class": 0,
        "seed": seed,
        "recipe": {"epochs": 5, "batch_size": 16, "loss": {"weights": "none", "smoothing": 0.0, "kind": "bce"}},
        "preprocessing": {"rate_hz": 25, "samples": 64},
        **changed,
    }


def folder_of(settings: Mapping[str, Any]) -> Path:
    """A run's part of a path below scratch/ and results/runs."""
    return Path(settings["experiment"]) / settings["model"] / f"scratch-f0.1/seed{settings['seed']}"


def finished_run(settings: Mapping[str, Any], losses: Sequence[float] = LOSSES) -> Path:
    """The checkpoint of a run, below results/runs of the working directory. Returns its manifest."""
    import torch

    from codeii.models import build

    torch.manual_seed(settings["seed"])
    network = build("resnet1d", len(LEADS), 3, MODEL_SETTINGS).eval()
    with torch.inference_mode():
        probe_logits = network(torch.from_numpy(probe_input(len(LEADS), 64))).tolist()
    card = CheckpointCard(
        model="resnet1d",
        model_settings=MODEL_SETTINGS,
        classes=["a", "b", "c"],
        leads=LEADS,
        rate_hz=25,
        samples=64,
        unit="mV",
        preprocessing={},
        parameters=1,
        trained_on=["a_task"],
        best_epoch=len(losses),
        probe_logits=probe_logits,
    )
    rows = [f"{epoch},{10 * epoch},0.001,{loss},{loss}," for epoch, loss in enumerate(losses, 1)]
    header = "epoch,steps,learning_rate,train_loss,validation_loss,validation_auroc"
    inputs = [Path(f"results/{name}/manifest.json") for name in ("tensors/a_source", "targets/a_task")]
    for path in inputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return write_checkpoint(
        Path("results/runs") / folder_of(settings),
        card,
        {name: value.numpy() for name, value in network.state_dict().items()},
        "\n".join([header, *rows, ""]),
        settings=settings,
        code="c0de",
        inputs=inputs,
        facts={"best": {"validation_loss": min(losses)}},
        synthetic=True,
    )


def scores_of(experiment: str, seeds: Sequence[int], value: float = 0.75) -> Path:
    """The scores of an experiment. Returns their manifest."""
    rows = [
        (experiment, "resnet1d", "scratch", 0.1, 0, str(seed), "test", "auroc", "macro", value, 0.1, 0.9, 40, 4, 3)
        for seed in seeds
    ]
    tables = score_frame(rows), no_replicates()
    folder = Path("results/scores") / experiment / "resnet1d"
    return write_scores(folder, *tables, settings={}, code="c", inputs=[], facts={}, synthetic=True)


def start_stub(
    settings: Mapping[str, Any], first: int, last: int, resumed: int, ending: str
) -> subprocess.Popen[bytes]:
    """A process that tells what a training tells; it hangs after its last epoch, or ends."""
    import json

    told = json.dumps({"losses": LOSSES, **settings})
    words = [str(Path("scratch") / folder_of(settings)), told, str(first), str(last), str(resumed), ending]
    return subprocess.Popen([sys.executable, "-c", STUB, *words], env=environment())


def run_stub(settings: Mapping[str, Any], first: int, last: int, resumed: int = 0, ending: str = "end") -> None:
    """The same, to its end."""
    assert start_stub(settings, first, last, resumed, ending).wait(60) == 0


def environment(**more: str) -> dict[str, str]:
    """Variables of a process that finds this checkout's package."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), **more}


def use_store(template: Path) -> None:
    """Put a fresh store where the study below the working directory has its own."""
    DATABASE.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(template, DATABASE)


@contextmanager
def refused_writes() -> Iterator[None]:
    """The store lets itself be read, and refuses every change of a run or metric."""
    tables = [(f"refuse_{verb}_{table}", verb, table) for verb in ("INSERT", "UPDATE") for table in ("runs", "metrics")]
    with closing(sqlite3.connect(DATABASE, timeout=60)) as database:
        for name, verb, table in tables:
            reason = "attempt to write a readonly database"
            database.execute(
                f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(FAIL, '{reason}'); END"
            )
        database.commit()
        yield
        for name, _, _ in tables:
            database.execute(f"DROP TRIGGER {name}")
        database.commit()


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"in vain for {seconds:g} s"
        time.sleep(0.05)
