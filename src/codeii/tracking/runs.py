"""Runs in MLflow: found again by what they are, continued, and closed when their process is dead."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeii.schema.amounts import Amount, amount_word
from codeii.tracking.epochs import LOSS, Epoch, differ, metrics_of, tags_of
from codeii.tracking.processes import is_dead
from codeii.tracking.store import Store, alone

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, Run
    from mlflow.tracking import MlflowClient

IDENTITY = "codeii.identity"  # hash of study, experiment, run and settings
FINGERPRINT = "codeii.fingerprint"  # hash of checkpoint and scores: on what was logged to the end
PROCESS = "codeii.process"  # of an unfinished run
PARENT = "mlflow.parentRunId"
BATCH = 1000  # metrics in one call; MLflow's own limit


@dataclass(slots=True)
class Child:
    """A training run in MLflow, and what it already holds."""

    run_id: str
    status: str
    fingerprint: str  # empty until it was logged to the end
    logged: dict[tuple[str, int], float] = field(default_factory=dict)  # metric and epoch -> value


def experiment_identity(study: str, experiment: str) -> str:
    """Identity of a parent run."""
    return sha256(f"{study}\n{experiment}".encode()).hexdigest()


def identity_of(study: str, settings: Mapping[str, Any]) -> str:
    """Identity of a training run: the same while it runs, after a resume, and when it is finished."""
    return sha256(json.dumps([study, settings], sort_keys=True).encode()).hexdigest()


def amount_of(settings: Mapping[str, Any]) -> Amount:
    """The training data of a run; events written before there were counts say fractions alone."""
    return settings["fraction"], settings.get("per_class", 0)


def name_of(settings: Mapping[str, Any]) -> str:
    """A training run as people read it."""
    return f"{settings['model']} {settings['start']} {amount_word(*amount_of(settings))} seed{settings['seed']}"


def scratch_of(scratch: Path, settings: Mapping[str, Any]) -> Path:
    """Where a run's events lie, below the scratch folder of its experiment."""
    variant = f"{settings['start']}-{amount_word(*amount_of(settings))}"
    return scratch / f"{settings['model']}/{variant}/seed{settings['seed']}"


def parent_of(store: Store, experiment: str) -> str:
    """The parent run of an experiment, created where there is none."""
    identity = experiment_identity(store.study, experiment)
    with alone(store.folder):
        if found := newest(store, IDENTITY, identity):
            return str(found[0].info.run_id)
        created = store.client.create_run(store.experiment_id, run_name=experiment, tags={IDENTITY: identity})
        return str(created.info.run_id)


def child_of(
    store: Store,
    parent: str,
    settings: Mapping[str, Any],
    epochs: Sequence[Epoch],
    began_ms: int,
    fingerprint: str | None = None,
) -> Child:
    """The newest run of these settings, if it does not contradict the epochs; else a new one under the parent.

    fingerprint : of the finished run, where it is; a run that was logged to the end under another is another run
    """
    identity = identity_of(store.study, settings)
    with alone(store.folder):
        if found := newest(store, IDENTITY, identity):
            child = _held(store.client, found[0])
            if fingerprint in (None, child.fingerprint or fingerprint) and not contradicts(child, epochs):
                return child
        tags = {IDENTITY: identity, PARENT: parent}
        run = store.client.create_run(store.experiment_id, began_ms, tags, name_of(settings))
        return Child(str(run.info.run_id), run.info.status, "")


def contradicts(child: Child, epochs: Iterable[Epoch]) -> bool:
    """Whether an epoch was logged with another validation loss: the same settings, but other code or data."""
    return any(differ(child.logged.get((LOSS, epoch.number)), epoch.values.get(LOSS)) for epoch in epochs)


def log_epochs(client: "MlflowClient", child: Child, epochs: Sequence[Epoch]) -> int:
    """Log what a run does not hold yet. Returns the number of metrics."""
    fresh = [one for one in metrics_of(epochs) if (one.key, one.step) not in child.logged]
    log_metrics(client, child.run_id, fresh)
    child.logged |= {(one.key, one.step): one.value for one in fresh}
    if fresh and (tags := tags_of(epochs)):
        client.log_batch(child.run_id, tags=tags)
    return len(fresh)


def log_metrics(client: "MlflowClient", run_id: str, metrics: "Iterable[Metric]") -> None:
    """Log metrics in as few calls as MLflow takes."""
    for start in range(0, len(listed := list(metrics)), BATCH):
        client.log_batch(run_id, metrics=listed[start : start + BATCH])


def params_of(settings: Mapping[str, Any]) -> "list[Param]":
    """Settings as MLflow's parameters; what is inside a mapping has its name before a point."""
    from mlflow.entities import Param

    return [Param(key, str(value)) for key, value in sorted(_flat(settings), key=itemgetter(0))]


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def newest(store: Store, tag: str, value: str) -> "list[Run]":
    """The newest run with a tag, in a list; an empty one where there is none."""
    wanted, order = f"tags.`{tag}` = '{value}'", ["attributes.start_time DESC"]
    return list(store.client.search_runs([store.experiment_id], wanted, max_results=1, order_by=order))


def close_dead(store: Store) -> int:
    """Close as KILLED what is RUNNING of a process that is dead, and parents left without a living run."""
    running = store.client.search_runs([store.experiment_id], "attributes.status = 'RUNNING'", max_results=1000)
    told = {run.info.run_id: json.loads(run.data.tags[PROCESS]) for run in running if PROCESS in run.data.tags}
    dead = [run for run in running if run.info.run_id in told and is_dead(told[run.info.run_id])]
    for run in dead:
        store.client.set_terminated(run.info.run_id, "KILLED")
    closed = {run.info.run_id for run in dead}
    living = {run.data.tags.get(PARENT) for run in running if run.info.run_id not in closed}
    for parent in {run.data.tags[PARENT] for run in dead} - living:
        store.client.set_terminated(parent, "KILLED")
    return len(dead)


def _held(client: "MlflowClient", run: "Run") -> Child:
    run_id = str(run.info.run_id)
    names = [name for name in run.data.metrics if not name.startswith("test_")]
    history = [metric for name in names for metric in client.get_metric_history(run_id, name)]
    logged = {(metric.key, metric.step): metric.value for metric in history}
    return Child(run_id, run.info.status, run.data.tags.get(FINGERPRINT, ""), logged)
