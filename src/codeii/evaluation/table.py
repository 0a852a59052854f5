"""All scores of one run: a row for each class, average and group, a column for each resample."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from codeii.evaluation.exams import Truth
from codeii.evaluation.metrics import Metric, WholeMetric, load_by_shape
from codeii.evaluation.pooled import Pooled, pool, score_pooled
from codeii.evaluation.ranking import Ranked, to_probability
from codeii.evaluation.rows import Tally
from codeii.evaluation.scoring import BLOCK, macro, rank_classes, score_classes, weighted
from codeii.evaluation.whole import Whole
from codeii.schema.averages import AVERAGES, GROUPS, NO_CLASS


@dataclass(frozen=True, slots=True)
class Wanted:
    """The metrics asked for, by their place among the names, and what of them there is for a label set."""

    names: tuple[str, ...]
    of_class: dict[int, Metric]
    whole: dict[int, WholeMetric]  # those that apply
    groups: dict[str, tuple[str, ...]]  # the classes of each
    not_applicable: dict[str, str]  # name -> why


@dataclass(frozen=True, slots=True)
class Ready:
    """One run on one split, ready to be scored under any resamples."""

    ranked: list[Ranked | None]
    pooled: Pooled | None
    whole: Whole  # its times are those of no resample


def wanted_for(names: Sequence[str], classes: Sequence[str]) -> Wanted:
    """Load the metrics.

    Raises ValueError on a name without a file, a group that is not one of `GROUPS`, or a class named as an average.
    """
    if taken := set(classes) & set(NO_CLASS):
        raise ValueError(f"class {', '.join(sorted(taken))} has the name of an average; rename it in the label set")
    of_class, whole = load_by_shape(names)
    reasons = {place: metric.why_not(classes) for place, metric in whole.items()}
    applied = {place: metric for place, metric in whole.items() if not reasons[place]}
    rows = {name: of for metric in applied.values() for name, of in metric.rows(classes).items()}
    groups = {name: of for name, of in rows.items() if name not in classes}
    if odd := set(groups) - set(GROUPS):
        raise ValueError(
            f"a metric adds group {', '.join(sorted(odd))}; codeii.schema.averages has {', '.join(GROUPS)}"
        )
    why = {names[place]: reason for place, reason in reasons.items() if reason}
    return Wanted(tuple(names), of_class, applied, groups, why)


def rows_made(wanted: Wanted, tally: Tally) -> np.ndarray:
    """(metric, row) bool: which scores there are, defined or not. Metrics of all classes have no micro average."""
    made = np.zeros((len(wanted.names), len(tally.names)), bool)
    made[list(wanted.of_class), : tally.averages.stop] = True
    for place, metric in wanted.whole.items():
        given = metric.rows(tally.names[: tally.averages.start])
        made[place] = [name in given for name in tally.names]
        if made[place, : tally.averages.start].all():
            made[place, tally.averages] = [name != "micro" for name in AVERAGES]
    return made


def make_ready(logit: np.ndarray, truth: Truth, classes: Sequence[str], thresholds: np.ndarray) -> Ready:
    """Sort and decide once. logit : (exam, class) float32; thresholds : (class,) probabilities."""
    probability = to_probability(logit)
    called = probability >= thresholds
    within = truth.evaluable
    picked = (values[:, within] for values in (logit, truth.target, probability, called))
    nothing = np.zeros((0, len(logit)))
    whole = Whole(tuple(classes), truth.target, probability.astype(np.float64), called, truth.first, nothing)
    return Ready(rank_classes(logit, truth.target, thresholds), pool(*picked), whole)


def score_all_rows(ready: Ready, wanted: Wanted, tally: Tally, times: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """(metric, row, replicate) scores under resamples of the patients, in blocks of bounded memory.

    times : (replicate, patient) how many times each patient counts; patient : (exam,) number of each exam's patient
    NaN where a score is undefined, or there is none (`rows_made`).
    """
    values = np.full((len(wanted.names), len(tally.names), len(times)), np.nan)
    for start in range(0, len(times), BLOCK):
        of_exam = np.take(times[start : start + BLOCK].astype(np.int32), patient, axis=1)
        values[:, :, start : start + BLOCK] = _block(ready, wanted, tally, of_exam)
    return values


def score_as_they_are(ready: Ready, wanted: Wanted, tally: Tally) -> np.ndarray:
    """(metric, row) scores of the exams, each counted once."""
    return _block(ready, wanted, tally, np.ones((1, tally.n_exams), np.int32))[:, :, 0]


def _block(ready: Ready, wanted: Wanted, tally: Tally, times: np.ndarray) -> np.ndarray:
    """The scores of a few resamples; times : (replicate, exam) int32."""
    values = np.full((len(wanted.names), len(tally.names), len(times)), np.nan)
    classes, micro = slice(0, tally.averages.start), tally.averages.start + AVERAGES.index("micro")
    of_class = list(wanted.of_class)
    values[of_class, classes] = score_classes(ready.ranked, list(wanted.of_class.values()), times)
    wide = times.astype(np.float64)
    positives = (wide @ ready.whole.target.astype(np.float64)).T
    undefined = (positives == 0) | (positives == wide.sum(axis=1)) | ~tally.evaluable[:, None]
    for place, metric in wanted.whole.items():
        found = metric.score_all(replace(ready.whole, times=wide))
        for row, name in enumerate(tally.names):
            if name in found:
                values[place, row] = found[name]
        values[place, classes][undefined] = np.nan
    values[:, tally.averages] = _averages(values[:, classes], positives, tally)
    values[:, micro] = np.nan
    if ready.pooled is not None:
        values[of_class, micro] = score_pooled(ready.pooled, wanted.of_class.values(), times)
    return values


def _averages(values: np.ndarray, positives: np.ndarray, tally: Tally) -> np.ndarray:
    """(metric, average, replicate) of the classes; what stands at micro is to be overwritten."""
    found = [
        weighted(values, positives, members) if name == "weighted" else macro(values, members)
        for name, members in zip(AVERAGES, tally.members, strict=True)
    ]
    return np.stack(found, axis=1)
