"""What a table or figure is made from: manifests on the way in, verified artefacts behind them."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from codeii.artifacts.analyses import COLUMNS as OF_ANALYSES
from codeii.artifacts.analyses import read_analyses
from codeii.artifacts.audit import Audit, read_audit
from codeii.artifacts.checkpoint import CARD, HISTORY, CheckpointCard
from codeii.artifacts.comparisons import COLUMNS as OF_COMPARISONS
from codeii.artifacts.comparisons import Comparisons, read_comparisons
from codeii.artifacts.explanations import Explanations, read_explanations
from codeii.artifacts.leakage import Leakage, read_leakage
from codeii.artifacts.manifest import IntegrityError, Manifest, read_manifest
from codeii.artifacts.predictions import Predictions, read_predictions, runs_of_set
from codeii.artifacts.record_store import RecordStore, read_record_store
from codeii.artifacts.scores import SCORE_COLUMNS, read_scores
from codeii.artifacts.targets import Targets, read_targets
from codeii.artifacts.verdicts import Verdicts, read_verdicts
from codeii.reporting.published_weights import weights_in_words
from codeii.reporting.rows import NO_DATA, NO_WEIGHTS, RUN

ALL_SYNTHETIC = "SYNTHETIC DATA: numbers say nothing about the paper"
PARTLY_SYNTHETIC = "PARTLY SYNTHETIC DATA: what is marked synthetic says nothing about the paper"

Origin = Literal["synthetic", "mixed", "real"]
WARNINGS: dict[Origin, str] = {"synthetic": ALL_SYNTHETIC, "mixed": PARTLY_SYNTHETIC, "real": ""}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Manifests of each kind, in the order of params.yaml. A table or figure is given the kinds it `NEEDS`.

    The report alone is given finished tables and figures, in the order it shows them.
    """

    records: tuple[Path, ...] = ()
    audits: tuple[Path, ...] = ()
    targets: tuple[Path, ...] = ()
    runs: tuple[Path, ...] = ()
    predictions: tuple[Path, ...] = ()
    scores: tuple[Path, ...] = ()
    comparisons: tuple[Path, ...] = ()
    analyses: tuple[Path, ...] = ()
    explanations: tuple[Path, ...] = ()
    verdicts: tuple[Path, ...] = ()
    submissions: tuple[Path, ...] = ()
    leakage: tuple[Path, ...] = ()
    tables: tuple[Path, ...] = ()
    figures: tuple[Path, ...] = ()

    def only(self, needs: Sequence[str]) -> "Inputs":
        """The same inputs without the kinds that are not needed. Raises ValueError on an unknown kind."""
        odd = sorted(set(needs) - set(MADE_FROM))
        if odd:
            raise ValueError(f"NEEDS names {', '.join(odd)}; the kinds are {', '.join(MADE_FROM)}")
        return Inputs(**{kind: tuple(getattr(self, kind)) for kind in needs})

    def paths(self) -> list[Path]:
        """Every manifest, kind by kind."""
        return [path for kind in KINDS for path in getattr(self, kind)]


KINDS = tuple(kind.name for kind in fields(Inputs))
MADE_FROM = KINDS[:-2]  # what a table or figure may need


# beside the columns of the scores: the data's origin, the protocol in words, and why a row's run was not run, else ""
BESIDE = ("synthetic", "protocol", "not_run")


Missing = tuple[str, str, str, float, int]  # experiment, model, start, fraction, per_class


@dataclass(frozen=True, slots=True)
class NotRun:
    """What was declared and wants data or weights, as the settings of a table or figure say it under `not_run`."""

    runs: tuple[Missing, ...] = ()
    submissions: tuple[tuple[str, str, str], ...] = ()  # source, experiment, model
    runs_without_weights: tuple[Missing, ...] = ()
    submissions_without_weights: tuple[tuple[str, str, str], ...] = ()

    @property
    def words(self) -> str:
        """A sentence for a caption and reason; "" where everything was run."""
        reasons = {"their data are not released": self.runs, "the weights are absent": self.runs_without_weights}
        return " ".join(f"Not run, as {why}: {_starts_in_words(runs)}." for why, runs in reasons.items() if runs)


