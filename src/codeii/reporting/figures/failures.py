"""Failures: the surest mistakes, as the electrocardiograms they were made on.

Of each explained run the test records with a class that was missed most surely, and those without one that was called
most surely; each record once. Above each tracing the class, its probability and threshold, and what is true.
As recorded, before any preprocessing; 25 mm/s and 10 mm/mV at full size. A label can be wrong too. For research only.
"""

import numpy as np

from codeii.artifacts.explanations import Explanations
from codeii.artifacts.record_store import RecordStore
from codeii.reporting.ecg_picture import ecg_pixels, ecg_svg
from codeii.reporting.figures.example_ecgs import png_of, stacked
from codeii.reporting.study import Study
from codeii.reporting.style import Picture, not_run

NEEDS = ("records", "explanations")
SECTION = "Failures"
MOST = 4  # pictures


def draw(study: Study) -> Picture:
    """Pictures one below the other, runs in turn."""
    drawings = [
        drawing
        for found in study.explanations
        if (store := study.records.get(found.manifest.facts["source"])) is not None
        for drawing in _of_run(found, store)
    ]
    by_run = sorted(drawings, key=lambda drawing: drawing[3])[:MOST]
    if not by_run:
        return not_run("no mistake of an explained run is at hand", study.warning)
    plain = [drawing[:3] for drawing in by_run]
    return Picture(stacked([ecg_svg(*drawing) for drawing in plain]), png_of([ecg_pixels(*one) for one in plain]))


def _of_run(found: Explanations, store: RecordStore) -> list[tuple[np.ndarray, int, str, int]]:
    """Signal, rate, title and place among its kind of each mistake."""
    mistakes = found.cases[found.cases["kind"] != "called rightly"].drop_duplicates("record_id")
    places = mistakes.groupby("kind").cumcount()
    rows = {record_id: row for row, record_id in enumerate(store.records["record_id"])}
    origin = ("SYNTHETIC DATA",) if found.manifest.synthetic else ()
    drawn = []
    for (_, case), place in zip(mistakes.iterrows(), places, strict=True):
        if case["record_id"] not in rows:
            continue
        row = rows[case["record_id"]]
        answer = f"{case['class']} {case['kind']}: {case['probability']:.3f}, threshold {case['threshold']:.3f}"
        words = (*origin, found.manifest.facts["experiment"], f"record {case['record_id']}", answer)
        title = " · ".join((*words, f"true: {case['true'] or 'none'}"))
        drawn.append((store.signal(row), int(store.records["rate_hz"].to_numpy()[row]), title, int(place)))
    return drawn
