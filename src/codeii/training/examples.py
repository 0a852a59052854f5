"""Which records a run learns from and which it is chosen by."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from codeii.artifacts.targets import Targets
from codeii.artifacts.tensor_store import TensorStore
from codeii.networks.batches import Inputs, inputs_of
from codeii.networks.standardise import Standard
from codeii.schema.amounts import Amount
from codeii.schema.splits import take_fraction, uniform_of


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs with their truth."""

    inputs: Inputs
    targets: np.ndarray  # (input, class) float32 of 0 and 1; a section has the classes of its record
    record_ids: tuple[str, ...]  # of each input
    patients: int

    @property
    def records(self) -> int:
        """Number of records; there are more inputs where long records are cut into sections."""
        return int(self.inputs.record[-1]) + 1

    def standardised(self, standard: Standard) -> "Examples":
        """The same examples, seen by a network that is trained behind this standard."""
        return replace(self, inputs=self.inputs.standardised(standard))


def examples_of(store: TensorStore, targets: Targets, rows: pd.DataFrame) -> Examples:
    """Join rows of the targets to the tensors by record. Raises ValueError when there is no row or no tensor."""
    if rows.empty:
        raise ValueError(f"no record to learn from or to choose by; splits hold {targets.manifest.facts['records']}")
    record_ids = rows["record_id"].to_numpy()
    inputs = inputs_of(store, record_ids)
    truth = rows[list(targets.classes)].to_numpy(np.float32)[inputs.record]
    return Examples(inputs, truth, tuple(record_ids[inputs.record]), rows["patient_id"].nunique())


def drawn_from(
    rows: pd.DataFrame, classes: tuple[str, ...], amount: Amount, seed: int
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The records of `fraction_of` or `count_of`, and the classes that fall short of a count."""
    fraction, per_class = amount
    if per_class:
        return count_of(rows, classes, per_class, seed)
    return fraction_of(rows, classes, fraction, seed), {}


def fraction_of(rows: pd.DataFrame, classes: tuple[str, ...], fraction: float, seed: int) -> pd.DataFrame:
    """All records of a stratified fraction of the patients.

    A patient counts with every class of their records. Larger fractions contain smaller ones of the same seed;
    other seeds draw other patients.
    """
    of_patient = rows.groupby("patient_id", sort=True)[list(classes)].max()
    patients = of_patient.index.tolist()
    taken = take_fraction(patients, of_patient.to_numpy(), fraction, seed)
    return rows[rows["patient_id"].isin({patients[index] for index in taken})]


def count_of(
    rows: pd.DataFrame, classes: tuple[str, ...], per_class: int, seed: int
) -> tuple[pd.DataFrame, dict[str, int]]:
    """All records of so few patients that each class has at least `per_class` positive records, where it can.

    Records without any class are counted as one more class, "none". -> the records, in the order of `rows`, and how
    many there are of each class that falls short, having no more.
    Each class takes patients in an order fixed by the seed: larger counts contain smaller ones of the same seed.
    """
    if per_class < 1:
        raise ValueError(f"per_class is {per_class}; at least one record of each class is needed")
    truth = rows[list(classes)].astype(bool)
    truth["none"] = ~truth.any(axis=1)
    of_patient = truth.groupby(rows["patient_id"], sort=True).sum()
    of_patient = of_patient.loc[sorted(of_patient.index, key=lambda patient: uniform_of(str(patient), seed))]
    # A patient is taken for a class that they have and that those before them have not yet filled.
    before = of_patient.cumsum() - of_patient
    taken = ((of_patient > 0) & (before < per_class)).any(axis=1)
    found = of_patient[taken].sum()
    short = {str(name): int(count) for name, count in found.items() if count < per_class}
    return rows[rows["patient_id"].isin(set(of_patient.index[taken]))], short
