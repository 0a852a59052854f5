"""Mirror finished runs into MLflow: a sink. Nothing is read back from it, and losing it loses nothing.

Tracking is a job of its own, made after the runs: a fault of the tracker cannot stop a training, a killed
training leaves no run open, and the training process does not pay for importing MLflow.
"""

import csv
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeii.artifacts.atomic import write_json
from codeii.artifacts.checkpoint import HISTORY, read_checkpoint
from codeii.artifacts.manifest import sha256_of, write_manifest
from codeii.artifacts.scores import read_scores
from codeii.schema.progress import progress

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

FINGERPRINT = "codeii.fingerprint"  # of a run's manifest and scores: the same run is never logged twice
CHAMPION = "best_by_validation"
BATCH = 1000  # metrics in one call; MLflow's own limit


def prepare_store(settings: Mapping[str, Any], folder: Path) -> None:
    """Create and migrate the tracking database, alone, before anybody logs to it.

    Parallel first use of a fresh MLflow database breaks its schema, on SQLite and PostgreSQL alike.
    """
    folder.mkdir(parents=True, exist_ok=True)
    client = _client(settings["uri"])
    client.search_experiments(max_results=1)
    write_json(folder / "ready.json", {"uri": settings["uri"]})


def track(runs: list[Path], scores: list[Path], settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Log one experiment: a parent run, a child run per training run, the best of each model registered.

    runs, scores : manifests of checkpoints and scores of the experiment.
    settings : uri, experiment, study.
    """
    client = _client(settings["uri"])
    table = _macro_scores(scores)
    experiment_id = _experiment_id(client, settings["study"], folder)
    key = sha256(f"{settings['study']}\n{settings['experiment']}".encode()).hexdigest()
    parent = _find_or_create(client, experiment_id, key, settings["experiment"], {})
    logged = {}
    for manifest in progress(runs, len(runs), f"track {settings['experiment']}"):
        logged[manifest] = _log_run(client, experiment_id, parent, manifest, table)
    champions = _register_best(client, runs, logged)
    client.set_terminated(parent, "FINISHED")
    write_json(folder / "tracked.json", {"runs": len(runs), "registered": sorted(champions)})
    write_manifest(
        folder,
        "tracking",
        files=["tracked.json"],
        settings=settings,
        code=code,
        inputs=[*runs, *scores],
        facts={"runs": len(runs), "registered": champions},
        synthetic=read_checkpoint(runs[0]).manifest.synthetic,
    )


def _client(uri: str) -> "MlflowClient":
    from mlflow.tracking import MlflowClient

    uri = os.path.expandvars(uri)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _experiment_id(client: "MlflowClient", name: str, folder: Path) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name, (folder.parent / "artifacts").resolve().as_uri()))
    except MlflowException:  # another job created it a moment ago
        return str(client.get_experiment_by_name(name).experiment_id)


def _find_or_create(client: "MlflowClient", experiment_id: str, key: str, name: str, tags: Mapping[str, str]) -> str:
    found = client.search_runs([experiment_id], f"tags.`{FINGERPRINT}` = '{key}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    return str(client.create_run(experiment_id, run_name=name, tags={FINGERPRINT: key, **tags}).info.run_id)


def _log_run(client: "MlflowClient", experiment_id: str, parent: str, manifest: Path, table: "pd.DataFrame") -> str:
    checkpoint = read_checkpoint(manifest)
    settings = checkpoint.manifest.settings
    name = f"{settings['model']} {settings['start']} f{settings['fraction']:g} seed{settings['seed']}"
    metrics = [*_history_metrics(manifest.parent / HISTORY), *_test_metrics(table, settings)]
    # New weights or new scores are a new run; the same ones are logged once.
    scored = sorted((metric.key, metric.value) for metric in metrics if metric.step == 0)
    key = sha256(f"{sha256_of(manifest)}\n{scored}".encode()).hexdigest()
    run_id = _find_or_create(client, experiment_id, key, name, {"mlflow.parentRunId": parent})
    if client.get_run(run_id).info.status == "FINISHED":
        return run_id
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
    client.log_batch(run_id, params=_params(settings), tags=_tags(checkpoint.manifest.inputs, checkpoint.manifest.code))
    for file in checkpoint.manifest.files:
        client.log_artifact(run_id, str(manifest.parent / file), "model")
    client.log_artifact(run_id, str(manifest), "model")
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _params(settings: Mapping[str, Any]) -> "list[Param]":
    from mlflow.entities import Param

    flat = {
        f"{key}.{inner}" if isinstance(value, Mapping) else key: content
        for key, value in settings.items()
        for inner, content in (value.items() if isinstance(value, Mapping) else [("", value)])
    }
    return [Param(key, str(value)) for key, value in sorted(flat.items())]


def _tags(inputs: Mapping[str, str], code: str) -> "list[RunTag]":
    from mlflow.entities import RunTag

    hashes = [RunTag(f"codeii.input.{path}"[:250], digest) for path, digest in sorted(inputs.items())]
    return [*hashes, RunTag("codeii.code", code)]


def _history_metrics(path: Path) -> "list[Metric]":
    from mlflow.entities import Metric

    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        Metric(name, float(value), 0, int(row["epoch"]))
        for row in rows
        for name, value in row.items()
        if name != "epoch" and value not in ("", "nan")
    ]


def _macro_scores(scores: list[Path]) -> "pd.DataFrame":
    import pandas as pd

    tables = [read_scores(path).scores for path in scores]
    table = pd.concat(tables, ignore_index=True)
    return table[(table["class"] == "macro") & (table["split"] == "test") & table["value"].notna()]


def _test_metrics(table: "pd.DataFrame", settings: Mapping[str, Any]) -> "list[Metric]":
    from mlflow.entities import Metric

    same = (table["model"] == settings["model"]) & (table["start"] == settings["start"])
    same &= (table["fraction"] == settings["fraction"]) & (table["seed"] == str(settings["seed"]))
    rows = table[same]
    return [
        Metric(f"test_macro_{name}", float(value), 0, 0)
        for name, value in zip(rows["metric"], rows["value"], strict=True)
    ]


def _register_best(client: "MlflowClient", runs: list[Path], logged: Mapping[Path, str]) -> dict[str, str]:
    """Register, for each model of the experiment, the run with the lowest validation loss. Returns name -> run."""
    best: dict[str, tuple[float, Path]] = {}
    for path in runs:
        manifest = read_checkpoint(path).manifest
        name = f"{manifest.settings['experiment']}.{manifest.settings['model']}"
        loss = float(manifest.facts["best"]["validation_loss"])
        if name not in best or loss < best[name][0]:
            best[name] = (loss, path)
    for name, (_, path) in best.items():
        _register(client, name, logged[path], sha256_of(path))
    return {name: path.parent.as_posix() for name, (_, path) in best.items()}


def _register(client: "MlflowClient", name: str, run_id: str, digest: str) -> None:
    from mlflow.exceptions import MlflowException

    with suppress(MlflowException):  # it is there from an earlier study
        client.create_registered_model(name)
    known = [one for one in client.search_model_versions(f"name = '{name}'") if one.run_id == run_id]
    uri = f"{client.get_run(run_id).info.artifact_uri}/model"
    version = known[0] if known else client.create_model_version(name, uri, run_id=run_id, tags={FINGERPRINT: digest})
    client.set_registered_model_alias(name, CHAMPION, version.version)
