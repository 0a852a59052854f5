"""The JSON schemas of params.yaml and results.json and the table of settings, from the models in `schema/`."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from codeii.artifacts.atomic import write_text
from codeii.schema import params as words
from codeii.schema import published, recipe, weights
from codeii.schema.results import Results
from codeii.workflow.plugins import model_settings, names_in

SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("", words.Params),
    ("run", words.Run),
    ("sources.<source>", words.Source),
    ("sources.<source>.twin", words.Twin),
    ("sources.<source>.awaiting", words.Awaiting),
    ("sources.<source>.primary", published.Primary),
    ("sources.<source>.primary.licence", published.Licence),
    ("sources.<source>.primary.listing", published.Listing),
    ("sources.<source>.primary.files.<file>", published.Pin),
    ("sources.<source>.archive", published.Archive),
    ("preprocessing.<name>", words.Preprocessing),
    ("tasks.<task>", words.Task),
    ("tasks.<task>.splits, by the source's folds", words.FoldSplit),
    ("tasks.<task>.splits, by patient", words.HashedSplit),
    ("tasks.<task>.splits, as published", words.PublishedSplit),
    ("weights.<weights>", weights.Weights),
    ("weights.<weights>.pretrained_on.<n>", weights.PretrainedOn),
    ("starts.<start>", words.Start),
    ("recipes.<recipe>", recipe.Recipe),
    ("recipes.<recipe>.loss", recipe.Loss),
    ("recipes.<recipe>.augmentation", recipe.Augmentation),
    ("experiments.<experiment>", words.Experiment),
    ("evaluation", words.Evaluation),
    ("analyses", words.Analyses),
    ("reproduction", words.Reproduction),
    ("explanation", words.Explanation),
    ("reporting", words.Reporting),
    ("leakage", words.Leakage),
    ("leakage.waive.<n>", words.Waiver),
    ("tracking", words.Tracking),
)


def params_schema() -> str:
    """JSON schema of params.yaml, for editors (`# yaml-language-server: $schema=config/params.schema.json`)."""
    return json.dumps(words.Params.model_json_schema(), indent=1, sort_keys=True) + "\n"


def results_schema() -> str:
    """JSON schema of results.json, for programs that read it."""
    return json.dumps(Results.model_json_schema(), indent=1, sort_keys=True) + "\n"


def settings_table() -> str:
    """Every setting as Markdown: name, type and range, default, meaning."""
    models = [(f"models.{name}", model_settings(name)) for name in names_in("models")]
    return "\n".join(_section(title, model) for title, model in (*SECTIONS, *models))


def _section(title: str, model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    required = set(schema.get("required", []))
    meaning = (model.__doc__ or "").strip().splitlines()[0]
    rows = [
        f"| `{name}` | {_accepted(entry)} | {'required' if name in required else _default(entry)} "
        f"| {entry.get('description', '').replace('|', ', ')} |"
        for name, entry in schema["properties"].items()
    ]
    head = f"### {f'`{title}`' if title else 'Top level'}\n\n{meaning}\n"
    return "\n".join([head, "| setting | accepted | default | meaning |", "| --- | --- | --- | --- |", *rows, ""])


def _default(entry: dict[str, Any]) -> str:
    return f"`{json.dumps(entry['default'])}`" if "default" in entry else "its own defaults"


def _accepted(entry: dict[str, Any]) -> str:
    if "anyOf" in entry or "oneOf" in entry:
        return " or ".join(dict.fromkeys(_accepted(option) for option in entry.get("anyOf") or entry["oneOf"]))
    if "enum" in entry:
        return ", ".join(str(value) for value in entry["enum"])
    if "const" in entry:
        return str(entry["const"])
    if "$ref" in entry:
        return "section"
    words_of = {"array": "list", "object": "mapping", "string": "text", "null": "null"}
    name = words_of.get(entry.get("type", ""), entry.get("type", "any"))
    signs = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
    limits = [f"{sign} {entry[key]:g}" for key, sign in signs if key in entry]
    return " ".join([name, ", ".join(limits)]).strip()


MARK = "<!-- The rest is generated from src/codeii/schema/params.py by `make docs`. -->\n"


def write_documentation(config: Path) -> None:
    """Write both schemas, and the table below the mark of `README.md`, in the folder `config`."""
    write_text(config / "params.schema.json", params_schema())
    write_text(config / "results.schema.json", results_schema())
    above = (config / "README.md").read_text(encoding="utf-8").split(MARK)[0]
    write_text(config / "README.md", f"{above}{MARK}\n{settings_table()}")
