"""CPSC 2018 has no published split: ours must be the same whatever the order of files, rows and forms on disk."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.stores import record_store

from codeii.artifacts.manifest import sha256_of
from codeii.artifacts.targets import Targets, read_targets
from codeii.schema.labels import label_set_file
from codeii.schema.record import Record
from codeii.schema.split_lists import split_list_file
from codeii.sources.cpsc2018 import REFERENCE, read_records
from codeii.synthetic.population import population
from codeii.synthetic.writers.cpsc2018 import write
from codeii.tensors.targets import build_targets

EXAMS = 90
OURS = {"by": "patient", "shares": {"train": 0.6, "validation": 0.2, "test": 0.2}}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same made-up exams in both forms."""
    folder = tmp_path_factory.mktemp("cpsc")
    exams = list(population("cpsc2018", EXAMS, 3))
    for form in ("contest", "challenge"):
        write(exams, folder / form, {}, {"twin": {"form": form}})
    return {form: folder / form for form in ("contest", "challenge")}


def targets_of(raw: Path, folder: Path, splits: dict[str, object]) -> Targets:
    records = [item for item in read_records(raw, {}) if isinstance(item, Record)]
    assert len(records) == EXAMS
    store = record_store(folder / "records", records)
    task = {"source": "cpsc2018", "label_set": "cpsc2018", "splits": splits}
    settings = {"task": task, "label_set_sha256": sha256_of(label_set_file("cpsc2018"))}
    settings["split_list_sha256"] = sha256_of(split_list_file("merl_cpsc2018"))
    build_targets(store, settings, "c", folder / "targets")
    return read_targets(folder / "targets/manifest.json")


def read_order(raw: Path) -> list[str]:
    return [item.record_id for item in read_records(raw, {})]


def shuffle(raw: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Another order of every folder listing, and of the rows of REFERENCE.csv where there is one."""
    rng, walk = np.random.default_rng(seed), os.walk

    def listed(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        for folder, below, names in walk(top):
            yield folder, below, list(rng.permutation(names)) if names else []

    monkeypatch.setattr("codeii.sources.cpsc2018.os.walk", listed)
    monkeypatch.setattr("codeii.sources.cpsc2018.sorted", lambda found, **_: list(found), raising=False)
    if (raw / REFERENCE).is_file():
        head, *rows = (raw / REFERENCE).read_text().splitlines()
        (raw / REFERENCE).write_text("\n".join([head, *rng.permutation(rows)]) + "\n")


@pytest.mark.parametrize("splits", [OURS, OURS | {"stratify": "none"}, {"by": "published", "name": "merl_cpsc2018"}])
def test_the_split_hash_is_the_same_in_every_order_and_form(
    releases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, splits: dict[str, object]
) -> None:
    found = {}
    for form, raw in releases.items():
        found[form], order = targets_of(raw, tmp_path / form, splits), read_order(raw)
        with monkeypatch.context() as patch:
            shuffle(raw, patch, 5)
            assert read_order(raw) != order  # the shuffle did something
            found[f"{form}, shuffled"] = targets_of(raw, tmp_path / f"{form} shuffled", splits)
    assert len({targets.manifest.facts["split_hash"] for targets in found.values()}) == 1
    for form in releases:
        pd.testing.assert_frame_equal(found[form].table, found[f"{form}, shuffled"].table)
    assert found["contest"].manifest.facts["records"]["test"] > 5
