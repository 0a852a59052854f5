"""Checklists of venues and reporting guidelines: items by number, in our own short words.

Each checklist is a CSV of `templates/`: `item` (its number there), `asks` (ours), `answered` and `answer`. An item is
answered by the study, left for the authors, or not applicable with the reason. Answers are templates that see the
results and nothing else.
"""

import csv
from dataclasses import dataclass

from markupsafe import Markup

from codeii.documents.words import TEMPLATES, environment
from codeii.schema.results import Results

CHECKLISTS = {"neurips_checklist": "NeurIPS paper checklist", "tripod_ai": "TRIPOD+AI checklist"}
SOURCES = {
    "neurips_checklist": "numbers as in the NeurIPS paper checklist of 2025",
    "tripod_ai": "numbers as in TRIPOD+AI, BMJ 2024;385:e078378",
}
ANSWERED = {"study": "Answered by the study", "authors": "For the authors", "not applicable": "Not applicable"}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist."""

    item: str
    asks: str
    answered: str  # one of ANSWERED
    answer: str  # a template


def items(name: str) -> list[Item]:
    """The lines of `templates/<name>.csv`. Raises ValueError on a line that says neither who answers nor why not."""
    with (TEMPLATES / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        found = [Item(**row) for row in csv.DictReader(file)]
    for line in found:
        if line.answered not in ANSWERED or not line.answer or not line.asks:
            raise ValueError(f"{name}.csv: item {line.item}: answered is {line.answered!r}, answer {line.answer!r}")
    return found


def checklist(results: Results, name: str) -> str:
    """A checklist as Markdown."""
    made = environment()
    answers = {line.item: Markup(made.from_string(line.answer).render(results=results)) for line in items(name)}
    lines = [(line, ANSWERED[line.answered], answers[line.item]) for line in items(name)]
    counts = {words: sum(found == words for _, found, _ in lines) for words in ANSWERED.values()}
    template = made.get_template("checklist.md.j2")
    return template.render(results=results, title=CHECKLISTS[name], since=SOURCES[name], lines=lines, counts=counts)
