"""Saliency, checked: do its pictures depend on what the network has learned.

Mean size of the rank correlation between the attributions of the trained network and of one with random weights
(Adebayo et al. 2018): at or above the bound the pictures show the electrocardiogram and not the network. "Gap" is what
the attributions of a case lack of the logit they have to explain; 0 is complete.
"""

import pandas as pd

from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import count, number
from codeii.reporting.study import Study

NEEDS = ("explanations",)
SECTION = "Failures"
COLUMNS = ("experiment", "model", "start", "seed", "cases", "agreement", "bound", "passed", "largest_gap", "synthetic")


def rows(study: Study) -> tuple[Part, ...]:
    """One line for each explained run."""
    found = [one for one in study.explanations if len(one.cases)]
    if not found:
        return not_run("no run was explained, or none has a case", COLUMNS)
    values = pd.DataFrame(
        [
            (
                *(one.manifest.facts[name] for name in COLUMNS[:4]),
                *(len(one.cases), one.manifest.facts["agreement"], one.manifest.facts["bound"]),
                *(one.manifest.facts["passed"], one.cases["gap"].abs().max(), one.manifest.synthetic),
            )
            for one in found
        ],
        columns=list(COLUMNS),
    )
    shown = pd.DataFrame(
        {
            "Experiment": study.marked_column(values, "experiment"),
            "Model": list(values["model"]),
            "Start": list(values["start"]),
            "Cases": [count(value) for value in values["cases"]],
            "Correlation with random weights": [number(value) for value in values["agreement"]],
            "Bound": [number(value) for value in values["bound"]],
            "Passed": ["yes" if value else "no" for value in values["passed"]],
            "Largest gap": [number(value) for value in values["largest_gap"]],
        }
    )
    return (Part("table", shown, values),)
