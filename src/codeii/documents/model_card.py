"""Model cards: one for each experiment and model, Markdown with the front matter that model hubs read."""

from dataclasses import dataclass
from typing import Any

import yaml

from codeii.documents.words import environment
from codeii.schema.averages import NO_CLASS
from codeii.schema.results import Judged, Results, Run, Source, Task

SHOWN = {"auroc": "roc_auc", "auprc": "average_precision", "f1": "f1", "fmax": "fmax", "brier": "brier_score"}
CLASS_METRIC = "auroc"


@dataclass(frozen=True, slots=True)
class Card:
    """What one card speaks of: the runs of an experiment and model on the most training data."""

    judged: Judged
    task: Task
    source: Source
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """As a file is called."""
        return f"{self.judged.experiment}-{self.judged.model}"

    @property
    def starts(self) -> list[str]:
        """In the order of the runs."""
        return list(dict.fromkeys(run.start for run in self.runs))


def cards(results: Results) -> list[Card]:
    """A card for each experiment and model that was scored."""
    sources = {source.name: source for source in results.sources}
    tasks = {task.name: task for task in results.tasks}
    found = []
    for judged in results.judged:
        mine = [run for run in results.runs if (run.experiment, run.model) == (judged.experiment, judged.model)]
        most = max((run.fraction, run.per_class) for run in mine)
        runs = tuple(run for run in mine if (run.fraction, run.per_class) == most)
        task = tasks[runs[0].task]
        found.append(Card(judged, task, sources[task.source], runs))
    return found


def model_card(results: Results, card: Card) -> str:
    """The card as Markdown."""
    macros = _scores(results, card, ("macro", "macro_frequent"))
    template = environment().get_template("model_card.md.j2")
    body = template.render(
        results=results,
        card=card,
        run=card.runs[0],
        macros={start: {key[1:]: row for key, row in macros.items() if key[0] == start} for start in card.starts},
        classes=_classes(results, card),
        metrics=list(dict.fromkeys(metric for _, metric, _ in macros)),
        compared=_rows(results, card, results.comparisons, "comparisons", versus_experiment=card.judged.experiment),
        recalibrated=_rows(results, card, results.analyses, "recalibration"),
        groups=_rows(results, card, results.analyses, "subgroups", metric=CLASS_METRIC, **{"class": "macro"}),
        metric=CLASS_METRIC,
    )
    return f"---\n{_front_matter(results, card, macros)}---\n\n{body}"


def _scores(results: Results, card: Card, classes: tuple[str, ...]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Test scores of averages over seeds on the card's amount of data: (start, metric, class) -> row."""
    rows = results.scores.records(**_arm(card), split="test", seed="mean")
    kept = (row for row in rows if row["class"] in classes and not str(row["metric"]).endswith("_seed_sd"))
    return {(str(row["start"]), str(row["metric"]), str(row["class"])): row for row in kept}


def _classes(results: Results, card: Card) -> dict[str, dict[str, dict[str, Any]]]:
    """Class -> start -> row of the metric that is shown by class."""
    rows = results.scores.records(**_arm(card), split="test", seed="mean", metric=CLASS_METRIC)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["class"] not in NO_CLASS:
            found.setdefault(str(row["class"]), {})[str(row["start"])] = row
    return found


def _rows(results: Results, card: Card, block: Any, table: str, **values: Any) -> list[dict[str, Any]]:
    """The card's rows of an optional block; none where the study has no such block."""
    if block is None or table not in block:
        return []
    rows: list[dict[str, Any]] = block[table].records(**_arm(card), **values)
    return [row for row in rows if row.get("class", "macro") == "macro"]


def _arm(card: Card) -> dict[str, Any]:
    run = card.runs[0]
    return {name: getattr(run, name) for name in ("experiment", "model", "fraction", "per_class")}


def _front_matter(results: Results, card: Card, macros: dict[tuple[str, str, str], dict[str, Any]]) -> str:
    """YAML as model hubs read it; scores under the names that their leaderboards know."""
    synthetic = card.judged.synthetic
    metrics = [
        {"type": SHOWN[metric], "name": f"macro {metric}, start {start}", "value": row["value"]}
        for (start, metric, of_class), row in macros.items()
        if metric in SHOWN and of_class == "macro" and row["value"] is not None
    ]
    dataset = {"type": card.source.name, "name": " ".join(card.source.card["title"].split()), "split": "test"}
    if synthetic:
        dataset["name"] = f"SYNTHETIC twin of {dataset['name']}"
    scored = {"task": {"type": "other", "name": card.task.name}, "dataset": dataset, "metrics": metrics}
    said = {
        "library_name": "pytorch",
        "license": results.software.licence.lower() if synthetic else "other",
        "tags": ["electrocardiography", "ecg", "multi-label", *(["synthetic-data"] if synthetic else [])],
        "datasets": [card.source.name],
        "model-index": [{"name": card.name, "results": [scored]}],
    }
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=110)
