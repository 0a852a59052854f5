"""Mirror finished runs into MLflow: a sink. Nothing is read back from it, and losing it loses nothing.

A job of its own, made after the runs: it completes what `codeii track --follow` began, or does all of it. A store that
cannot be had fails no job, for Snakemake starts no training after a failure.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeii.artifacts import events
from codeii.artifacts.atomic import write_json
from codeii.artifacts.checkpoint import Checkpoint, read_checkpoint
from codeii.artifacts.manifest import NAME, sha256_of, write_manifest
from codeii.artifacts.scores import SCORES, read_scores
from codeii.schema.amounts import AMOUNT
from codeii.schema.progress import progress
from codeii.tracking.epochs import Epoch, finished, milliseconds, told
from codeii.tracking.picture import loss_curves
from codeii.tracking.provenance import COMMIT, data_sets, git_tags, manifest_tags
from codeii.tracking.registry import register
from codeii.tracking.runs import (
    FINGERPRINT,
    amount_of,
    child_of,
    close_dead,
    log_epochs,
    log_metrics,
    name_of,
    newest,
    params_of,
    parent_of,
    scratch_of,
)
from codeii.tracking.store import Store, open_store, patiently, prepare

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Metric

PATIENCE_S = 30.0  # for a store that is locked or gone; then the study goes on without it


@dataclass(frozen=True, slots=True)
class Finished:
    """A training run with what is logged of it."""

    manifest_path: Path
    checkpoint: Checkpoint
    began_ms: int
    epochs: list[Epoch]
    scores: dict[str, float]  # test metric -> macro value
    fingerprint: str  # new weights or new scores are a new run; the same ones are logged once

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the training."""
        return self.checkpoint.manifest.settings


def prepare_store(settings: Mapping[str, Any], folder: Path, seconds: float = PATIENCE_S) -> None:
    """Create and migrate the tracking database before anybody logs to it.

    settings : uri. A store that cannot be had within `seconds` is told of on standard error.
    """
    _, said = patiently(lambda: prepare(settings["uri"], folder), seconds)
    if said:
        print(f"the tracking store could not be prepared: {said}", file=sys.stderr)
    write_json(folder / "ready.json", {"uri": settings["uri"]})


def track(
    runs: list[Path],
    scores: list[Path],
    settings: Mapping[str, Any],
    code: str,
    folder: Path,
    scratch: Path,
    seconds: float = PATIENCE_S,
) -> None:
    """Log one experiment: a parent run, a child run per training run, the best of each model registered.

    runs, scores : manifests of checkpoints and scores of the experiment.
    settings : uri, experiment, study.
    scratch : folder of the experiment's events; where they are gone, throughput and memory are not logged.
    seconds : how long a store that is locked or gone is tried again.
    """
    table = _macro_scores(scores)
    ended = [_finished(path, table, scratch) for path in progress(runs, len(runs), f"track {settings['experiment']}")]
    registered, said = patiently(lambda: _mirror(ended, scores, settings, folder.parent), seconds)
    facts: dict[str, Any] = {"runs": len(runs), "registered": sorted(registered or ())}
    if registered is None:
        facts |= {"runs": 0, "not_logged": said}
        again = "snakemake --cores all --forcerun track"
        print(f"{settings['experiment']} is not in the tracking store: {said}; log it later: {again}", file=sys.stderr)
    write_json(folder / "tracked.json", facts)
    write_manifest(
        folder,
        "tracking",
        files=["tracked.json"],
        settings=settings,
        code=code,
        inputs=[*runs, *scores],
        facts=facts,
        synthetic=ended[0].checkpoint.manifest.synthetic,
    )


