"""The report: one page that needs no network and no script, and the headline numbers beside it for other programs."""

import csv
import math
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from codeii.artifacts.atomic import write_json, write_text
from codeii.artifacts.manifest import Manifest, environment, load_manifest, read_manifest, sha256_of, write_manifest
from codeii.reporting.build import CAPTION, FIGURE_PNG, FIGURE_SVG, TABLE_HTML
from codeii.reporting.limits import limits
from codeii.reporting.part import TEMPLATES
from codeii.reporting.part import environment as templates
from codeii.reporting.rows import amount_words
from codeii.reporting.study import WARNINGS, Inputs, Origin, named, origin_of
from codeii.schema.needs import MADE_BY

REPORT, METRICS = "report.html", "metrics.json"
SECTIONS = (
    *("Claims", "Results", "Transfer", "Fewer labels", "Pretraining", "Comparisons", "Classes"),
    *("Calibration", "Subgroups", "Failures", "Data", "Runs"),
)
SCRIPTS = ("report.js", "calipers.js")
LARGEST_SVG = 700_000  # bytes; a larger figure goes into the page as its PNG where that is smaller
SHORT = 12  # hex digits of a hash that are shown


@dataclass(frozen=True, slots=True)
class Shown:
    """A table or figure as it goes into the page."""

    name: str
    section: str
    html: str
    image: str  # data URI; "" for a table
    title: str
    paper_mm: float = 0.0  # width of a picture drawn to scale on millimetre paper; 0 of any other


