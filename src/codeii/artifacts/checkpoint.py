"""Door of the trained networks: weights as safetensors, everything needed to rebuild the network as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load_file, save_file

from codeii.artifacts.atomic import whole_file, write_json, write_text
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

WEIGHTS, CARD, HISTORY = "weights.safetensors", "checkpoint.json", "history.csv"
PUBLISHED = "published_weights"  # fact of what starts, or comes, from a file of weights published by others
PROBE_SEED, PROBE_RECORDS = 0, 2


class CheckpointCard(BaseModel):
    """What a network is, beside its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    model_settings: dict[str, Any]
    classes: list[str]
    leads: list[str]
    rate_hz: int
    samples: int
    unit: str  # of the tensors; the network sees (value - input_mean) / input_deviation
    input_mean: float = 0.0
    input_deviation: float = Field(1.0, gt=0)
    preprocessing: dict[str, Any]
    parameters: int
    # task, and those of the checkpoint it started from, or the name of published weights: the contamination record
    trained_on: list[str]
    best_epoch: int
    probe_logits: list[list[float]]  # of `probe_input`, to prove that a rebuilt network is the same


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network at rest."""

    manifest: Manifest
    card: CheckpointCard
    weights: dict[str, np.ndarray]

    @property
    def imported(self) -> bool:
        """Whether it is weights as published by others, whose card has what they need in place of a preprocessing."""
        return "needs" in self.manifest.settings


def probe_input(leads: int, samples: int) -> np.ndarray:
    """(2, lead, sample) float32 standard normal, the same everywhere: what the probe logits belong to."""
    return np.random.default_rng(PROBE_SEED).standard_normal((PROBE_RECORDS, leads, samples), np.float32)


def write_checkpoint(
    folder: Path,
    card: CheckpointCard,
    weights: Mapping[str, np.ndarray],
    history_csv: str,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write weights, card and training history. Raises ValueError when a weight is not finite."""
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise ValueError(f"weight {name} is not finite; the run diverged and is not kept")
    with whole_file(folder / WEIGHTS) as temporary:
        save_file({name: np.require(weights[name], requirements="C") for name in sorted(weights)}, temporary)
    write_json(folder / CARD, card.model_dump())
    write_text(folder / HISTORY, history_csv)
    return write_manifest(
        folder,
        "checkpoint",
        files=[WEIGHTS, CARD, HISTORY],
        settings=settings,
        code=code,
        inputs=inputs,
        facts=facts,
        synthetic=synthetic,
    )


def read_checkpoint(manifest_path: Path) -> Checkpoint:
    """Verify and read a checkpoint; rebuilding the network is `codeii.models.rebuild`."""
    manifest = read_manifest(manifest_path, "checkpoint")
    folder = manifest_path.parent
    card = CheckpointCard.model_validate(json.loads((folder / CARD).read_text(encoding="utf-8")))
    return Checkpoint(manifest, card, load_file(folder / WEIGHTS))