def _mirror(ended: list[Finished], scores: list[Path], settings: Mapping[str, Any], folder: Path) -> set[str]:
    """Log everything; what is there already stays as it is. Returns the names of the registered models."""
    store = open_store(settings["uri"], settings["study"], folder)
    close_dead(store)
    parent = parent_of(store, settings["experiment"])
    logged = {run.manifest_path: _log_run(store, parent, run) for run in ended}
    best = _best_of_each_model(ended)
    names = {
        register(store, logged[run.manifest_path], run.checkpoint, run.manifest_path.parent, run.fingerprint)
        for run in best
    }
    curves = {name_of(run.settings): run.epochs for run in ended}
    store.client.log_figure(parent, loss_curves(curves, ended[0].checkpoint.manifest.synthetic), "loss_curves.png")
    for path in scores:
        store.client.log_artifact(parent, str(path.parent / SCORES), f"scores/{path.parent.name}")
    store.client.set_terminated(parent, "FINISHED")
    return names


def _log_run(store: Store, parent: str, run: Finished) -> str:
    if (known := newest(store, FINGERPRINT, run.fingerprint)) and known[0].info.status == "FINISHED":
        return str(known[0].info.run_id)
    client, manifest = store.client, run.checkpoint.manifest
    child = child_of(store, parent, run.settings, run.epochs, run.began_ms, run.fingerprint)
    log_epochs(client, child, run.epochs)
    log_metrics(client, child.run_id, _test_metrics(run))
    client.log_batch(child.run_id, params=params_of(run.settings), tags=manifest_tags(manifest))
    if COMMIT not in client.get_run(child.run_id).data.tags:
        client.log_batch(child.run_id, tags=git_tags())
    client.log_inputs(child.run_id, data_sets(manifest.inputs))
    for file in (*manifest.files, NAME):
        client.log_artifact(child.run_id, str(run.manifest_path.parent / file), "checkpoint")
    client.set_tag(child.run_id, FINGERPRINT, run.fingerprint)
    client.set_terminated(child.run_id, "FINISHED", run.epochs[-1].time_ms)
    return child.run_id


def _finished(manifest_path: Path, table: "pd.DataFrame", scratch: Path) -> Finished:
    checkpoint = read_checkpoint(manifest_path)
    settings = checkpoint.manifest.settings
    happened = events.read(scratch_of(scratch, settings))
    epochs = finished(manifest_path.parent, told(happened))
    began_ms = milliseconds(happened[0]) if happened else epochs[0].time_ms
    scores = _scores_of(table, settings)
    fingerprint = sha256(f"{sha256_of(manifest_path)}\n{sorted(scores.items())}".encode()).hexdigest()
    return Finished(manifest_path, checkpoint, began_ms, epochs, scores, fingerprint)


def _macro_scores(scores: list[Path]) -> "pd.DataFrame":
    import pandas as pd

    tables = [read_scores(path).scores for path in scores]
    table = pd.concat(tables, ignore_index=True)
    return table[(table["class"] == "macro") & (table["split"] == "test") & table["value"].notna()]


def _scores_of(table: "pd.DataFrame", settings: Mapping[str, Any]) -> dict[str, float]:
    same = (table["model"] == settings["model"]) & (table["start"] == settings["start"])
    same &= (table[list(AMOUNT)] == list(amount_of(settings))).all(axis=1) & (table["seed"] == str(settings["seed"]))
    rows = table[same]
    return {f"test_macro_{name}": float(value) for name, value in zip(rows["metric"], rows["value"], strict=True)}


def _test_metrics(run: Finished) -> "list[Metric]":
    from mlflow.entities import Metric

    return [Metric(name, value, run.epochs[-1].time_ms, 0) for name, value in run.scores.items()]


def _best_of_each_model(ended: Iterable[Finished]) -> list[Finished]:
    """Of each model of the experiment, the run with the lowest validation loss."""
    best: dict[str, tuple[float, Finished]] = {}
    for run in ended:
        loss = float(run.checkpoint.manifest.facts["best"]["validation_loss"])
        model = str(run.settings["model"])
        if model not in best or loss < best[model][0]:
            best[model] = (loss, run)
    return [run for _, run in best.values()]
