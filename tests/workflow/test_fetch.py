"""The fetch rule: parameters alone choose where a source comes from, and a fetched source satisfies everything."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from codeii.synthetic.build import synthesise
from tests.http_server import serving
from tests.workflow.conftest import Checkout, copy_checkout

pytestmark = pytest.mark.study

TERMS = {"name": "CC BY 4.0", "address": "https://creativecommons.org/licenses/by/4.0/", "terms": "Name the authors."}
ONE_EXPERIMENT = {
    "run": {"experiments": ["cpsc2018_few_shot"]},
    "starts": {"code_ii_finetuned": {"init": "random"}, "code15_finetuned": {"init": "random"}},
}


def over(checkout: Checkout, source: dict[str, object]) -> list[str]:
    path = checkout.folder / "over.yaml"
    path.write_text(yaml.safe_dump({**ONE_EXPERIMENT, "sources": {"cpsc2018": source}}))
    return [str(checkout.folder / "params.yaml"), str(path)]


def test_a_source_is_fetched_by_the_rule_then_kept_and_switched_by_parameters(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout", "tests/params/tiny.yaml")
    published = tmp_path / "published/training/cpsc_2018"
    settings = {"version": "2018", "twin": {"records": 20, "seed": 1, "form": "challenge"}, "layout": {}}
    synthesise("cpsc2018", settings, "c0de", published)
    with serving() as publisher:
        publisher.publish(tmp_path / "published", "/challenge-2021/1.0.3/")
        primary = {
            "page": "https://h/",
            "licence": TERMS,
            "mirrors": [f"{publisher.address}/challenge-2021/1.0.3/"],
            "listing": {"address": "SHA256SUMS.txt", "only": ["training/cpsc_2018"]},
        }
        params = over(checkout, {"version": "2018", "origin": "primary", "primary": primary})
        refused = checkout.snakemake("all_raw", "--configfile", params[1], expect=1)
        assert "the licence of cpsc2018 2018 (CC BY 4.0, above) is not accepted yet" in refused
        checkout.run("codeii", "fetch", "cpsc2018", "--params", *params, "--accept-licence")
        folder = checkout.folder / "data/raw/cpsc2018/2018"
        by_hand = (folder / "manifest.json").read_bytes()
        shutil.rmtree(folder)
        checkout.snakemake("results/records/cpsc2018/manifest.json", "--configfile", params[1])
    assert (folder / "manifest.json").read_bytes() == by_hand
    data = [path for path in (folder / "training").rglob("*") if path.is_file()]
    assert json.loads(by_hand)["facts"]["files"] == 1 + len(data)

    # the publisher is gone: the same version from a kept copy, by parameters alone
    kept = tmp_path / "kept"
    folder.rename(kept)
    params = over(checkout, {"version": "2018", "origin": "archive", "archive": {"address": str(kept)}})
    checkout.snakemake("all_raw", "--configfile", params[1])
    assert (folder / "SHA256SUMS").read_bytes() == (kept / "SHA256SUMS").read_bytes()
    checkout.run("codeii", "verify", "--stage", "raw", "--params", *params)
