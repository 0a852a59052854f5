"""Door of the explanations: records of a run, what the network answered, and which samples the answer rests on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

CASES, ARRAYS = "cases.csv", "attributions.npz"
KINDS = ("missed", "called wrongly", "called rightly")
COLUMNS = (
    *("kind", "record_id", "class", "probability", "threshold", "true", "called"),
    "gap",  # sum of the attribution less what it has to explain, as a share of it; 0 is complete
    "after_randomisation",  # rank correlation of |attribution| with that of a network of random weights
)


@dataclass(frozen=True, slots=True)
class Explanations:
    """Cases of one run. `signal` is what the network was given, in the tensors' unit; facts hold leads and rate."""

    manifest: Manifest
    cases: pd.DataFrame
    signal: np.ndarray  # (case, lead, sample) float32
    attribution: np.ndarray  # (case, lead, sample) float32, in logits


def write_explanations(
    folder: Path,
    cases: pd.DataFrame,
    signal: np.ndarray,
    attribution: np.ndarray,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write cases as CSV and both arrays. Returns the manifest's path."""
    _check(cases, signal, attribution)
    with whole_file(folder / CASES) as temporary:
        cases.to_csv(temporary, index=False, lineterminator="\n")
    with whole_file(folder / ARRAYS) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, signal=signal, attribution=attribution)
    return write_manifest(
        folder,
        "explanations",
        files=[CASES, ARRAYS],
        settings=settings,
        code=code,
        inputs=inputs,
        facts=facts,
        synthetic=synthetic,
    )


def read_explanations(manifest_path: Path) -> Explanations:
    """Verify and read the explanations of one run."""
    manifest = read_manifest(manifest_path, "explanations")
    text = dict.fromkeys(("record_id", "class", "true", "called"), str)
    numbers = {name: [""] for name in ("gap", "after_randomisation")}
    cases = pd.read_csv(manifest_path.parent / CASES, dtype=text, keep_default_na=False, na_values=numbers)
    with np.load(manifest_path.parent / ARRAYS, allow_pickle=False) as kept:
        found = Explanations(manifest, cases, kept["signal"], kept["attribution"])
    _check(found.cases, found.signal, found.attribution)
    return found


def _check(cases: pd.DataFrame, signal: np.ndarray, attribution: np.ndarray) -> None:
    if tuple(cases.columns) != COLUMNS:
        raise ValueError(f"cases have columns {list(cases.columns)}, expected {list(COLUMNS)}")
    if signal.shape != attribution.shape or len(signal) != len(cases):
        raise ValueError(f"{len(cases)} cases have signals {signal.shape} and attributions {attribution.shape}")
    if odd := set(cases["kind"]) - set(KINDS):
        raise ValueError(f"a case is {sorted(odd)[0]!r}; expected one of {', '.join(KINDS)}")
    if not (np.isfinite(signal).all() and np.isfinite(attribution).all()):
        raise ValueError("a signal or an attribution is not finite")
