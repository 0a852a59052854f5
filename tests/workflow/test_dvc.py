"""DVC records what Snakemake made: nothing runs twice, nothing stale passes."""

import re
import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.study


def test_a_second_repro_runs_no_stage(with_git: Checkout) -> None:
    output = with_git.run("dvc", "repro")
    assert "Running stage" not in output
    assert output.count("didn't change, skipping") == 5


def test_metrics_plots_and_graph_are_shown(with_git: Checkout) -> None:
    assert "ptbxl_superdiagnostic" in with_git.run("dvc", "metrics", "show")
    assert "dvc_plots/index.html" in with_git.run("dvc", "plots", "show")
    assert "published" in with_git.run("dvc", "dag")


def test_a_tampered_output_makes_repro_fail_and_is_named(with_git: Checkout) -> None:
    path = with_git.folder / "results/scores/ptbxl_superdiagnostic/resnet1d/scores.csv"
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"0.", b"1.", 1))
    try:
        output = with_git.run("dvc", "repro", expect=None)
        assert "scores.csv" in output
        assert "content changed" in output or "outside [0, 1]" in output
        assert with_git.run("dvc", "repro", expect=None).count("Running stage") > 0
    finally:
        path.write_bytes(kept)
        with_git.run("snakemake", "--cores", "2", "--touch", "--quiet", "all")
        with_git.run("dvc", "commit", "-f")


def test_an_experiment_with_another_setting_runs(with_git: Checkout) -> None:
    output = with_git.run("dvc", "exp", "run", "-S", "evaluation.replicates=10")
    assert "Ran experiment" in output
    assert "replicates: 10" in (with_git.folder / "params.yaml").read_text()
    with_git.run("git", "checkout", "-q", "--", "params.yaml")
    with_git.run("dvc", "repro")


def test_repro_works_without_git_and_fails_on_a_stale_checkout(finished: Checkout, tmp_path: Path) -> None:
    copy = tmp_path / "archive"
    shutil.copytree(finished.folder, copy, ignore=shutil.ignore_patterns(".git", "cache", "tmp"), symlinks=True)
    archive = Checkout(copy)
    assert "is not a git repository" in archive.run("dvc", "repro", expect=255)
    archive.run("dvc", "config", "--local", "core.no_scm", "true")
    archive.run("dvc", "repro")
    # A stale checkout: other parameters, and none of the records by which Snakemake would notice.
    shutil.rmtree(copy / ".snakemake")
    params = copy / "params.yaml"
    params.write_text(params.read_text().replace("replicates: 20", "replicates: 21"))
    output = archive.run("dvc", "repro", expect=255)
    # Snakemake then goes by time stamps and may have made some scores again; those it did not are named.
    assert re.search(r"results/scores/\w+/resnet1d/manifest\.json: made with evaluation", output)
