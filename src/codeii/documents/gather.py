"""Brings everything a study found into results.json, from the artefacts and their manifests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from codeii.artifacts.analyses import COLUMNS as OF_ANALYSES
from codeii.artifacts.analyses import read_analyses
from codeii.artifacts.audit import read_audit
from codeii.artifacts.comparisons import COLUMNS as OF_COMPARISONS
from codeii.artifacts.comparisons import read_comparisons
from codeii.artifacts.explanations import read_explanations
from codeii.artifacts.leakage import read_leakage
from codeii.artifacts.manifest import Manifest, environment, load_manifest, sha256_of
from codeii.artifacts.results import write_results
from codeii.artifacts.scores import SCORE_COLUMNS, read_scores
from codeii.artifacts.verdicts import read_verdicts
from codeii.documents.blocks import judged_of, run_of, source_of, submission_of, task_of
from codeii.documents.project import software_of
from codeii.schema.needs import MADE_BY
from codeii.schema.results import Provenance, Results, Table

Inputs = Mapping[str, Sequence[Path]]  # need (codeii.schema.needs) -> manifests
Origin = Literal["synthetic", "mixed", "real"]
WARNINGS: dict[Origin, str] = {
    "synthetic": "SYNTHETIC DATA: numbers say nothing about the paper",
    "mixed": "PARTLY SYNTHETIC DATA: what is marked synthetic says nothing about the paper",
    "real": "",
}
# need -> reader and its tables; each becomes an optional block of that name
TABLES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "comparisons": (read_comparisons, tuple(OF_COMPARISONS)),
    "analyses": (read_analyses, tuple(OF_ANALYSES)),
    "explanations": (read_explanations, ("cases",)),
    "verdicts": (read_verdicts, ("cells", "claims")),
    "leakage": (read_leakage, ("findings", "overlaps")),
}
RUN = ("experiment", "model", "start", "seed")


def gather(inputs: Inputs, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Write `results.json` and its manifest in `folder`.

    inputs : manifests by need; settings : `params` (params.yaml as a mapping), `not_run` (sentences) and `project`
        (hashes of the files that say what runs, by path). Raises IntegrityError where a file was changed.
    """
    results = results_of(inputs, settings)
    paths = [path for need in MADE_BY for path in inputs.get(need, ())]
    write_results(folder, results, settings=settings, code=code, inputs=paths)


def results_of(inputs: Inputs, settings: Mapping[str, Any]) -> Results:
    """The results as a value."""
    manifests = [(path, load_manifest(path, MADE_BY[need][1])) for need in MADE_BY for path in inputs.get(need, ())]
    origin = _origin({manifest.synthetic for _, manifest in manifests})
    audits = {audit.report.source: audit for audit in map(read_audit, inputs.get("audits", ()))}
    sources = [source_of(path, audits) for path in inputs.get("records", ())]
    runs = [run_of(path) for path in inputs.get("runs", ())]
    judged = [(path, read_scores(path)) for path in inputs.get("scores", ())]
    scores = _one_below_the_other([one.scores for _, one in judged], SCORE_COLUMNS)
    return Results(
        study=settings["params"]["study"],
        origin=origin,
        warning=WARNINGS[origin],
        software=software_of(settings["project"]),
        environment=environment(),
        counts={
            "sources": len(sources),
            "records": sum(source.facts["records"] for source in sources),
            "experiments": len({run.experiment for run in runs}),
            "runs": len(runs),
            "scores": len(scores.rows),
            "artefacts": len(manifests),
        },
        settings=settings["params"],
        not_run=settings["not_run"],
        sources=sources,
        tasks=[task_of(path) for path in inputs.get("targets", ())],
        runs=runs,
        judged=[judged_of(path, one) for path, one in judged],
        submissions=[submission_of(path) for path in inputs.get("submissions", ())],
        scores=scores,
        provenance=[_provenance(path, manifest) for path, manifest in manifests],
        **{need: _tables(need, inputs.get(need, ())) for need in TABLES},
    )


def _origin(flags: set[bool]) -> Origin:
    return "mixed" if len(flags) == 2 else "synthetic" if flags == {True} else "real"


def _tables(need: str, paths: Sequence[Path]) -> dict[str, Table] | None:
    """Each table of a kind, artefact below artefact; None where the study has none."""
    if not paths:
        return None
    read, names = TABLES[need]
    made = [read(path) for path in paths]
    return {name: _one_below_the_other([_named(getattr(one, name), one.manifest) for one in made]) for name in names}


def _named(frame: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """A table that does not say which run it is of, beside its run."""
    of_run = {name: manifest.facts[name] for name in RUN if name in manifest.facts and name not in frame}
    return pd.concat([pd.DataFrame(of_run, index=frame.index), frame], axis=1) if of_run else frame


def _one_below_the_other(frames: Sequence[pd.DataFrame], columns: Sequence[str] = ()) -> Table:
    """Tables of the same columns as one; what is not a finite number is null."""
    rows = [[_cell(value) for value in row] for frame in frames for row in frame.astype(object).to_numpy().tolist()]
    names = list(frames[0].columns) if frames else list(columns)
    return Table(columns=names, rows=rows)


def _cell(value: Any) -> Any:
    """As JSON has it: NaN and NA are null, an infinity is a word."""
    if pd.isna(value):
        return None
    return str(value) if isinstance(value, float) and value in (float("inf"), float("-inf")) else value


def _provenance(path: Path, manifest: Manifest) -> Provenance:
    return Provenance(
        manifest=path.as_posix(),
        sha256=sha256_of(path),
        **manifest.model_dump(include={"kind", "code", "synthetic", "environment", "inputs"}),
    )
