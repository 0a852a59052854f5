"""Claims: what the paper says, and what this study finds of it.

Differences are of macro AUROC, paired on the same test exams and resamples; a claim is reproduced where every interval
named lies above 0 and nothing it needs was left out, and differs where one lies below. Of the paper its abstract is
known to us and no table of results, so no number of it is compared. codeii gate ends with 5 where something differs.
"""

import pandas as pd

from codeii.artifacts.verdicts import CLAIM_COLUMNS
from codeii.reporting.part import Part, not_run
from codeii.reporting.study import Study

NEEDS = ("verdicts",)
SECTION = "Claims"


def rows(study: Study) -> tuple[Part, ...]:
    """One line for each claim."""
    if study.verdicts is None:
        return not_run("nothing was set beside the paper", CLAIM_COLUMNS)
    found = study.verdicts.claims
    shown = pd.DataFrame(
        {
            "Claim": list(found["claim"]),
            "Verdict": [
                f"{word}: {why}" if why else word for word, why in zip(found["verdict"], found["why"], strict=True)
            ],
            "Evidence": list(found["evidence"]),
            "Known as": [
                f"{known}, {source}" for known, source in zip(found["known_as"], found["source"], strict=True)
            ],
        }
    )
    return (Part("table", shown, found),)
