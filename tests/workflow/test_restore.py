"""A tree that was pulled or copied: checked whole, made current, never run again."""

import os
import random
import re
import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import Checkout
from tests.workflow.test_study import edited

pytestmark = pytest.mark.study

LEFT_BEHIND = (".git", ".snakemake", "cache", "tmp", "*.db", "ready.json", "logs", "scratch", "__pycache__")
MODEL = "src/codeii/models/resnet1d.py"
WEIGHTS = "results/runs/ptbxl_superdiagnostic/resnet1d/from_scratch-f1/seed0/weights.safetensors"
PREDICTIONS = "results/predictions/cpsc2018_few_shot/resnet1d/from_scratch-f0.2/seed0/exams.parquet"
RAW = "data/raw/cpsc2018/2018-twin/REFERENCE.csv"


def times_of(checkout: Checkout) -> dict[Path, int]:
    """Modification time of every file made by the study."""
    folders = (checkout.folder / "data", checkout.folder / "results")
    return {path: path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*") if path.is_file()}


def flip(path: Path) -> bytes:
    """Change one bit and put the time back. Returns what was there."""
    kept, stat = path.read_bytes(), path.stat()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return kept


@pytest.fixture(scope="module")
def pulled(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The finished tree as a pull leaves it: files in no order of time, no records of Snakemake, no git."""
    folder = tmp_path_factory.mktemp("pulled") / "tree"
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND), symlinks=True)
    shutil.rmtree(folder / "results/tracking/artifacts")
    checkout = Checkout(folder)
    shuffled = random.Random(0)
    for path in times_of(checkout):
        time_s = 1_700_000_000 + shuffled.random() * 1000
        os.utime(path, (time_s, time_s))
    assert checkout.planned()["train"] == 14, "without restore Snakemake would train everything again"
    return checkout


def test_every_fault_is_named_and_nothing_is_touched(pulled: Checkout) -> None:
    kept = {name: flip(pulled.folder / name) for name in (WEIGHTS, PREDICTIONS, RAW)}
    manifest = pulled.folder / "results/targets/cpsc2018/manifest.json"
    text = manifest.read_text()
    manifest.unlink()
    before = times_of(pulled)
    with edited(pulled.folder / "params.yaml", "replicates: 20", "replicates: 21"):
        output = pulled.run("codeii", "restore", expect=4)
    assert times_of(pulled) == before
    for name in kept:
        assert f"{name}: content changed since it was made (sha256 " in output
    assert "results/scores/ptbxl_superdiagnostic/resnet1d/manifest.json: made with evaluation" in output
    assert "results/targets/cpsc2018/dropped.csv: there, but results/targets/cpsc2018/manifest.json is not" in output
    assert "nothing was touched" in output
    assert "Traceback" not in output
    for name, content in kept.items():
        (pulled.folder / name).write_bytes(content)
    manifest.write_text(text)
    with edited(pulled.folder / MODEL, "    left = max(0, ", "    left = max(0, 0 + "):
        output = pulled.run("codeii", "restore", expect=4)
    assert "made by code" in output
    assert not (pulled.folder / ".snakemake/metadata").exists() or not list(
        (pulled.folder / ".snakemake/metadata").iterdir()
    )


def test_a_restored_tree_is_current_and_later_edits_still_count(finished: Checkout, pulled: Checkout) -> None:
    records = pulled.folder / ".snakemake/metadata"  # torn, as a full disk or a kill leaves them
    records.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted((finished.folder / ".snakemake/metadata").iterdir())):
        (records / path.name).write_bytes(path.read_bytes()[: number * 7])
    output = pulled.run("codeii", "restore")
    assert "every hash checked" in output
    assert "nothing to be done" in output
    model = pulled.folder / MODEL
    with edited(model, "class Block(nn.Module):", "# a remark\n\n\nclass Block(nn.Module):"):
        assert pulled.planned() == {}
    with edited(model, "    left = max(0, ", "    left = max(0, 0 + "):
        planned = pulled.planned()
    assert planned["train"] == 14
    assert planned["tracking_store"] == 1, "the store was not pulled: it is made before anything is logged to it"
    assert not {"synthesise", "records", "tensors", "targets"} & set(planned)
    with edited(pulled.folder / "params.yaml", "records: 120", "records: 121"):
        assert pulled.planned()["synthesise"] == 1


def test_a_part_is_restored_as_far_as_it_goes(pulled: Checkout) -> None:
    """Only predictions, scores and the published results were pulled."""
    for name in ("data", ".snakemake", *(f"results/{one}" for one in ("records", "tensors", "targets", "runs"))):
        shutil.rmtree(pulled.folder / name)
    shutil.rmtree(pulled.folder / "results/tracking")
    output = pulled.run("codeii", "restore")
    assert "not here: data/raw/code_ii_open/2026-twin" in output
    assert "nothing can be trained or predicted again" in output
    assert re.search(r"snakemake would now make what is not here, and what follows from it: .*\b14 train\b", output)
    target = output.strip().rsplit(" ", 1)[1]
    assert target == "results/published/documents/manifest.json"
    scores = "results/scores/cpsc2018_few_shot/resnet1d/manifest.json"
    assert "Nothing to be done" in pulled.snakemake("-n", "--", target, "results/published/report.html", scores)
    shutil.rmtree(pulled.folder / "results")
    assert "dvc pull" in pulled.run("codeii", "restore", expect=3)
