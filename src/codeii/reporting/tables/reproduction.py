"""Published numbers: what others report on the same tasks, and whether this study finds the same.

The mean over seeds counts as the published value where its interval lies within the margin of settings
reproduction.equivalence_margin (two one-sided tests, Schuirmann 1987), and differs where it lies outside; published
values are taken as exact. Numbers of another release, split, class count or protocol are not comparable, and say in
what; nor is anything made from synthetic data, of which no number is shown here. The file has every line.
"""

import pandas as pd

from codeii.artifacts.verdicts import CELL_COLUMNS, VERDICTS
from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import count, in_order, interval, metric_word
from codeii.reporting.study import Study

NEEDS = ("verdicts",)
SECTION = "Claims"


def rows(study: Study) -> tuple[Part, ...]:
    """How many cells have each verdict; then, folded, the lines of each task."""
    if study.verdicts is None:
        return not_run("nothing was set beside what was published", CELL_COLUMNS)
    found = study.verdicts.cells
    tasks = in_order(found["task"])
    counts = pd.crosstab(found["task"], found["verdict"]).reindex(index=tasks, columns=list(VERDICTS), fill_value=0)
    summary = pd.DataFrame({"Task": tasks} | {word: [count(value) for value in counts[word]] for word in VERDICTS})
    parts = [Part("table", summary, found)]
    parts += [Part(f"of_{task}", _lines(found[found["task"] == task]), title=task, folded=True) for task in tasks]
    return tuple(parts)


def _lines(found: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Verdict": [
                f"{word}: {why}" if why else word for word, why in zip(found["verdict"], found["why"], strict=True)
            ],
            "Published network": list(found["published_model"]),
            "Trained": [mode.replace("_", " ") for mode in found["published_mode"]],
            "Metric": [metric_word(metric) for metric in found["metric"]],
            "Published": [_number(row, "published", "published_low", "published_high") for _, row in found.iterrows()],
            "Here": [_number(row, "ours", "low", "high") for _, row in found.iterrows()],
            "Experiment": [
                ", ".join(word for word in words if word)
                for words in zip(found["experiment"], found["start"], strict=True)
            ],
            "Source": list(found["source"]),
        }
    )


def _number(row: pd.Series, value: str, low: str, high: str) -> str:
    return "" if pd.isna(row[value]) else interval(row[value], row[low], row[high])
