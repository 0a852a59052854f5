"""Writes everything that others ask of a study, from its results.json and from nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeii.artifacts.atomic import write_text
from codeii.artifacts.manifest import write_manifest
from codeii.artifacts.results import RESULTS, read_results
from codeii.documents.checklists import CHECKLISTS, checklist
from codeii.documents.crate import METADATA, carried_files, crate_metadata
from codeii.documents.croissant import croissant
from codeii.documents.model_card import cards, model_card
from codeii.documents.words import environment
from codeii.schema.results import Results

CONTENTS = "index.md"
TEXTS = {"artifact_appendix.md": "ACM artifact appendix", **{f"{name}.md": title for name, title in CHECKLISTS.items()}}


def write_documents(manifest: Path, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Write model cards, data cards, checklists, artifact appendix, crate, and a list of them, in `folder`.

    manifest : of the results. The bytes are a function of results.json: no clock and no machine has a part in them.
    """
    results = read_results(manifest)
    texts = documents_of(results)
    texts |= carried_files(results, (manifest.parent / RESULTS).read_text(encoding="utf-8"))
    texts[METADATA] = crate_metadata(results, {name: text.encode() for name, text in texts.items()})
    _remove_what_is_no_longer_made(folder, set(texts))
    for name, text in texts.items():
        write_text(folder / name, text)
    write_manifest(
        folder,
        "documents",
        files=list(texts),
        settings=settings,
        code=code,
        inputs=[manifest],
        facts={"origin": results.origin, "documents": len(texts)},
        synthetic=results.origin != "real",
    )


def _remove_what_is_no_longer_made(folder: Path, made: set[str]) -> None:
    """A card of an experiment that params.yaml no longer has would stay in the crate's folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in made:
            path.unlink()


def documents_of(results: Results) -> dict[str, str]:
    """Every document by its path below the folder, without the crate."""
    models = {f"model_cards/{card.name}.md": card for card in cards(results)}
    data = {f"croissant/{source.name}.json": source for source in results.sources}
    texts = {path: model_card(results, card) for path, card in models.items()}
    texts |= {path: as_json(croissant(results, source)) for path, source in data.items()}
    texts |= {f"{name}.md": checklist(results, name) for name in CHECKLISTS}
    texts["artifact_appendix.md"] = environment().get_template("artifact_appendix.md.j2").render(results=results)
    page = environment().get_template("index.md.j2")
    texts[CONTENTS] = page.render(results=results, models=models, data=data, texts=TEXTS, crate=METADATA)
    return texts


def as_json(value: Any) -> str:
    """JSON-LD as text, keys in the order given."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
