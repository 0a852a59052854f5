"""The study as an RO-Crate 1.1 of the profile Process Run Crate: what ran, on what, with which results.

The crate is the folder of the documents itself, with the workflow, its settings, results.json, licence and citation
beside them. It has no `datePublished` unless CITATION.cff has a `date-released`, and no times of the run: the same
results have the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from codeii.documents.project import LICENCE, project_file
from codeii.schema.results import Results, Source

METADATA = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CARRIED = "crate"
WORKFLOW, SETTINGS = f"{CARRIED}/Snakefile", f"{CARRIED}/params.yaml"
FORMATS = {".md": "text/markdown", ".json": "application/json", ".yaml": "text/yaml", ".cff": "text/yaml"}
ABOUT = "Results of a study of electrocardiograms, and the documents made from them; for research only."
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"


def carried_files(results: Results, results_json: str) -> dict[str, str]:
    """What goes with the documents: the workflow's files, its settings, results.json. Path -> text."""
    texts = {f"{CARRIED}/{name}": _text(name, sha256) for name, sha256 in results.software.files.items()}
    texts[SETTINGS] = yaml.safe_dump(results.settings, sort_keys=False, allow_unicode=True, width=110)
    texts[f"{CARRIED}/results.json"] = results_json
    return texts


def _text(name: str, sha256: str) -> str:
    return project_file(name, sha256).read_text(encoding="utf-8")


def crate_metadata(results: Results, files: Mapping[str, bytes]) -> str:
    """`ro-crate-metadata.json`. files : everything in the crate, by its path."""
    crate = ROCrate(version="1.1")
    for path, content in files.items():
        crate.add_file(dest_path=path, properties=_properties(path, content))
    authors = [_named(crate, "Organization", f"#author-{place}", name) for place, name in _numbered(results)]
    workflow = _workflow(crate, results, authors)
    made = [crate.dereference(path) for path in files if not path.startswith(f"{CARRIED}/")]
    run = _run(crate, results, workflow, [*made, crate.dereference(f"{CARRIED}/results.json")])
    _root(crate, results, authors, workflow, run)
    graph = crate.metadata.generate()
    graph["@graph"] = sorted(graph["@graph"], key=lambda entity: str(entity["@id"]))
    of_root = next(entity for entity in graph["@graph"] if entity["@id"] == "./")
    of_root.pop("datePublished", None)  # the library's clock
    if results.software.date_released:
        of_root["datePublished"] = results.software.date_released
    return json.dumps(graph, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _numbered(results: Results) -> Iterable[tuple[int, str]]:
    return enumerate(results.software.authors, 1)


def _properties(path: str, content: bytes) -> dict[str, Any]:
    suffix = path[path.rfind(".") :] if "." in path else ""
    kinds = {"@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"]} if path == WORKFLOW else {}
    return {
        **kinds,
        "name": path.removeprefix(f"{CARRIED}/"),
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
        "encodingFormat": FORMATS.get(suffix, "text/plain"),
    }


def _named(crate: ROCrate, kind: str, identifier: str, name: str, **more: Any) -> Entity:
    return crate.add(ContextEntity(crate, identifier, {"@type": kind, "name": name, **more}))


def _workflow(crate: ROCrate, results: Results, authors: list[Entity]) -> Entity:
    """The Snakefile as what was run."""
    workflow = crate.dereference(WORKFLOW)
    workflow["version"], workflow["author"] = results.software.version, authors
    workflow["license"] = crate.dereference(f"{CARRIED}/{LICENCE}")
    workflow["programmingLanguage"] = _named(
        crate, "ComputerLanguage", SNAKEMAKE, "Snakemake", url="https://snakemake.readthedocs.io"
    )
    return workflow


def _run(crate: ROCrate, results: Results, workflow: Entity, made: list[Entity]) -> Entity:
    """The study as one action: from the data sets and the settings to what is in the crate."""
    data = [_source(crate, source) for source in results.sources]
    said = f"{results.study}. {results.warning}" if results.warning else results.study
    run = _named(crate, "CreateAction", "#run", said)
    run["instrument"] = workflow
    run["object"] = [*data, crate.dereference(SETTINGS)]
    run["result"] = made
    run["actionStatus"] = {"@id": "http://schema.org/CompletedActionStatus"}
    return run


def _source(crate: ROCrate, source: Source) -> Entity:
    """A data set that is not in the crate."""
    card, marked = source.card, "SYNTHETIC twin of " if source.synthetic else ""
    more = {"version": str(card["version"]), "citation": card["citation"]}
    if not source.synthetic:
        more["license"] = card["licence"]
    return _named(crate, "Dataset", f"#source-{source.name}", f"{marked}{card['title']}", **more)


def _root(crate: ROCrate, results: Results, authors: list[Entity], workflow: Entity, run: Entity) -> None:
    root = crate.root_dataset
    root["name"] = f"{results.study}: results"
    root["description"] = f"{results.warning}. {ABOUT}" if results.warning else ABOUT
    root["license"], root["author"] = crate.dereference(f"{CARRIED}/{LICENCE}"), authors
    root["conformsTo"] = _named(crate, "CreativeWork", PROFILE, "Process Run Crate", version=PROFILE.split("/")[-1])
    root["mainEntity"], root["mentions"] = workflow, run
    papers = ((f"https://doi.org/{paper.doi}", paper.title) for paper in results.software.papers)
    root["citation"] = [_named(crate, "ScholarlyArticle", doi, title) for doi, title in papers]
