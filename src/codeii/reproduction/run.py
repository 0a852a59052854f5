"""Verdicts of a study: read scores and comparisons, set them beside what was published, write what comes of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from codeii.artifacts.comparisons import read_comparisons
from codeii.artifacts.scores import Scores, read_scores
from codeii.artifacts.verdicts import CELL_COLUMNS, CLAIM_COLUMNS, write_verdicts
from codeii.reproduction.claims import claim_rows
from codeii.reproduction.judge import Cell, Protocol, Rule, cell_rows
from codeii.reproduction.published import read_claims, read_published

MACRO, TEST = "macro", "test"


def reproduce(
    scores: Sequence[Path], comparisons: Sequence[Path], settings: Mapping[str, Any], code: str, folder: Path
) -> None:
    """Judge every cell and claim of a study.

    Parameters
    ----------
    scores, comparisons : manifests of all experiments, and of all tasks
    settings : `margin` and `alpha` of the test; `cells`, each start of each model of each experiment with what it is
        and its protocol, and why it was not run where it was not
    code : fingerprint of the code
    folder : where the verdicts go

    Raises
    ------
    ValueError
        A line of published.csv or claims.csv is not as it should be.
    """
    judged = {key: one for one in map(read_scores, scores) for key in [_named(one)]}
    published = read_published()
    metrics = dict.fromkeys(["auroc", *(line.metric for line in published)])
    cells = [
        cell
        for declared in settings["cells"]
        for metric in metrics
        for cell in _cell(declared, metric, judged.get((declared["experiment"], declared["model"])))
    ]
    tasks = [read_comparisons(path) for path in comparisons]
    tables = {str(one.manifest.facts["task"]): {"comparisons": one.comparisons, "fits": one.fits} for one in tasks}
    synthetic = {str(one.manifest.facts["task"]) for one in tasks if one.manifest.synthetic}
    rule = Rule(float(settings["margin"]), float(settings["alpha"]))
    write_verdicts(
        folder,
        pd.DataFrame(cell_rows(cells, published, rule), columns=list(CELL_COLUMNS)),
        pd.DataFrame(claim_rows(read_claims(), tables, synthetic), columns=list(CLAIM_COLUMNS)),
        settings=settings,
        code=code,
        inputs=[*scores, *comparisons],
        facts={"published": len(published), "margin": rule.margin, "alpha": rule.alpha},
        synthetic=any(one.manifest.synthetic for one in judged.values()) or bool(synthetic),
    )


def _named(scores: Scores) -> tuple[str, str]:
    return str(scores.scores["experiment"].iat[0]), str(scores.scores["model"].iat[0])


def _cell(declared: Mapping[str, Any], metric: str, scores: Scores | None) -> list[Cell]:
    """The cell of one declared start and metric; none where the metric was not scored for it."""
    not_run = str(declared["not_run"])
    if scores is None and not not_run:
        not_run = "it has no scores"
    values, classes = ((), None) if scores is None or not_run else _values(scores, declared["start"], metric)
    if not values and not not_run:
        return []
    protocol = Protocol(**declared["protocol"], n_classes=classes)
    names = ("experiment", "model", "start", "encoder", "mode", "random", "task")
    synthetic = scores is not None and scores.manifest.synthetic
    given = {name: declared[name] for name in names}
    return [Cell(**given, metric=metric, protocol=protocol, synthetic=synthetic, values=values, not_run=not_run)]


def _values(scores: Scores, start: str, metric: str) -> tuple[tuple[float, ...], int | None]:
    """Macro of each seed trained on all data, and how many classes it is over."""
    table = scores.scores
    rows = (table["start"] == start) & (table["fraction"] == 1) & (table["split"] == TEST) & (table["class"] == MACRO)
    found = table[rows & (table["metric"] == metric) & table["seed"].str.fullmatch("[0-9]+")].dropna(subset="value")
    classes = found["n_classes"].astype(int).tolist()
    return tuple(found["value"].astype(float)), classes[0] if classes else None
