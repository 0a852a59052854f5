"""Door of the verdicts: each of our cells beside what was published, and the paper's claims.

A number made from synthetic data never passes this door beside a published one: such a cell has no value of ours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codeii.artifacts.atomic import whole_file
from codeii.artifacts.manifest import Manifest, read_manifest, write_manifest

VERDICTS = ("reproduced", "differs", "not comparable", "not run")
SYNTHETIC = "synthetic"
CELL_COLUMNS = (
    *("verdict", "why", "task", "metric", "experiment", "model", "start", "protocol"),
    *("ours", "low", "high", "n_seeds", "n_classes", "synthetic"),
    *("published_model", "published_mode", "published", "published_low", "published_high", "published_interval"),
    *("published_protocol", "source", "known_as"),
)
CLAIM_COLUMNS = ("verdict", "why", "claim", "known_as", "source", "evidence")
NUMBERS = ("ours", "low", "high", "published", "published_low", "published_high")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Tables with `CELL_COLUMNS` and `CLAIM_COLUMNS`."""

    manifest: Manifest
    cells: pd.DataFrame
    claims: pd.DataFrame


def write_verdicts(
    folder: Path,
    cells: pd.DataFrame,
    claims: pd.DataFrame,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
    facts: Mapping[str, Any],
    synthetic: bool,
) -> Path:
    """Write both tables with full precision. Returns the manifest's path."""
    _check(cells, claims)
    for name, table in (("cells", cells), ("claims", claims)):
        with whole_file(folder / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    counts = {
        name: {word: int((table["verdict"] == word).sum()) for word in VERDICTS}
        for name, table in (("cells", cells), ("claims", claims))
    }
    return write_manifest(
        folder,
        "verdicts",
        files=["cells.csv", "claims.csv"],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**facts, "verdicts": counts},
        synthetic=synthetic,
    )


def read_verdicts(manifest_path: Path) -> Verdicts:
    """Verify and read the verdicts."""
    manifest = read_manifest(manifest_path, "verdicts")
    numbers = {column: [""] for column in (*NUMBERS, "n_seeds", "n_classes")}
    tables = [
        pd.read_csv(manifest_path.parent / f"{name}.csv", keep_default_na=False, na_values=numbers)
        for name in ("cells", "claims")
    ]
    _check(*tables)
    return Verdicts(manifest, *tables)


def _check(cells: pd.DataFrame, claims: pd.DataFrame) -> None:
    for table, columns in ((cells, CELL_COLUMNS), (claims, CLAIM_COLUMNS)):
        if tuple(table.columns) != columns:
            raise ValueError(f"verdicts have columns {list(table.columns)}, expected {list(columns)}")
        if odd := set(table["verdict"]) - set(VERDICTS):
            raise ValueError(f"verdict {sorted(odd)[0]!r} is none of {', '.join(VERDICTS)}")
        unsaid = table["verdict"].isin(VERDICTS[2:]) & (table["why"] == "")
        if unsaid.any():
            raise ValueError(f"a verdict says {table['verdict'][unsaid].iat[0]} and not why")
    made_up = cells["synthetic"].astype(bool)
    if cells.loc[made_up, ["ours", "low", "high"]].notna().any(axis=None):
        raise ValueError("a synthetic number stands beside a published one")
    if not cells.loc[made_up, "verdict"].isin(VERDICTS[2:]).all():
        raise ValueError("a synthetic number is called comparable")
    decided = cells[cells["verdict"].isin(VERDICTS[:2])]
    if decided[["ours", "published"]].isna().any(axis=None):
        raise ValueError("a verdict was given without both numbers")
