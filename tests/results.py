"""Results for tests: a small study whose names try to be markup, as results.json would hold it."""

from typing import Any

from codeii.documents.gather import WARNINGS
from codeii.documents.project import ROOT
from codeii.schema.results import Results
from codeii.workflow.document_jobs import project_hashes
from codeii.workflow.load import load_params

HOSTILE = 'x|<script>alert("1")</script> ](javascript:y) `*_#\n# head\n---\n{{ 7 * 6 }} www.evil.org'
SHA = "ab" * 32
ARM = {"experiment": "transfer", "model": "resnet1d", "fraction": 1.0, "per_class": 0}
SCORES = ("experiment", "model", "start", "fraction", "per_class", "seed", "split", "metric", "class", "value", "low")
SCORES = (*SCORES, "high", "n_exams", "n_positives", "n_classes")


def made_up_results(synthetic: bool = True, **changed: Any) -> Results:
    """One source, one task, two starts; class, title, protocol and protocol's words are hostile."""
    origin = "synthetic" if synthetic else "real"
    marked = {"synthetic": synthetic, "manifest": "results/x/manifest.json"}
    scores = [score(start, metric, name) for start in ("a", "b") for metric in ("auroc", "f1") for name in CLASSES]
    values = {
        "study": f"made up {HOSTILE}",
        "origin": origin,
        "warning": WARNINGS[origin],
        "software": software(),
        "environment": {"python": "3.11", "lock": "1234", "machine": "x86_64"},
        "counts": dict.fromkeys(("sources", "records", "experiments", "runs", "scores", "artefacts"), 17),
        "settings": load_params([ROOT / "params.yaml"]).model_dump(mode="json", exclude={"tracking"}),
        "not_run": [f"not run: {HOSTILE}"],
        "sources": [{"name": "made_up", **marked, **source()}],
        "tasks": [
            {"name": "task", "source": "made_up", "classes": ["normal", HOSTILE], **marked, "facts": task_facts()}
        ],
        "runs": [run(start, marked) for start in ("a", "b")],
        "judged": [{**{k: ARM[k] for k in ("experiment", "model")}, **marked, "protocol": HOSTILE, "facts": judged()}],
        "submissions": [],
        "scores": {"columns": list(SCORES), "rows": scores},
        "comparisons": {"comparisons": {"columns": list(COMPARED), "rows": [compared()]}},
        "provenance": [],
    }
    return Results.model_validate({**values, **changed})


CLASSES = ("macro", "macro_frequent", "normal", HOSTILE)


def score(start: str, metric: str, name: str) -> list[Any]:
    """One row of the scores; that of the hostile class of start b is not defined."""
    value = None if (start, name) == ("b", HOSTILE) else 0.81234 if start == "a" else 0.71234
    limits = [None, None] if value is None else [0.61234, 0.91234]
    return ["transfer", "resnet1d", start, 1.0, 0, "mean", "test", metric, name, value, *limits, 131, 37, 2]


COMPARED = ("experiment", "model", "start", "versus_experiment", "versus_model", "versus", "fraction", "per_class")
COMPARED = (*COMPARED, "metric", "class", "difference", "low", "high", "p", "p_holm")


def compared() -> list[Any]:
    """Start b minus start a."""
    return [
        *("transfer", "resnet1d", "b", "transfer", "resnet1d", "a", 1.0, 0),
        *("auroc", "macro", -0.1, -0.2, None, 0.04, 0.08),
    ]


def software() -> dict[str, Any]:
    """The program under the hashes its files have."""
    paper = {"title": "a paper", "authors": ["A. Author"], "journal": "j", "year": 2026, "doi": "10.1/x"}
    said = {"title": "codeii", "version": "0.1.0", "licence": "MIT", "authors": [HOSTILE], "date_released": None}
    return {**said, "papers": [paper], "files": project_hashes()}


def source() -> dict[str, Any]:
    """A data set of two columns."""
    card = {"title": HOSTILE, "version": "1.2.3", "licence": "CC BY 4.0", "doi": "10.1/y", "citation": HOSTILE}
    facts = {"source": "made_up", "records": 1234, "exams": 1200, "patients": 987, "excluded": {HOSTILE: 3}}
    facts |= {"age_years": {"median": 54.5}, "sexes": {"female": 601, "male": 633}}
    path = "results/records/made_up/records.parquet"
    return {
        "card": {**card, "statements": HOSTILE},
        "facts": facts,
        "files": [{"path": path, "bytes": 5, "sha256": SHA}],
        "columns": [{"name": "record_id", "kind": "text"}, {"name": "rate_hz", "kind": "integer"}],
        "checks": None,
    }


def task_facts() -> dict[str, Any]:
    """Two splits."""
    positives = {split: {"normal": 37, HOSTILE: 5} for split in ("train", "test")}
    counts = {"train": 1100, "test": 131}
    return {"exams": counts, "patients": counts, "positives": positives, "dropped_records": {"unlabelled": 2}}


def judged() -> dict[str, Any]:
    """How it was scored."""
    return {"exams": {"test": 131}, "test_patients": 119, "replicates": 1000, "not_evaluable": {"test": [HOSTILE]}}


def run(start: str, marked: dict[str, Any]) -> dict[str, Any]:
    """A network on all data."""
    shape = {"parameters": 1234567, "leads": ["I"], "rate_hz": 400, "samples": 4096, "unit": "mV", "best_epoch": 2}
    settings = {"mode": "full", "init": "random", "model_settings": {"activation": HOSTILE}, "recipe": {"epochs": 3}}
    named = {**ARM, "start": start, "seed": 0, "task": "task", "weights_sha256": SHA, "trained_on": ["task"]}
    return {**named, **shape, **marked, "settings": settings, "facts": {"epochs": 3}}
