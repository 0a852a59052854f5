"""Door of the events of a run: one JSON line each, in its scratch folder, for whoever looks on while it runs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

EVENTS = "events.jsonl"


def append(folder: Path, event: str, **facts: object) -> None:
    """Add a line with the time and flush it. A line that cannot be written is left out: no run ends over its log."""
    line = json.dumps({"time": datetime.now(UTC).isoformat(), "event": event, **facts}, default=str)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / EVENTS).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError:
        return


def read(folder: Path) -> list[dict[str, Any]]:
    """All lines that are whole, in the order written; none where there is no file."""
    path, found = folder / EVENTS, []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:  # what a killed writer left
            continue
    return found
