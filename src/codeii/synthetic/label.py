"""What a source's readers write down: its statements for the findings of an exam, with what they miss and overcall."""

from collections.abc import Sequence

import numpy as np

from codeii.synthetic.draw import draw_table, is_benign
from codeii.synthetic.effects import findings
from codeii.synthetic.twin_source import LabelRow, TwinSource


def statements_of(rng: np.random.Generator, source: TwinSource, present: Sequence[str]) -> tuple[str, ...]:
    """Statements for the findings `present`, in the order of the source's table.

    A normal ECG is stated only where every finding is benign and no other statement says otherwise; sinus rhythm only
    where no other rhythm is found or stated.
    """
    uniform = rng.random(len(source.labels))
    rows = [
        row
        for row, draw in zip(source.labels, uniform, strict=True)
        if row.statement
        and (
            draw >= row.missed if row.finding in present else draw < row.overcalled and _possible(source, row, present)
        )
    ]
    stated = list(dict.fromkeys(row.statement for row in rows))
    said = {row.finding for row in rows} | set(present)
    if source.most:
        stated = stated[: source.most] or [source.when_normal]
    elif source.when_normal and all(is_benign(source, finding) for finding in said):
        stated.insert(0, source.when_normal)
    if source.when_sinus and not any(findings()[finding].slot == "rhythm" for finding in said):
        stated.append(source.when_sinus)
    if not stated and source.when_sinus:  # such a source has no record without any statement
        stated = [row.statement for row in source.labels if row.statement and row.finding in present]
    return tuple(dict.fromkeys(stated))


def _possible(source: TwinSource, row: LabelRow, present: Sequence[str]) -> bool:
    """Whether a reader may see the finding where it is not: nothing present excludes it or takes its slot."""
    table = draw_table(source.name)
    number = table.names.index(row.finding)
    others = [table.names.index(finding) for finding in present]
    same_slot = any(table.slot_of[other] == table.slot_of[number] for other in others)
    return not same_slot and bool((table.together[number][others] > 0).all())
