"""Weights published by others: whether they fit what starts from them, and what is known of what they have seen."""

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

from codeii.schema.params import Experiment, Params
from codeii.schema.weights import Weights
from codeii.workflow.plugins import PACKAGE, check_name, model_settings, names_in, published_needs

ENCODERS = PACKAGE / "reporting" / "published_encoders.csv"
ABOUT = ("encoder", "pretraining_data", "basis", "source")  # its columns that are no source of a study


def check_weights(params: Params, random: str) -> None:
    """Raise ValueError where a name, an encoder or the settings of a model do not fit the published weights."""
    for name, weights in params.weights.items():
        for others, names in (("init", [random]), ("experiments", params.experiments), ("tasks", params.tasks)):
            if name in names:
                raise ValueError(f"weights.{name}: {others} has this name too; give the weights another")
        check_name(f"weights.{name}.model", weights.model, names_in("models"))
        if published_needs(weights.model) is None:
            able = ", ".join(model for model in names_in("models") if published_needs(model) is not None)
            reason = f"src/codeii/models/{weights.model}.py has no load_published and PUBLISHED"
            raise ValueError(f"weights.{name}.model: {reason}; models that have: {able or 'none'}")
        if weights.encoder is not None:
            check_name(f"weights.{name}.encoder", weights.encoder, list(encoders()))
        for index, data in enumerate(weights.pretrained_on):
            for source in (*data.holds, *data.lacks):
                check_name(f"weights.{name}.pretrained_on.{index}", source, list(params.sources))
        _check_settings(params, name, weights.model)


def _check_settings(params: Params, name: str, model: str) -> None:
    asked = (published_needs(model) or {}).get("settings", {})
    has = model_settings(model)(**params.models.get(model, {})).model_dump(mode="json")
    for key, wanted in json.loads(json.dumps(asked)).items():
        if has.get(key) != wanted:
            raise ValueError(f"models.{model}.{key}: found {has.get(key)!r}, but weights.{name} needs {wanted!r}")


def check_fit(params: Params, path: str, experiment: Experiment, start: str) -> None:
    """Raise ValueError unless an experiment's models and preprocessing are those of the weights it starts from."""
    name = params.starts[start].init
    model = params.weights[name].model
    if experiment.models != [model]:
        raise ValueError(
            f"{path}.models: found {experiment.models}; start {start} needs [{model}], as weights.{name} do"
        )
    made = params.preprocessing[experiment.preprocessing].model_dump()
    for key, accepted in needs_of_tensors(model).items():
        if made.get(key) not in accepted:
            found = f"{experiment.preprocessing} has {key} {made.get(key)!r}"
            wanted = " or ".join(repr(value) for value in accepted)
            raise ValueError(f"{path}.preprocessing: {found}, but weights.{name} (start {start}) need {wanted}")


def needs_of_tensors(model: str) -> dict[str, list[Any]]:
    """What a model's published weights ask of a preprocessing: key -> accepted values."""
    needs = published_needs(model) or {}
    return {key: [*_listed(value)] for key, value in needs.items() if key != "settings"}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


@cache
def encoders() -> dict[str, dict[str, str]]:
    """Rows of the table of published encoders, by encoder."""
    with ENCODERS.open(newline="", encoding="utf-8") as file:
        return {row["encoder"]: row for row in csv.DictReader(file)}


def seen_by(weights: Weights) -> dict[str, Any]:
    """What weights have seen: `data` in words, `sources` (yes, no or undetermined), `known` how."""
    if weights.encoder is not None:
        row = encoders()[weights.encoder]
        sources = {name: word for name, word in row.items() if name not in ABOUT}
        return {"data": row["pretraining_data"], "sources": sources, "known": f"{row['basis']}; {row['source']}"}
    lacks = set.intersection(*(set(one.lacks) for one in weights.pretrained_on))  # none of it in any of them
    holds = {source for one in weights.pretrained_on for source in one.holds}
    sources = {**dict.fromkeys(sorted(lacks), "no"), **dict.fromkeys(sorted(holds), "yes")}
    words = {key: "; ".join(getattr(one, key) for one in weights.pretrained_on) for key in ("data", "known")}
    return {**words, "sources": sources}


def where_to_put(name: str, weights: Weights) -> str:
    """Why published weights are absent and what to do, as a sentence."""
    page = weights.page or f"the publisher of {weights.encoder or name}, whose address is not known here,"
    found = f"no file at {weights.path}" if weights.path else "no path is given"
    place = f"at {weights.path}" if weights.path else f"on this machine and set weights.{name}.path to it"
    more = f'licence: {weights.licence}; docs/study.md, "Encoders pretrained by others"'
    return f"weights.{name}: {found}; put the file of {page} {place} ({more})"


def to_pin(params: Params) -> list[str]:
    """One sentence for each file that is there and not pinned: the hash to set."""
    from codeii.artifacts.manifest import sha256_of

    return [
        f"note: weights.{name}.sha256 is null; pin this file: {sha256_of(Path(weights.path))}"
        for name, weights in params.weights.items()
        if weights.there and weights.path and weights.sha256 is None
    ]
