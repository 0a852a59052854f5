"""A recording planted in two splits stops the study before anything is trained; a waiver with a reason lets it run."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.io import loadmat, savemat

from codeii.artifacts.targets import read_targets
from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.study

GATE = "results/leakage/findings/manifest.json"
SCORES = "results/scores/cpsc2018_few_shot/resnet1d/manifest.json"


@pytest.fixture(scope="module")
def leaking(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str, str]:
    """The tiny study on a copy of its CPSC twin in which a test recording is a disguised training recording."""
    folder = tmp_path_factory.mktemp("leaking") / "checkout"
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns(".git", "cache", "tmp"), symlinks=True)
    task = read_targets(folder / "results/targets/cpsc2018/manifest.json")
    train, test = (task.of(split)["record_id"].iloc[0] for split in ("train", "test"))
    copy = folder / "data/local/cpsc2018"
    shutil.copytree(folder / "data/raw/cpsc2018/2018-twin", copy, ignore=shutil.ignore_patterns("manifest.json"))
    file_of = {path.stem: path for path in copy.rglob("*.mat")}
    plant(file_of[train], file_of[test])
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["sources"]["cpsc2018"] |= {"origin": "local", "path": "data/local/cpsc2018", "version": "2018-copy"}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return Checkout(folder), train, test


def plant(original: Path, copy: Path) -> None:
    """A shifted half of the original at another gain, in the form of the contest."""
    ecg = loadmat(original)["ECG"][0, 0]
    half = 0.5 * ecg["data"][:, 600:]
    savemat(copy, {"ECG": {"sex": ecg["sex"], "age": ecg["age"], "data": np.ascontiguousarray(half)}})


def waived(checkout: Checkout, *waivers: dict[str, object]) -> None:
    path = checkout.folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["leakage"] = {"waive": list(waivers)}
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def test_a_planted_leak_stops_the_study_before_it_trains(leaking: tuple[Checkout, str, str]) -> None:
    checkout, train, test = leaking
    runs = {path: path.stat().st_mtime_ns for path in (checkout.folder / "results/runs").rglob("manifest.json")}
    checkout.snakemake("--", SCORES, expect=1)
    said = (checkout.folder / "logs/leakage.log").read_text()
    assert "codeii leakage: 1 leak into what the scores are counted on: 1 recording in two splits" in said
    assert f"cpsc2018/{test} (cpsc2018, test) is the same recording as cpsc2018/{train} (cpsc2018, train)" in said
    refused = pd.read_csv(checkout.folder / "results/leakage/findings/refused.csv")
    assert refused["record_id"].tolist() == [test]
    assert {path: path.stat().st_mtime_ns for path in runs} == runs, "something was trained on a leaking split"
    assert not (checkout.folder / GATE).exists()


def test_the_command_by_itself_ends_with_3(leaking: tuple[Checkout, str, str]) -> None:
    checkout = leaking[0]
    lines = checkout.snakemake("-n", "-p", "--", GATE).splitlines()
    line = next(line for line in lines if "python -m codeii leakage" in line)
    command = line[line.index("python -m") : line.index("&>")]
    assert "leak into what" in checkout.run("bash", "-c", command, expect=3)


def test_with_a_waiver_it_runs_and_the_report_tells_the_reason(leaking: tuple[Checkout, str, str]) -> None:
    checkout, train, test = leaking
    records = [f"cpsc2018/{train}", f"cpsc2018/{test}"]
    waived(checkout, {"kind": "recording_in_two_splits", "records": records, "reason": "planted, to see it told"})
    searched = checkout.folder / "results/leakage/duplicates/manifest.json"
    before = searched.stat().st_mtime_ns
    table = "results/published/tables/leakage/manifest.json"
    checkout.snakemake("--", table, SCORES)
    assert searched.stat().st_mtime_ns == before, "a waiver searched again"
    page = (checkout.folder / "results/published/tables/leakage/table.html").read_text()
    assert "planted, to see it told" in page and test in page
    assert not (checkout.folder / "results/leakage/findings/refused.csv").exists()
    scores = yaml.safe_load((checkout.folder / SCORES).read_text())
    assert GATE in scores["inputs"]


def test_another_reason_judges_and_scores_again_and_trains_nothing(leaking: tuple[Checkout, str, str]) -> None:
    checkout = leaking[0]
    waived(checkout, {"kind": "recording_in_two_splits", "task": "cpsc2018", "reason": "as before"})
    output = checkout.snakemake("-n", "--quiet", "host", "--", SCORES)
    counts = dict(line.split() for line in output.split("Job stats:")[1].splitlines() if len(line.split()) == 2)
    assert counts["leakage"] == counts["evaluate"] == "1"
    assert not {"train", "predict", "duplicates", "descriptors", "records"} & set(counts)


def test_the_twins_pass_without_waivers_and_their_check_is_verified(finished: Checkout) -> None:
    findings = pd.read_csv(finished.folder / "results/leakage/findings/findings.csv")
    assert len(findings) == 0
    path = finished.folder / "results/leakage/findings/overlaps.csv"
    kept, stat = path.read_bytes(), path.stat()
    path.write_bytes(kept.replace(b",0,0,0", b",0,0,1", 1))
    try:
        assert "overlaps.csv: content changed" in finished.run("codeii", "verify", expect=4)
    finally:
        path.write_bytes(kept)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
