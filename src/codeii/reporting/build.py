"""Makes one table or one figure from the manifests it needs, with its caption and its own manifest."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from codeii.artifacts.atomic import whole_file, write_text
from codeii.artifacts.manifest import write_manifest
from codeii.reporting.part import caption_html, table_html, title_and_caption
from codeii.reporting.study import Inputs, Study, read_study

TABLE_HTML, FIGURE_SVG, FIGURE_PNG, CAPTION = "table.html", "figure.svg", "figure.png", "caption.html"


def make_table(name: str, inputs: Inputs, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Make `tables/<name>.py` from what it `NEEDS`: `table.csv` (and a file per further part) and `table.html`.

    settings : `level`, the coverage of the intervals, and `not_run`, what wants data or weights (see `read_study`);
        written to the manifest with everything else.
    """
    module = import_module(f"codeii.reporting.tables.{name}")
    given = inputs.only(module.NEEDS)
    study = read_study(given, settings.get("not_run"))
    parts = module.rows(study)
    files = []
    for part in parts:
        if part.values is not None:
            files.append(f"{part.name}.csv")
            write_text(folder / files[-1], part.values.to_csv(index=False, lineterminator="\n"))
    caption = _caption(module.__doc__, module.NEEDS, settings, study)
    write_text(folder / TABLE_HTML, table_html(parts, name, caption, study.warning))
    facts = _facts(name, module.SECTION, caption, study)
    _write(folder, "table", [*files, TABLE_HTML], settings, code, given, facts)


def make_figure(name: str, inputs: Inputs, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Make `figures/<name>.py` from what it `NEEDS`: `figure.svg`, `figure.png` at twice screen size, `caption.html`.

    settings : as for `make_table`.
    """
    from codeii.reporting.style import in_style

    module = import_module(f"codeii.reporting.figures.{name}")
    given = inputs.only(module.NEEDS)
    study = read_study(given, settings.get("not_run"))
    with in_style():
        picture = module.draw(study)
    write_text(folder / FIGURE_SVG, picture.svg)
    with whole_file(folder / FIGURE_PNG) as temporary:
        temporary.write_bytes(picture.png)
    caption = _caption(module.__doc__, module.NEEDS, settings, study)
    write_text(folder / CAPTION, caption_html(caption, study.warning))
    facts = _facts(name, module.SECTION, caption, study)
    _write(folder, "figure", [FIGURE_SVG, FIGURE_PNG, CAPTION], settings, code, given, facts)


def _caption(docstring: str | None, needs: tuple[str, ...], settings: Mapping[str, Any], study: Study) -> str:
    """The docstring, and where the scores are shown what an interval is, what was not run, whose weights."""
    text = (docstring or "").strip()
    if "scores" not in needs:
        return text
    text += f"\n\nIntervals cover {100 * settings['level']:g} %, by resampling the patients of the test split."
    return "\n\n".join(said for said in (f"{text} {study.not_run.words}".strip(), study.weights) if said)


def _facts(name: str, section: str, caption: str, study: Study) -> dict[str, Any]:
    return {"name": name, "section": section, "title": title_and_caption(caption)[0], "origin": study.origin}


def _write(
    folder: Path,
    kind: str,
    files: list[str],
    settings: Mapping[str, Any],
    code: str,
    given: Inputs,
    facts: dict[str, Any],
) -> None:
    write_manifest(
        folder,
        kind,
        files=files,
        settings=settings,
        code=code,
        inputs=given.paths(),
        facts=facts,
        synthetic=facts["origin"] != "real",
    )
