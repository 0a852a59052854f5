"""Who is in the data: age and sex of the records of each source.

Bars count records by ten years of age, women to the left and men to the right. Records of unknown age or sex are
counted below and are in no bar.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from codeii.reporting.rows import count
from codeii.reporting.study import Study
from codeii.reporting.style import COLOURS, FAINT, Picture, not_run, panels, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDS = ("records",)
SECTION = "Data"
DECADES = np.arange(0, 110, 10)
OF_SEX = {"female": (-1, COLOURS[1]), "male": (1, COLOURS[0])}


def draw(study: Study) -> Picture:
    """Small multiples, three in a row."""
    stores = {name: store for name, store in study.records.items() if len(store.records)}
    if not stores:
        return not_run("no record was read", study.warning)
    figure, axes = panels(len(stores), 3, 2.6)
    for panel, (name, store) in zip(axes, stores.items(), strict=True):
        patients = store.records["patient_id"].nunique()
        title = study.marked(name, store.manifest.synthetic)
        panel.set_title(f"{title}\n{count(len(store.records))} records, {count(patients)} patients", fontsize=8.5)
        _draw_panel(panel, store.records)
    figure.supylabel("age, years", fontsize=9)
    return picture(figure, study.warning)


def by_decade(records: pd.DataFrame, sex: str) -> np.ndarray:
    """Number of records of one sex in each decade of `DECADES`; ages above the last count in the last."""
    ages = records["age_years"][(records["sex"] == sex) & records["age_years"].notna()].to_numpy(np.float64)
    counts, _ = np.histogram(np.clip(ages, 0, DECADES[-1] + 9), np.append(DECADES, DECADES[-1] + 10))
    return counts


def _draw_panel(axes: "Axes", records: pd.DataFrame) -> None:
    largest = 1
    for sex, (side, colour) in OF_SEX.items():
        counts = by_decade(records, sex)
        largest = max(largest, int(counts.max()))
        axes.barh(DECADES + 5, side * counts, height=8.6, color=colour)
        total = int((records["sex"] == sex).sum())
        anchor = "left" if side < 0 else "right"
        where = (0.0 if side < 0 else 1.0, 0.985)
        axes.annotate(
            f"{sex} {count(total)}", where, xycoords="axes fraction", ha=anchor, va="top", fontsize=8, color=colour
        )
    axes.set_xlim(-1.08 * largest, 1.08 * largest)
    axes.set_ylim(0, DECADES[-1] + 24)
    axes.set_yticks(DECADES[::2])
    axes.set_xticks([-largest, 0, largest], [count(largest), "0", count(largest)])
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.grid(axis="y", visible=False)
    unknown = records["age_years"].isna() | (records["sex"] == "unknown")
    axes.set_xlabel(f"records; {count(int(unknown.sum()))} of unknown age or sex", fontsize=8)
