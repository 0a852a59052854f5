"""Submissions: predictions for sources whose labels are withheld, ready to be judged by those who hold them.

The hash identifies a file, to be quoted beside any result it is given; the class hash names the columns in order.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from codeii.artifacts.manifest import Manifest
from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import NO_DATA, NO_WEIGHTS, NOT_RUN, count
from codeii.reporting.study import Study

NEEDS = ("submissions",)
SECTION = "Runs"
COLUMNS = ("source", "experiment", "model", "file", "bytes", "sha256", "exams", "classes_hash", "synthetic")


def rows(study: Study) -> tuple[Part, ...]:
    """One line per file of a submission."""
    lines = [line for path, manifest in study.submissions for line in _lines(path, manifest)]
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
        "sha256": values["sha256"].str[:16],
    }
    grid = pd.DataFrame({name: list(column) for name, column in shown.items()}, dtype=object)
    missing = pd.DataFrame([[*one, "", "", ""] for one in awaited], columns=grid.columns, dtype=object)
    return (Part("table", pd.concat([grid, missing], ignore_index=True), values),)


def _lines(path: Path, manifest: Manifest) -> list[dict[str, object]]:
    facts = manifest.settings | manifest.facts
    common = {name: facts.get(name) for name in ("source", "experiment", "model", "exams")}
    return [
        {
            **common,
            "file": (path.parent / name).as_posix(),
            "bytes": entry.bytes,
            "sha256": entry.sha256,
            "classes_hash": facts.get("classes_hash", ""),
            "synthetic": manifest.synthetic,
        }
        for name, entry in manifest.files.items()
    ]
