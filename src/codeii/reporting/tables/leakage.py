"""Leakage: recordings and patients that are in two places, and what was done about it.

Every recording of every source was compared with every other by its signal: a copy is found although it is shifted,
cut, scaled, turned in sign, resampled or freed of its baseline, as long as the two share 2.5 s with a beat in it. A
leak stops the study unless params.yaml waives it with a reason; what only stands beside itself in one split, or in two
sources, is told and stops nothing. Ids of two sources are never taken to mean the same record or patient.
"""

from collections.abc import Iterable

import pandas as pd

from codeii.artifacts.leakage import LEAKS, NOTES, Leakage
from codeii.reporting.part import Part, not_run
from codeii.reporting.rows import count
from codeii.reporting.study import Study

NEEDS = ("leakage",)
SECTION = "Data"
MOST_NAMED = 200  # findings named in the page; the file names all
COLUMNS = ("finding", "kind", "stops", "found", "waived", "synthetic")
WORDS = {
    "patient_in_two_splits": "patient in two splits of a task",
    "recording_in_two_splits": "recording in two splits of a task",
    "pretraining_on_held_out": "pretraining data held out by the transfer task",
    "training_on_blind_test": "training data in the blind test",
    "recording_twice": "recording twice in a source, not across splits",
    "recording_in_two_sources": "recording in two sources, not across splits",
    "pretrained_by_others": "weights published by others, whose training data are not here",
}


def rows(study: Study) -> tuple[Part, ...]:
    """One line per kind of finding; what was waived and why; what is only told, by name; what was not searched."""
    if study.leakage is None:
        return not_run("nothing was searched", COLUMNS)
    found = study.leakage
    leaks = found.findings["kind"].isin(LEAKS)
    return (
        _summary(found),
        _named(found.findings[leaks], "waived", "Waived", "No leak was found, so none is waived."),
        _named(found.findings[~leaks], "told", "Told, and no reason to stop", "No recording occurs twice."),
    )


def _summary(found: Leakage) -> Part:
    kinds = found.findings["kind"]
    waived = found.findings["waived"] != ""
    lines = [
        (WORDS[kind], kind, kind in LEAKS, int((kinds == kind).sum()), int((waived & (kinds == kind)).sum()))
        for kind in (*LEAKS, *NOTES)
    ]
    values = pd.DataFrame(lines, columns=list(COLUMNS[:-1])).assign(synthetic=found.manifest.synthetic)
    shown: dict[str, Iterable[str]] = {
        "Finding": values["finding"],
        "Stops the study": values["stops"].map(lambda stops: "unless waived" if stops else "no"),
        "Found": values["found"].map(count),
        "Waived": values["waived"].map(count),
    }
    note = _searched(found)
    return Part("table", pd.DataFrame({name: list(column) for name, column in shown.items()}), values, note=note)


def _searched(found: Leakage) -> str:
    facts = found.manifest.facts
    records = facts["records"]
    text = f"{count(sum(records.values()))} recordings of {len(records)} sources were searched"
    text += f"; the signals of {count(facts['candidates'])} pairs were compared in full."
    if facts["unsearched"]:
        text += f" {count(facts['unsearched'])} recordings could not be searched: unsearched.csv names them."
    for waiver in facts["unused_waivers"]:
        where = waiver["task"] or " and ".join(waiver["records"])
        text += f" The waiver of {waiver['kind']} for {where} covers nothing."
    return text


def _named(findings: pd.DataFrame, name: str, title: str, none: str) -> Part:
    other = findings["other_source"] + "/" + findings["other_record_id"]
    shown = pd.DataFrame(
        {
            "Finding": findings["kind"].map(WORDS),
            "Record": findings["source"] + "/" + findings["record_id"],
            "Split": [f"{task} ({split})" if task else "" for task, split in _places(findings, "task", "split")],
            "Is": findings["why"],
            "Other record": other,
            "Its split": [
                f"{task} ({split})" if task else "" for task, split in _places(findings, "other_task", "other_split")
            ],
            "Reason": findings["waived"],
        }
    )
    if name == "told":
        shown = shown.drop(columns=["Split", "Its split", "Reason"])
    hidden = max(0, len(shown) - MOST_NAMED)
    note = f"{count(hidden)} more are in {name}.csv." if hidden else "" if len(shown) else none
    return Part(name, shown.head(MOST_NAMED), findings, f"{title}: {count(len(findings))}", note, folded=True)


def _places(findings: pd.DataFrame, task: str, split: str) -> Iterable[tuple[str, str]]:
    return zip(findings[task], findings[split], strict=True)
