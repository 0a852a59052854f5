"""Examples: tracings as they were read, before any preprocessing, on millimetre paper.

25 mm/s and 10 mm/mV at full size; four columns of three leads, lead II below. Each picture is the first record of a
source with the statement it is shown for: the most frequent statement of the first source, the second most frequent of
the next, and so on. For research only; a source's licence applies to its tracings.
"""

import re
from collections import Counter
from io import BytesIO

import numpy as np

from codeii.artifacts.record_store import RecordStore
from codeii.reporting.ecg_picture import NO_SOFTWARE, ecg_pixels, ecg_svg
from codeii.reporting.study import Study
from codeii.reporting.style import Picture, not_run

NEEDS = ("records",)
SECTION = "Data"
PICTURES = 4


def draw(study: Study) -> Picture:
    """Pictures one below the other, as one SVG and one PNG."""
    stores = {name: store for name, store in study.records.items() if len(store.records)}
    if not stores:
        return not_run("no record was read", study.warning)
    chosen = dict.fromkeys(_chosen(stores))
    drawings = [_drawing(study, stores[name], name, statement, row) for name, statement, row in chosen]
    svg = stacked([ecg_svg(*drawing) for drawing in drawings])
    return Picture(svg, png_of([ecg_pixels(*drawing) for drawing in drawings]))


def _chosen(stores: dict[str, RecordStore]) -> list[tuple[str, str, int]]:
    """(source, statement, row) of each picture."""
    names = list(stores)
    found = {name: first_with_each_statement(stores[name]) for name in names}
    chosen = []
    for number in range(PICTURES):
        name = names[number % len(names)]
        ranked = found[name]
        statement, row = ranked[number % len(ranked)]
        chosen.append((name, statement, row))
    return chosen


def first_with_each_statement(store: RecordStore) -> list[tuple[str, int]]:
    """(statement, first row that has it), most frequent statement first, equals in order of name.

    A store in which no record has a statement gives its first row, under an empty statement.
    """
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for row, statements in enumerate(store.statements()):
        counts.update(list(statements))  # a mapping would add up its likelihoods
        for statement in statements:
            first.setdefault(statement, row)
    ranked = sorted(counts, key=lambda statement: (-counts[statement], statement))
    return [(statement, first[statement]) for statement in ranked] or [("", 0)]


def _drawing(study: Study, store: RecordStore, name: str, statement: str, row: int) -> tuple[np.ndarray, int, str]:
    record = store.records.iloc[row]
    rate_hz = int(record["rate_hz"])
    origin = "SYNTHETIC DATA" if store.manifest.synthetic else ""
    parts = [origin, name, f"record {record['record_id']}", statement and f"statement {statement}", f"{rate_hz} Hz"]
    return store.signal(row), rate_hz, " · ".join(part for part in parts if part)


def stacked(svgs: list[str]) -> str:
    """One SVG with the given ones below one another, each at its own size in millimetres."""
    sizes = [tuple(map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])) for svg in svgs]
    width, height = max(size[0] for size in sizes), sum(size[1] for size in sizes)
    inner, y = [], 0.0
    for svg, (across, down) in zip(svgs, sizes, strict=True):
        box = f'x="0" y="{y:g}" width="{across:g}" height="{down:g}" viewBox="0 0 {across:g} {down:g}"'
        inner.append(re.sub(r"^<svg [^>]*>", f'<svg {box} overflow="visible">', svg, count=1))
        y += down
    head = f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}>{"".join(inner)}</svg>\n'


def png_of(pictures: list[np.ndarray]) -> bytes:
    """One PNG with the given pictures below one another, on white."""
    from matplotlib.image import imsave

    width = max(picture.shape[1] for picture in pictures)
    padded = [
        np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=255) for picture in pictures
    ]
    file = BytesIO()
    imsave(file, np.concatenate(padded), format="png", metadata=NO_SOFTWARE)
    return file.getvalue()
