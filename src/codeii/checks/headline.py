"""The headline table of a finished study, for the terminal."""

from pathlib import Path

import pandas as pd

from codeii.artifacts.manifest import read_manifest

SHOWN = ("experiment", "start", "auroc", "low", "high", "n_classes", "n_exams")


def headline_text(published: Path) -> str:
    """The table as text, with what kind of data it rests on, and the path of the report.

    Raises IntegrityError where the study has no finished report.
    """
    read_manifest(published / "manifest.json", "report")
    manifest = read_manifest(published / "tables/headline/manifest.json", "table")
    table = pd.read_csv(published / "tables/headline/table.csv")[list(SHOWN)]
    lines = [table.to_string(index=False, float_format=lambda value: f"{value:.3f}")]
    if manifest.synthetic:
        lines.append("SYNTHETIC DATA: these numbers say nothing about the paper.")
    return "\n".join([*lines, f"Report: {published / 'report.html'}"])
