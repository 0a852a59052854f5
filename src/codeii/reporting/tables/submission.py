"""Submissions: predictions for sources whose labels are withheld, ready to be judged by those who hold them.

The hash of the card stands for predictions, class order and weights together: quote it beside any result the file is
given. `codeii submit --check` names every fault of such a file, `--score` runs it against a key.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from codeii.artifacts.manifest import Manifest
from codeii.artifacts.submission import CARD, PREDICTIONS
from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import NO_DATA, NO_WEIGHTS, NOT_RUN, count
from codeii.reporting.study import Study

NEEDS = ("submissions",)
SECTION = "Runs"
COLUMNS = (
    "source",
    "experiment",
    "model",
    "file",
    "bytes",
    "sha256",
    "card_sha256",
    "exams",
    "classes_hash",
    "synthetic",
)


def rows(study: Study) -> tuple[Part, ...]:
    """One line per submission."""
    lines = [_line(path, manifest) for path, manifest in study.submissions]
    awaited = [(*one, f"{NOT_RUN}: {NO_DATA}") for one in study.not_run.submissions]
    awaited += [(*one, f"{NOT_RUN}: {NO_WEIGHTS}") for one in study.not_run.submissions_without_weights]
    if not lines and not awaited:
        return not_run("no experiment predicts a source without public labels", COLUMNS)
    values = pd.DataFrame(lines, columns=list(COLUMNS))
    shown: dict[str, Iterable[str]] = {
        "Source": study.marked_column(values, "source"),
        "Experiment": values["experiment"],
        "Model": values["model"],
        "File": values["file"],
        "Exams": [count(float("nan") if n is None else float(n)) for n in values["exams"]],
        "Classes": values["classes_hash"],
        "Quote as sha256": values["card_sha256"],
    }
    grid = pd.DataFrame({name: list(column) for name, column in shown.items()}, dtype=object)
    missing = pd.DataFrame([[*one, "", "", ""] for one in awaited], columns=grid.columns, dtype=object)
    return (Part("table", pd.concat([grid, missing], ignore_index=True), values),)


def _line(path: Path, manifest: Manifest) -> dict[str, object]:
    facts = manifest.settings | manifest.facts
    entry = manifest.files[PREDICTIONS]
    return {
        **{name: facts.get(name) for name in ("source", "experiment", "model", "exams")},
        "file": (path.parent / PREDICTIONS).as_posix(),
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "card_sha256": manifest.files[CARD].sha256,
        "classes_hash": facts.get("classes_hash", ""),
        "synthetic": manifest.synthetic,
    }