def _starts_in_words(runs: Iterable[Missing]) -> str:
    of_start: dict[str, list[str]] = {}
    for experiment, start in dict.fromkeys((experiment, start) for experiment, _, start, *_ in runs):
        of_start.setdefault(start, []).append(experiment)
    return ", ".join(
        f"{start} of {' and '.join(names) if len(names) < 3 else f'{len(names)} experiments'}"
        for start, names in of_start.items()
    )


@dataclass(frozen=True, slots=True)
class Run:
    """One trained network without its weights: who it is (`settings`), what it is (`card`), how it went (`history`)."""

    manifest: Manifest
    card: CheckpointCard
    history: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Study:
    """The verified artefacts behind a table or figure. Kinds that were not asked for are empty."""

    records: dict[str, RecordStore]  # by source
    audits: dict[str, Audit]  # by source
    targets: dict[str, Targets]  # by task
    runs: tuple[Run, ...]
    predictions: tuple[Predictions, ...]
    scores: pd.DataFrame  # SCORE_COLUMNS and BESIDE, experiment by experiment, those not run included
    analysed: dict[str, pd.DataFrame]  # each table of codeii.artifacts.analyses, with BESIDE
    compared: dict[str, pd.DataFrame]  # each table of codeii.artifacts.comparisons, with BESIDE and the task
    explanations: tuple[Explanations, ...]
    verdicts: Verdicts | None
    submissions: tuple[tuple[Path, Manifest], ...]
    leakage: Leakage | None
    origin: Origin
    not_run: NotRun = field(default_factory=NotRun)
    weights: str = ""  # what is to be said beside scores of starts from weights published by others

    @property
    def against_first(self) -> pd.DataFrame:
        """Comparisons inside an experiment, of each start with the one that its experiment names first."""
        found = self.compared["comparisons"]
        inside = (found["versus_experiment"] == found["experiment"]) & (found["versus_model"] == found["model"])
        first = found[inside].groupby(["experiment", "model"], sort=False)["versus"].transform("first")
        return found[inside & (found["versus"] == first.reindex(found.index))]

    @property
    def warning(self) -> str:
        """What must be said, in words, beside everything made from this study; "" on real data."""
        return WARNINGS[self.origin]

    def marked(self, text: str, synthetic: bool) -> str:
        """`text` as a label, with the word synthetic where the study mixes synthetic and real data."""
        return f"{text} (synthetic)" if synthetic and self.origin == "mixed" else text

    def marked_column(self, values: pd.DataFrame, column: str) -> list[str]:
        """A column of names as labels; `values` has a column "synthetic" beside it."""
        pairs = zip(values[column], values["synthetic"], strict=True)
        return [self.marked(str(name), bool(synthetic)) for name, synthetic in pairs]


def read_study(inputs: Inputs, not_run: Mapping[str, Any] | None = None) -> Study:
    """Verify and read everything listed. Raises IntegrityError where a file is not what its manifest says.

    not_run : what was declared and wants data or weights, see `NotRun`; its runs become rows of the scores without a
        value.
    """
    missing = NotRun(**{kind: tuple(map(tuple, rows)) for kind, rows in (not_run or {}).items()})
    stores = [read_record_store(path) for path in inputs.records]
    audits = [read_audit(path) for path in inputs.audits]
    targets = [read_targets(path) for path in inputs.targets]
    runs = tuple(read_run(path) for path in inputs.runs)
    predictions = tuple(read_predictions(path) for many in inputs.predictions for path in runs_of_set(many))
    scores = [read_scores(path) for path in inputs.scores]
    comparisons = [read_comparisons(path) for path in inputs.comparisons]
    analyses = [read_analyses(path) for path in inputs.analyses]
    explanations = tuple(read_explanations(path) for path in inputs.explanations)
    verdicts = [read_verdicts(path) for path in inputs.verdicts]
    submissions = tuple((path, read_manifest(path, "submission")) for path in inputs.submissions)
    leakage = [read_leakage(path) for path in inputs.leakage]
    made: list[Any] = [
        *stores,
        *audits,
        *targets,
        *runs,
        *predictions,
        *scores,
        *comparisons,
        *analyses,
        *explanations,
        *verdicts,
        *leakage,
    ]
    manifests = [item.manifest for item in made] + [manifest for _, manifest in submissions]
    return Study(
        records=_by_name(((named(store.manifest, "source"), store) for store in stores), "source"),
        audits=_by_name(((audit.report.source, audit) for audit in audits), "source"),
        targets=_by_name(((named(target.manifest, "name"), target) for target in targets), "task"),
        runs=runs,
        predictions=predictions,
        scores=_with_not_run(_stacked([(one.scores, one.manifest) for one in scores], SCORE_COLUMNS), missing),
        analysed={
            name: _stacked([(getattr(one, name), one.manifest) for one in analyses], columns)
            for name, columns in OF_ANALYSES.items()
        },
        compared=_compared(comparisons),
        explanations=explanations,
        verdicts=verdicts[0] if verdicts else None,
        submissions=submissions,
        leakage=leakage[0] if leakage else None,
        origin=origin_of(manifest.synthetic for manifest in manifests),
        not_run=missing,
        weights=weights_in_words(one.manifest for one in scores),
    )


