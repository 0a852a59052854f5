"""Calibration: whether probabilities come true, and what one temperature changes.

Each start at its largest amount of training data; the ensemble where there are several seeds. The temperature divides
all logits of a run and is fitted on the validation split by log loss; scores are of the test split, over all classes
that it can judge. Above 1 the network was too sure, below 1 not sure enough. ECE is over bins of equal mass of all
classes together; differences have intervals over resampled patients. Thresholds and rankings do not change.
"""

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import amount_words, difference, number
from codeii.reporting.study import Study

NEEDS = ("analyses",)
SECTION = "Calibration"
KEYS = ["experiment", "model", "start", "fraction", "per_class", "seed", "temperature", "n_exams", "synthetic"]
ENDS = ("as_trained", "recalibrated", "difference", "low", "high")
WORDS = {"log_loss": "Log loss", "brier": "Brier", "ece": "ECE"}


def rows(study: Study) -> tuple[Part, ...]:
    """One line for each start of an experiment."""
    found = study.analysed["recalibration"]
    if found.empty:
        return not_run("no run has a class that validation and test split can judge", KEYS)
    lines = []
    for _, scores in found.groupby(KEYS, sort=False):
        by_score, of = scores.set_index("score"), scores.iloc[0]
        line = {"Experiment": study.marked(of["experiment"], bool(of["synthetic"])), "Model": of["model"]}
        line |= {"Start": of["start"], "Training data": amount_words(of["fraction"], of["per_class"])}
        line["Temperature"] = f"{of['temperature']:.2f}"
        for name, word in WORDS.items():
            before, after, change, low, high = [float(by_score[column][name]) for column in ENDS]
            line[word] = f"{number(before)} to {number(after)}"
            if name != "ece":
                line[f"{word}, change"] = difference(change, low, high)
        lines.append(line)
    return (Part("table", pd.DataFrame(lines), found.drop(columns=["protocol", "not_run"])),)
