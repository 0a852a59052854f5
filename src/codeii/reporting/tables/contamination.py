"""Contamination: what every start has seen before, and whether any of it is in its test split.

For our own starts the answer is counted: the training split of the task a network starts from was compared with the
held-out records by record, by patient and by signal. For published encoders, and for starts from their weights, it is
what their authors or others say, with how that is known; where nobody says, it is undetermined.
"""

from collections.abc import Iterable

import pandas as pd

from codeii.artifacts.leakage import PRETRAINED_BY_OTHERS
from codeii.reporting.part import TEMPLATES, Part, not_run
from codeii.reporting.rows import count
from codeii.reporting.study import Run, Study

NEEDS = ("runs", "leakage")
SECTION = "Data"
PUBLISHED = TEMPLATES / "published_encoders.csv"
KEYS = ("experiment", "model", "start", "task")
COLUMNS = (*KEYS, "seen", "held_out", "records", "patients", "recordings", "overlap", "synthetic")
UNDETERMINED = "undetermined"


def rows(study: Study) -> tuple[Part, ...]:
    """One line per start of every experiment, and one per published encoder."""
    if not study.runs:
        return not_run("no network was trained", COLUMNS)
    first = {tuple(run.manifest.settings[key] for key in KEYS): run for run in reversed(study.runs)}
    lines = [_line(study, run) for run in reversed(first.values())]
    values = pd.DataFrame(lines, columns=list(COLUMNS))
    return Part("table", _shown(study, values), values, "Starts of this study"), _published()


def _line(study: Study, run: Run) -> dict[str, object]:
    settings = run.manifest.settings
    seen = [task for task in run.card.trained_on if task != settings["task"]]
    known = {name: settings[name] for name in KEYS} | {"seen": ", ".join(seen), "synthetic": run.manifest.synthetic}
    if not seen:
        return known | {"overlap": "nothing seen before"}
    if study.leakage is None:
        return known | {"overlap": UNDETERMINED}
    said = _said_of_weights(study.leakage.findings, seen, settings["task"])
    if said:
        return known | {"overlap": "; ".join(said)}
    table = study.leakage.overlaps
    mine = table[table["trained_on"].isin(seen) & (table["task"] == settings["task"]) & (table["split"] == "test")]
    if set(mine["trained_on"]) != set(seen):
        return known | {"overlap": UNDETERMINED}
    shared = {name: int(mine[name].sum()) for name in ("records", "patients", "recordings")}
    overlap = "yes" if any(shared.values()) else "no"
    return known | shared | {"held_out": int(mine["held_out"].max()), "overlap": overlap}


def _said_of_weights(findings: pd.DataFrame, seen: list[str], task: str) -> list[str]:
    """What is said of each of the published weights among `seen`: whether they have seen the task's source."""
    notes = findings[(findings["kind"] == PRETRAINED_BY_OTHERS) & (findings["task"] == task)]
    return list(notes[notes["other_record_id"].isin(seen)]["why"])


def _shown(study: Study, values: pd.DataFrame) -> pd.DataFrame:
    shown: dict[str, Iterable[str]] = {
        "Experiment": study.marked_column(values, "experiment"),
        "Model": values["model"],
        "Start": values["start"],
        "Has seen": [seen or "nothing" for seen in values["seen"]],
        "Test records": [count(float(n)) if n == n else "" for n in values["held_out"]],
        "Seen in the test split": [_overlap(row) for _, row in values.iterrows()],
    }
    return pd.DataFrame({name: list(column) for name, column in shown.items()})


def _overlap(row: pd.Series) -> str:
    if row["overlap"] == "no":
        return "no record, patient or recording"
    if row["overlap"] != "yes":
        return str(row["overlap"])
    return f"{count(row['records'])} records, {count(row['patients'])} by patient, {count(row['recordings'])} by signal"


def _published() -> Part:
    values = pd.read_csv(PUBLISHED, dtype=str, keep_default_na=False)
    shown = values.rename(
        columns={
            "encoder": "Encoder",
            "pretraining_data": "Pretrained on",
            "ptbxl": "Has seen PTB-XL",
            "cpsc2018": "Has seen CPSC 2018",
            "basis": "How this is known",
            "source": "Source",
        }
    )
    note = "Said of these encoders, not computed here; the list is src/codeii/reporting/published_encoders.csv."
    return Part("published", shown, values, "Published encoders", note)
