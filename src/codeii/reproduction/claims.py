"""A verdict for each claim of the paper, from the comparisons of its tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from codeii.artifacts.verdicts import SYNTHETIC
from codeii.reproduction.published import Claim

Row = tuple[Any, ...]
METRIC, MACRO = "auroc", "macro"
BLIND = "the labels of CODE-II-test are withheld; codeii submit writes the predictions file for it"


def claim_rows(
    claims: Sequence[Claim], tables: Mapping[str, Mapping[str, pd.DataFrame]], synthetic: set[str]
) -> list[Row]:
    """Rows of `CLAIM_COLUMNS`.

    tables : for each task its `comparisons` and `fits`; synthetic : the tasks whose data are
    """
    rows: list[Row] = []
    for claim in claims:
        verdict, why, evidence = _judged(claim, tables, synthetic)
        rows.append((verdict, why, claim.claim, claim.known_as, claim.source, evidence))
    return rows


def _judged(
    claim: Claim, tables: Mapping[str, Mapping[str, pd.DataFrame]], synthetic: set[str]
) -> tuple[str, str, str]:
    if claim.kind == "blind":
        return "not run", BLIND, ""
    there = [task for task in claim.tasks if task in tables]
    find = _differences if claim.kind == "difference" else _slopes
    found = pd.concat([find(claim, tables[task]).assign(task=task) for task in there]) if there else pd.DataFrame()
    if found.empty:
        return "not run", f"no such comparison in this study: {' '.join(claim.tasks)}", ""
    if synthetic & set(found["task"]):
        return "not comparable", SYNTHETIC, ""
    evidence = "; ".join(
        f"{row['task']}{row['of']}: {row['value']:+.3f} ({row['low']:.3f} to {row['high']:.3f})"
        for _, row in found.iterrows()
    )
    missing = set(claim.tasks) - set(there)
    if (found["high"] < 0).any():
        return "differs", "", evidence
    if (found["low"] > 0).all() and not missing:
        return "reproduced", "", evidence
    parts = [f"not run: {' '.join(sorted(missing))}"] if missing else []
    crossing = int((found["low"] <= 0).sum())
    parts += [f"undecided: {crossing} of {len(found)} intervals hold 0"] if crossing else []
    return "not comparable", "; ".join(parts), evidence


def _differences(claim: Claim, of_task: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The start of the claim minus each it is held against; the other way round where it was declared first."""
    table = of_task["comparisons"]
    table = table[(table["metric"] == METRIC) & (table["class"] == MACRO)]
    all_data = (table["fraction"] == 1) == (claim.amounts == "all")
    there = table[all_data & (table["start"] == claim.start) & table["versus"].isin(claim.versus)]
    back = table[all_data & (table["versus"] == claim.start) & table["start"].isin(claim.versus)]
    turned = back.assign(difference=-back["difference"], low=-back["high"], high=-back["low"], versus=back["start"])
    found = pd.concat([there, turned])
    return pd.DataFrame(
        {
            "value": found["difference"],
            "low": found["low"],
            "high": found["high"],
            "of": [f" against {versus}" for versus in found["versus"]],
        }
    )


def _slopes(claim: Claim, of_task: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The score gained per tenfold data."""
    table = of_task["fits"]
    rows = (table["metric"] == METRIC) & (table["class"] == MACRO) & (table["parameter"] == "per_tenfold")
    found = table[rows & (table["start"] == claim.start)]
    return found[["value", "low", "high"]].assign(of=" per tenfold data")
