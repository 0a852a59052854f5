"""What the page cannot say, in sentences made from its settings."""

from collections.abc import Mapping
from typing import Any

FEW_SEEDS, FEW_RESAMPLES = 3, 1000
STANDING = (
    "Intervals are over test patients. A difference that is more than chance there may still be one of this training, "
    "this split or these labels.",
    "Thresholds are chosen on the validation split of the same source: elsewhere they may not hold.",
    "Networks are compared with one recipe each, not each at its best.",
)


def limits(settings: Mapping[str, Any], warning: str) -> list[str]:
    """Sentences for the section of limits; settings : params.yaml as a mapping, and what was not run."""
    experiments = settings["experiments"]
    chosen = (settings.get("run") or {}).get("experiments") or list(experiments)
    few = [name for name in chosen if len(experiments[name].get("seeds") or [0]) < FEW_SEEDS]
    replicates = settings["evaluation"]["replicates"]
    said = [f"{warning}. They show that the study runs, and how its results would be read."] if warning else []
    said.append("No table of results of the CODE-II paper is public to us: its claims are judged, not numbers.")
    if few:
        names = f"{', '.join(few[:4])}{' and others' if len(few) > 4 else ''}"
        said.append(
            f"{len(few)} experiments have fewer than {FEW_SEEDS} seeds ({names}): how far another training would move "
            "them is not known."
        )
    if 0 < replicates < FEW_RESAMPLES:
        smallest = 2 / (1 + replicates)
        said.append(f"Intervals rest on {replicates} resamples: no p value is below {smallest:.2g}.")
    said += STANDING
    if settings.get("not_run"):
        said.append(f"{len(settings['not_run'])} declared parts were not run; they are named under What was run.")
    return said
