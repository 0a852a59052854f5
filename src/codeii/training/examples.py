"""Which records a run learns from and which it is chosen by."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from codeii.artifacts.targets import Targets
from codeii.artifacts.tensor_store import TensorStore
from codeii.networks.batches import Inputs, inputs_of
from codeii.schema.splits import take_fraction


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs with their truth."""

    inputs: Inputs
    targets: np.ndarray  # (input, class) float32 of 0 and 1; a section has the classes of its record
    record_ids: tuple[str, ...]  # of each input
    patients: int


def examples_of(store: TensorStore, targets: Targets, rows: pd.DataFrame) -> Examples:
    """Join rows of the targets to the tensors by record. Raises ValueError when there is no row or no tensor."""
    if rows.empty:
        raise ValueError(f"no record to learn from or to choose by; splits hold {targets.manifest.facts['records']}")
    record_ids = rows["record_id"].to_numpy()
    inputs = inputs_of(store, record_ids)
    truth = rows[list(targets.classes)].to_numpy(np.float32)[inputs.record]
    return Examples(inputs, truth, tuple(record_ids[inputs.record]), rows["patient_id"].nunique())


def fraction_of(rows: pd.DataFrame, classes: tuple[str, ...], fraction: float, seed: int) -> pd.DataFrame:
    """All records of a stratified fraction of the patients.

    A patient counts with every class of their records. Larger fractions contain smaller ones of the same seed;
    other seeds draw other patients.
    """
    of_patient = rows.groupby("patient_id", sort=True)[list(classes)].max()
    patients = of_patient.index.tolist()
    taken = take_fraction(patients, of_patient.to_numpy(), fraction, seed)
    return rows[rows["patient_id"].isin({patients[index] for index in taken})]
