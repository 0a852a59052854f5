"""Door of results.json: everything a study found, in one file whose shape is `config/results.schema.json`."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codeii.artifacts.atomic import write_text
from codeii.artifacts.manifest import IntegrityError, read_manifest, write_manifest
from codeii.schema.results import Results

RESULTS = "results.json"


def write_results(
    folder: Path,
    results: Results,
    *,
    settings: Mapping[str, Any],
    code: str,
    inputs: Iterable[Path],
) -> Path:
    """Write `results.json`, one line a block, keys sorted within it. Returns the manifest's path.

    Raises ValueError where a number is not finite: what is not defined is null.
    """
    write_text(folder / RESULTS, as_json(results))
    return write_manifest(
        folder,
        "results",
        files=[RESULTS],
        settings=settings,
        code=code,
        inputs=inputs,
        facts={**results.counts, "origin": results.origin},
        synthetic=results.origin != "real",
    )


def as_json(results: Results) -> str:
    """The file's text: the same results, the same bytes."""
    lines = (
        f"{json.dumps(name)}: {json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)}"
        for name, value in results.model_dump(mode="python").items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_results(manifest_path: Path) -> Results:
    """Verify and read. Raises IntegrityError naming the field that is not as the schema says."""
    read_manifest(manifest_path, "results")
    path = manifest_path.parent / RESULTS
    try:
        return Results.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        found = str(first["input"])[:80]
        raise IntegrityError(f"{path}: {field}: {first['msg']}, found {found}; run the study again") from None
