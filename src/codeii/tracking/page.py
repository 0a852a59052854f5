"""The page of a study in MLflow: a run of its own beside the parents, with the page, its tables and figures."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codeii.artifacts.atomic import write_json
from codeii.artifacts.manifest import Manifest, read_manifest, sha256_of, write_manifest
from codeii.tracking.run import PATIENCE_S
from codeii.tracking.runs import FINGERPRINT, newest
from codeii.tracking.store import Store, alone, open_store, patiently

NAME = "the page"  # of the run
PAGE, METRICS = "report.html", "metrics.json"


def track_page(
    report: Path,
    parts: Sequence[Path],
    settings: Mapping[str, Any],
    code: str,
    folder: Path,
    seconds: float = PATIENCE_S,
) -> None:
    """Log the finished page once, with the headline numbers as metrics; a changed page is another run.

    report : manifest of the report; parts : manifests of its tables and figures; settings : uri, study
    A store that cannot be had within `seconds` is told of on standard error and fails no job.
    """
    manifest = read_manifest(report, "report")
    run, said = patiently(lambda: _mirror(report, manifest, parts, settings, folder.parent), seconds)
    facts: dict[str, Any] = {"logged": run is not None}
    if run is None:
        facts["not_logged"] = said
        again = "snakemake --cores all --forcerun track_page"
        print(f"the page is not in the tracking store: {said}; log it later: {again}", file=sys.stderr)
    write_json(folder / "tracked.json", facts)
    inputs, synthetic = [report, *parts], manifest.synthetic
    made: dict[str, Any] = {"settings": settings, "code": code, "facts": facts, "synthetic": synthetic}
    write_manifest(folder, "tracking", files=["tracked.json"], inputs=inputs, **made)


def _mirror(report: Path, manifest: Manifest, parts: Sequence[Path], settings: Mapping[str, Any], folder: Path) -> str:
    """Log everything; the page that is there already stays as it is. Returns the id of its run."""
    store = open_store(settings["uri"], settings["study"], folder)
    fingerprint = sha256_of(report)
    with alone(folder):
        if known := newest(store, FINGERPRINT, fingerprint):
            run_id = str(known[0].info.run_id)
            if known[0].info.status == "FINISHED":
                return run_id
        else:
            tags = {FINGERPRINT: fingerprint, "codeii.synthetic": str(manifest.synthetic).lower()}
            run_id = str(store.client.create_run(store.experiment_id, run_name=NAME, tags=tags).info.run_id)
    _log(store, run_id, report, parts)
    store.client.set_terminated(run_id, "FINISHED")
    return run_id


def _log(store: Store, run_id: str, report: Path, parts: Sequence[Path]) -> None:
    client = store.client
    client.log_artifact(run_id, str(report.parent / PAGE))
    for path in parts:
        kind = path.parents[1].name  # tables or figures
        for file in read_manifest(path, kind.removesuffix("s")).files:
            if file.endswith((".csv", ".png")):
                client.log_artifact(run_id, str(path.parent / file), f"{kind}/{path.parent.name}")
    for name, value in json.loads((report.parent / METRICS).read_text(encoding="utf-8")).items():
        client.log_metric(run_id, name, value)