def read_run(manifest_path: Path) -> Run:
    """Verify a checkpoint and read its card and history; the weights stay on disk."""
    manifest = read_manifest(manifest_path, "checkpoint")
    card = CheckpointCard.model_validate(json.loads((manifest_path.parent / CARD).read_text(encoding="utf-8")))
    return Run(manifest, card, pd.read_csv(manifest_path.parent / HISTORY))


def origin_of(synthetic: Iterable[bool]) -> Origin:
    """One word for many manifests."""
    flags = set(synthetic)
    if flags == {True, False}:
        return "mixed"
    return "synthetic" if flags == {True} else "real"


def named(manifest: Manifest, word: str) -> str:
    """What a manifest calls its source, or its task (`name`), in its settings or facts."""
    found = manifest.settings.get(word, manifest.facts.get(word))
    if not isinstance(found, str):
        raise IntegrityError(f"a manifest of kind {manifest.kind!r} names no {word}: found {found!r}")
    return found


def _by_name(items: Iterable[tuple[str, Any]], word: str) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, item in items:
        if name in table:
            raise ValueError(f"{word} {name!r} is given by more than one manifest")
        table[name] = item
    return table


def _compared(comparisons: Sequence[Comparisons]) -> dict[str, pd.DataFrame]:
    """The tables of all tasks, one below the other."""
    return {
        name: _stacked(
            [(getattr(one, name).assign(task=one.manifest.facts["task"]), one.manifest) for one in comparisons],
            (*columns, "task"),
        )
        for name, columns in OF_COMPARISONS.items()
    }


def _stacked(frames: Sequence[tuple[pd.DataFrame, Manifest]], columns: Sequence[str]) -> pd.DataFrame:
    filled = [
        frame.assign(synthetic=made.synthetic, protocol=made.facts.get("protocol") or "not stated", not_run="")
        for frame, made in frames
        if len(frame)
    ]
    if not filled:
        nothing = pd.DataFrame(columns=[*columns, *BESIDE])
        kinds = {"fraction": float, "per_class": int}  # tables merge on them
        return nothing.astype({name: kind for name, kind in kinds.items() if name in columns})
    return pd.concat(filled, ignore_index=True)


def _with_not_run(scores: pd.DataFrame, missing: NotRun) -> pd.DataFrame:
    """The scores, and after those of its experiment a row without a value for each macro of a run not run."""
    macros = scores[scores["class"].isin(("macro", "macro_frequent")) & ~scores["metric"].str.endswith("_seed_sd")]
    metrics = list(dict.fromkeys(["auroc", *macros["metric"]]))
    rows = [
        {
            **dict(zip(RUN, run, strict=True)),
            **{"seed": "mean", "split": "test", "metric": metric, "class": of_class, "synthetic": False},
            **{"value": math.nan, "low": math.nan, "high": math.nan, "n_exams": 0, "n_positives": 0, "n_classes": 0},
            **{"protocol": "", "not_run": reason},
        }
        for reason, runs in ((NO_DATA, missing.runs), (NO_WEIGHTS, missing.runs_without_weights))
        for run in runs
        for metric in metrics
        for of_class in ("macro", "macro_frequent")
    ]
    if not rows:
        return scores
    added = pd.DataFrame(rows).reindex(columns=scores.columns)
    joined = pd.concat([scores, added], ignore_index=True) if len(scores) else added
    place = {name: at for at, name in enumerate(dict.fromkeys(joined["experiment"]))}
    return joined.sort_values("experiment", key=lambda names: names.map(place), kind="stable", ignore_index=True)