def make_report(inputs: Inputs, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Write `report.html`, `metrics.json` and the manifest in `folder`.

    inputs : tables and figures in the order they are shown, each file verified before it is; and the manifests that
        data cards, citations and provenance are taken from.
    settings : params.yaml as a mapping (`study`, `sources`, `experiments`, `evaluation`, ...), and under `not_run` a
        sentence for each part of it that wants data or weights and for what to set.
    """
    made = [(path, read_manifest(path, "table")) for path in inputs.tables]
    drawn = [(path, read_manifest(path, "figure")) for path in inputs.figures]
    behind = _behind(inputs)
    origin = _origin([manifest for _, manifest in behind], [manifest for _, manifest in (*made, *drawn)])
    shown = [_table(path, manifest) for path, manifest in made] + [_figure(path, manifest) for path, manifest in drawn]
    provenance = [_provenance(path, manifest) for path, manifest in (*made, *drawn, *behind)]
    write_text(folder / REPORT, _page(shown, behind, provenance, WARNINGS[origin], settings, code))
    write_json(folder / METRICS, headline_numbers([path.parent / "table.csv" for path, _ in made]))
    write_manifest(
        folder,
        "report",
        files=[REPORT, METRICS],
        settings=settings,
        code=code,
        inputs=inputs.paths(),
        facts={"origin": origin, "tables": len(made), "figures": len(drawn)},
        synthetic=origin != "real",
    )


def _page(
    shown: Sequence[Shown],
    behind: Sequence[tuple[Path, Manifest]],
    provenance: Sequence[dict[str, Any]],
    warning: str,
    settings: Mapping[str, Any],
    code: str,
) -> str:
    """The page as HTML; every value but the finished fragments is escaped on the way in."""
    template = templates().get_template("report.html.j2")
    script = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return template.render(
        title=settings["study"],
        warning=warning,
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
        sections=sections(shown),
        first=SECTIONS[0],  # before everything else
        limits=limits(settings, warning),
        sources=[_source(manifest) for _, manifest in behind if manifest.kind == "records"],
        runs=_runs_in_words(behind),
        not_run=not_run_experiments(settings),
        awaited=settings.get("not_run", []),
        level=100 * settings["evaluation"]["level"],
        replicates=settings["evaluation"]["replicates"],
        provenance=provenance,
        environment=environment(),
        code=code,
        settings=yaml.safe_dump(_as_declared(settings), sort_keys=False, allow_unicode=True, width=110),
    )


def _as_declared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """params.yaml alone, without what was concluded from it."""
    return {key: value for key, value in settings.items() if key != "not_run"}


def headline_numbers(files: Sequence[Path]) -> dict[str, float]:
    """Macro AUROC and its interval of each line of the headline table, under dotted names; without it, nothing."""
    numbers: dict[str, float] = {}
    for path in files:
        if path.parent.name != "headline":
            continue
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                key = ".".join(row[name] for name in ("experiment", "model", "start"))
                values = {name: float(row[name] or "nan") for name in ("auroc", "low", "high")}
                numbers |= {f"{key}.{name}": value for name, value in values.items() if math.isfinite(value)}
    return numbers


def sections(shown: Sequence[Shown]) -> list[tuple[str, list[Shown]]]:
    """Tables and figures by section: the known sections in their order, then any others in order of appearance."""
    names = dict.fromkeys([*SECTIONS, *(item.section for item in shown)])
    grouped = [(name, [item for item in shown if item.section == name]) for name in names]
    return [(name, items) for name, items in grouped if items]


def not_run_experiments(settings: Mapping[str, Any]) -> list[str]:
    """Experiments that params.yaml declares and `run.experiments` leaves out, and that no chosen one starts from."""
    experiments, starts = settings["experiments"], settings.get("starts", {})
    chosen = set((settings.get("run") or {}).get("experiments") or experiments)
    given = {starts[start]["init"] for name in chosen for start in experiments[name]["starts"] if start in starts}
    return [name for name in experiments if name not in chosen | given]


def _behind(inputs: Inputs) -> list[tuple[Path, Manifest]]:
    return [(path, load_manifest(path, kind)) for need, (_, kind) in MADE_BY.items() for path in getattr(inputs, need)]


def _origin(behind: Sequence[Manifest], parts: Sequence[Manifest]) -> Origin:
    """What the page says of its data: that of the artefacts behind it, and of the tables and figures on it."""
    flags = {manifest.synthetic for manifest in behind}
    for manifest in parts:
        flags |= {"synthetic": {True}, "real": {False}, "mixed": {True, False}}[manifest.facts["origin"]]
    return origin_of(flags)


def _table(path: Path, manifest: Manifest) -> Shown:
    html = (path.parent / TABLE_HTML).read_text(encoding="utf-8")
    facts = manifest.facts
    return Shown(facts["name"], facts["section"], html, "", facts["title"])


def _figure(path: Path, manifest: Manifest) -> Shown:
    facts = manifest.facts
    caption = (path.parent / CAPTION).read_text(encoding="utf-8")
    picture = image_uri(path.parent), facts["title"], paper_mm(path.parent)
    return Shown(facts["name"], facts["section"], caption, *picture)


def paper_mm(folder: Path) -> float:
    """Width in millimetres of a figure whose SVG is drawn to scale, as tracings are; 0 of any other."""
    with (folder / FIGURE_SVG).open(encoding="utf-8") as file:
        found = re.search(r'<svg [^>]*width="([\d.]+)mm"', file.read(1000))
    return float(found[1]) if found else 0.0


def image_uri(folder: Path) -> str:
    """A figure as a data URI: its SVG, or its PNG where the SVG is large and the PNG smaller."""
    svg, png = folder / FIGURE_SVG, folder / FIGURE_PNG
    sizes = svg.stat().st_size, png.stat().st_size
    if sizes[0] > LARGEST_SVG and sizes[1] < sizes[0]:
        return f"data:image/png;base64,{b64encode(png.read_bytes()).decode()}"
    return f"data:image/svg+xml;base64,{b64encode(svg.read_bytes()).decode()}"


def _source(manifest: Manifest) -> dict[str, Any]:
    """A source as the page shows it: its data card, how many records were read, and where they came from."""
    card = manifest.facts.get("card", {})
    doi = str(card.get("doi", ""))
    return {
        "name": named(manifest, "source"),
        "card": card,
        "records": manifest.facts["records"],
        "patients": manifest.facts["patients"],
        "synthetic": manifest.synthetic,
        "doi_link": f"https://doi.org/{doi}" if doi.startswith("10.") else "",
    }


def _runs_in_words(behind: Sequence[tuple[Path, Manifest]]) -> list[dict[str, Any]]:
    """For each experiment that was run: its task, and how many models, starts, amounts of data and seeds it has."""
    experiments: dict[str, list[Mapping[str, Any]]] = {}
    for _, manifest in behind:
        if manifest.kind == "checkpoint":
            experiments.setdefault(manifest.settings["experiment"], []).append(manifest.settings)
    return [
        {
            "name": name,
            "task": runs[0]["task"],
            **{word: list(dict.fromkeys(run[word] for run in runs)) for word in ("model", "start", "seed")},
            "amounts": [
                amount_words(*amount) for amount in sorted({(run["fraction"], run["per_class"]) for run in runs})
            ],
            "runs": len(runs),
        }
        for name, runs in experiments.items()
    ]


def _provenance(path: Path, manifest: Manifest) -> dict[str, Any]:
    """Where a file comes from: manifest and hash, code, environment, and the inputs with the hashes they had."""
    return {
        "path": path.as_posix(),
        "kind": manifest.kind,
        "sha256": sha256_of(path)[:SHORT],
        "code": manifest.code,
        "data": "synthetic" if manifest.synthetic else "real",
        "environment": f"Python {manifest.environment['python']}, lock {manifest.environment['lock'][:SHORT]}",
        "inputs": [f"{name} {digest[:SHORT]}" for name, digest in sorted(manifest.inputs.items())],
    }
