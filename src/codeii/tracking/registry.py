"""The registry: the best run of each model, as a model that MLflow can load, under its task's name."""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from codeii.artifacts.checkpoint import Checkpoint, probe_input
from codeii.tracking import registered
from codeii.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

CHAMPION = "best_by_validation"
PACKAGE = Path(__file__).parents[1]
NEEDED = ("numpy", "pydantic", "safetensors", "torch")  # to load and ask a registered network
# Tags of a version. Losses compare on the same validation records only, and a model's older versions are history.
MAKER, TARGETS, LOSS, DIGEST = "codeii.maker", "codeii.targets", "codeii.validation_loss", "codeii.fingerprint"

ALIAS_TRIES = 5


def register(store: Store, run_id: str, checkpoint: Checkpoint, folder: Path, digest: str) -> str:
    """Register a run's network under its task's name and see to the alias; known ones are not registered again.

    digest : fingerprint of the run. Returns the name.
    """
    from mlflow.exceptions import MlflowException

    settings, client = checkpoint.manifest.settings, store.client
    name = str(settings["task"])
    with suppress(MlflowException):  # it is there from another experiment
        client.create_registered_model(name)
    maker = f"{store.study}\n{settings['experiment']}\n{settings['model']}"
    known = client.search_model_versions(f"name = '{name}'")
    if not any(one.tags.get(DIGEST) == digest and one.tags.get(MAKER) == maker for one in known):
        loss = repr(float(checkpoint.manifest.facts["best"]["validation_loss"]))
        tags = {MAKER: maker, DIGEST: digest, LOSS: loss, TARGETS: _targets_of(checkpoint.manifest.inputs)}
        outputs = client.get_run(run_id).outputs
        logged = [one.model_id for one in outputs.model_outputs] if outputs else []
        model_id = logged[-1] if logged else _log_model(store, run_id, checkpoint, folder)
        client.create_model_version(
            name, f"models:/{model_id}", run_id=run_id, tags=tags, await_creation_for=0, model_id=model_id
        )
    _point_at_best(store, name)
    return name


def best_of(versions: "Iterable[ModelVersion]") -> "ModelVersion":
    """The version with the lowest validation loss: of each maker its newest, on the newest one's validation records."""
    newest: dict[str, ModelVersion] = {}
    for one in sorted((one for one in versions if MAKER in one.tags), key=lambda one: int(one.version)):
        newest[one.tags[MAKER]] = one
    latest = max(newest.values(), key=lambda one: int(one.version))
    comparable = [one for one in newest.values() if one.tags[TARGETS] == latest.tags[TARGETS]]
    return min(comparable, key=lambda one: (float(one.tags[LOSS]), int(one.version)))


def signature_of(checkpoint: Checkpoint) -> "ModelSignature":
    """Signals in, logits out; shapes from the card."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    card, real = checkpoint.card, np.dtype(np.float32)
    signals = Schema([TensorSpec(real, (-1, len(card.leads), card.samples))])
    return ModelSignature(signals, Schema([TensorSpec(real, (-1, len(card.classes)))]))


def _point_at_best(store: Store, name: str) -> None:
    """Set the alias, and look again: another job may have registered a better one meanwhile.

    Two that set it for the first time at once meet in the store, which refuses one of them: that one looks again too.
    """
    from mlflow.exceptions import MlflowException

    refused = 0
    while True:
        best = best_of(store.client.search_model_versions(f"name = '{name}'"))
        aliased = store.client.get_registered_model(name).aliases.get(CHAMPION)
        if aliased is not None and str(aliased) == str(best.version):
            return
        try:
            store.client.set_registered_model_alias(name, CHAMPION, best.version)
        except MlflowException:
            refused += 1
            if refused == ALIAS_TRIES:
                raise


def _log_model(store: Store, run_id: str, checkpoint: Checkpoint, folder: Path) -> str:
    """Log a checkpoint as an MLflow model with signature, input example, requirements and our code."""
    from mlflow import pyfunc
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    card, client = checkpoint.card, store.client
    facts = {"classes": card.classes, "leads": card.leads, "rate_hz": card.rate_hz, "unit": card.unit}
    logged = client.create_logged_model(
        store.experiment_id, name=card.model, source_run_id=run_id, params=_words(facts), model_type="network"
    )
    with TemporaryDirectory() as temporary:
        files = Path(temporary) / "checkpoint"
        shutil.copytree(folder, files)
        pyfunc.save_model(
            f"{temporary}/model",
            loader_module=registered.__name__,
            data_path=str(files),
            code_paths=[str(PACKAGE)],
            mlflow_model=Model(run_id=run_id, model_id=logged.model_id, metadata=facts),
            signature=signature_of(checkpoint),
            input_example=probe_input(len(card.leads), card.samples)[:1],
            pip_requirements=[f"{package}=={version(package).partition('+')[0]}" for package in NEEDED],
        )
        client.log_model_artifacts(logged.model_id, f"{temporary}/model")
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    return str(logged.model_id)


def _words(facts: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in facts.items()}


def _targets_of(inputs: Mapping[str, str]) -> str:
    return next((digest for path, digest in sorted(inputs.items()) if "targets" in Path(path).parts), "")
