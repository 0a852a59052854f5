"""The verdicts of a finished study in words, for the terminal and for a pipeline that must stop on a difference."""

from pathlib import Path

import pandas as pd

from codeii.artifacts.verdicts import VERDICTS, read_verdicts

DIFFERS = 5  # exit code


def gate(results: Path) -> tuple[str, bool]:
    """What is printed, and whether something differs. Raises IntegrityError where there are no verdicts."""
    found = read_verdicts(results / "verdicts/manifest.json")
    lines = ["claims of the paper:"]
    lines += [f"  {word:<15}{claim}{_why(why)}" for word, why, claim in _columns(found.claims, "claim")]
    differing = found.cells[found.cells["verdict"] == "differs"]
    counts = found.cells["verdict"].value_counts()
    lines.append("published numbers: " + ", ".join(f"{int(counts.get(word, 0))} {word}" for word in VERDICTS))
    lines += [
        f"  differs: {row.task} {row.metric}, {row.model} {row.start}: {row.ours:.3f} ({row.low:.3f}-{row.high:.3f}), "
        f"published {row.published:.3f} ({row.source})"
        for row in differing.itertuples()
    ]
    lines.append(f"Every cell: {results / 'verdicts/cells.csv'}")
    return "\n".join(lines), bool(len(differing)) or bool((found.claims["verdict"] == "differs").any())


def _columns(table: pd.DataFrame, name: str) -> list[tuple[str, str, str]]:
    return list(zip(table["verdict"], table["why"], table[name], strict=True))


def _why(why: str) -> str:
    return f" ({why})" if why else ""
