"""A study with a start from weights published by others: without their file, and from the file to the report."""

import pickle
from pathlib import Path

import pytest
import torch

from codeii.models.resnet1d import Settings, build
from tests.weight_rule import weight_of
from tests.workflow.conftest import Checkout, copy_checkout

pytestmark = pytest.mark.study

IN_THE_MODEL_FILE = '''

PUBLISHED = {"leads": "eight", "rate_hz": 100, "samples": [1024], "settings": {"kernel_size": 9}}


def load_published(state, network):
    """Their names have a prefix."""
    return {name.removeprefix("net."): value for name, value in state.items()}
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    over = ("tests/params/tiny.yaml", "tests/params/published_weights.yaml")
    made = copy_checkout(tmp_path_factory.mktemp("weights") / "checkout", *over)
    models = made.folder / "src/codeii/models"
    (models / "theirs_net.py").write_text((models / "resnet1d.py").read_text() + IN_THE_MODEL_FILE)
    return made


def write_weights(path: Path) -> None:
    settings = Settings(filters=(4, 6, 8, 8), strides=(4, 4, 4, 2), kernel_size=9, head_samples=1)
    shapes = {name: tuple(value.shape) for name, value in build(8, 5, settings).state_dict().items()}
    names = [name for name in shapes if not name.startswith("head.")]
    state = {f"net.{name}": torch.from_numpy(weight_of(f"net.{name}", shapes[name])) for name in names}
    torch.save({"model": state, "epoch": 1}, path)


def test_a_study_runs_without_the_file_then_with_it_to_a_report_that_says_whose_weights(checkout: Checkout) -> None:
    assert "weights" not in checkout.planned() and checkout.planned()["train"] == 2
    plan = checkout.run("python", "-m", "codeii", "plan")
    assert "not run: start theirs_tuned of cpsc2018_few_shot (2 runs)" in plan
    assert "weights.theirs: no file at theirs.pt" in plan

    write_weights(checkout.folder / "theirs.pt")
    assert checkout.planned()["weights"] == 1 and checkout.planned()["train"] == 4
    checkout.snakemake()
    assert checkout.planned() == {}
    assert "all current" in checkout.run("python", "-m", "codeii", "verify")
    page = (checkout.folder / "results/published/report.html").read_text()
    assert "Weights published by others: theirs_tuned from ECG-FM, pretrained on MIMIC-IV-ECG" in page
    assert "licence of the weights: made for this test" in page
    assert "yes: pretrained on MIMIC-IV-ECG" in page  # of CPSC 2018, in the table of contamination
    log = (checkout.folder / "logs/weights/theirs.log").read_text()
    assert "weights.theirs.sha256 is null; pin this file: " in log

    before = {path: path.stat().st_mtime_ns for path in (checkout.folder / "results").rglob("weights.safetensors")}
    write_weights(checkout.folder / "theirs.pt")
    with (checkout.folder / "theirs.pt").open("ab") as file:
        file.write(pickle.dumps("another file"))
    fault = checkout.run("python", "-m", "codeii", "verify", expect=4)
    assert "results/weights/theirs/manifest.json: made from another theirs.pt than is there now" in fault
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_another_file_than_the_pinned_one_stops_the_study_with_both_hashes(checkout: Checkout) -> None:
    over = checkout.folder / "pinned.yaml"
    over.write_text(f"weights: {{theirs: {{sha256: '{'0' * 64}'}}}}\n")
    write_weights(checkout.folder / "theirs.pt")
    target = "results/weights/theirs/manifest.json"
    output = checkout.snakemake("--configfile", "pinned.yaml", "--", target, expect=1)
    log = output + (checkout.folder / "logs/weights/theirs.log").read_text()
    assert f"params.yaml pins {'0' * 64}" in log and "theirs.pt: sha256 is " in log
    assert "Traceback" not in log
