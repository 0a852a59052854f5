"""The tiny study, end to end: what runs, what reruns, what is noticed."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest

from codeii.checks.receipt import signature
from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.study


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Change a file for a moment; its time stamp comes back with its content."""
    text, stat = path.read_text(), path.stat()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_the_study_ends_in_a_report_that_says_synthetic(finished: Checkout) -> None:
    page = (finished.folder / "results/published/report.html").read_text()
    assert "SYNTHETIC" in page
    assert "research use only" in page.lower()


def test_counts_go_from_the_parameters_to_the_report(finished: Checkout) -> None:
    folder = finished.folder / "results"
    runs = sorted(path.name for path in (folder / "runs/cpsc2018_few_shot_counts/resnet1d").iterdir())
    assert runs == [f"{start}-n{count}" for start in ("code_ii_finetuned", "from_scratch") for count in (1, 2)]
    scores = pd.read_csv(folder / "scores/cpsc2018_few_shot_counts/resnet1d/scores.csv")
    assert set(scores["per_class"]) == {1, 2} and set(scores["fraction"]) == {0}
    table = pd.read_csv(folder / "published/tables/few_shot/counts.csv")
    assert table[["start", "per_class"]].to_numpy().tolist() == [
        [start, count] for start in ("from_scratch", "code_ii_finetuned") for count in (1, 2)
    ]
    assert "2\u00a0per\u00a0class" in (folder / "published/report.html").read_text()


def test_a_second_run_has_nothing_to_do(finished: Checkout) -> None:
    assert "Nothing to be done" in finished.snakemake()


def test_snakemakes_own_report_has_every_part_under_its_section_with_its_caption(finished: Checkout) -> None:
    finished.snakemake("--report", "snakemake_report.zip")
    with ZipFile(finished.folder / "snakemake_report.zip") as archive:
        (page,) = (name for name in archive.namelist() if name.endswith("report.html") and "data" not in name)
        text = archive.read(page).decode()
    for word in ("The page", "Claims", "Comparisons", "Failures", "Whether data are"):
        assert word in text
    assert "which differences between trained networks are more than" in " ".join(text.split())


def test_no_number_of_a_synthetic_study_is_set_beside_a_published_one(finished: Checkout) -> None:
    said = finished.run("python", "-m", "codeii", "gate")
    assert "published numbers: 0 reproduced, 0 differs" in said
    cells = pd.read_csv(finished.folder / "results/verdicts/cells.csv")
    made_up = cells[cells["synthetic"]]
    assert len(made_up) and made_up["ours"].isna().all() and set(made_up["why"]) == {"synthetic"}


def test_a_comment_edit_lists_nothing(finished: Checkout) -> None:
    model = finished.folder / "src/codeii/models/resnet1d.py"
    with edited(model, "class Block(nn.Module):", "# a remark\n\n\nclass Block(nn.Module):"):
        assert finished.planned() == {}


def test_a_model_edit_lists_exactly_its_runs_and_what_follows(finished: Checkout) -> None:
    model = finished.folder / "src/codeii/models/resnet1d.py"
    with edited(model, "    left = max(0, ", "    left = max(0, 0 + "):
        planned = finished.planned()
    assert planned.pop("train") == 2 + 4 + 4 + 4
    assert planned.pop("predict") == 4
    after = {"evaluate", "analyse", "compare", "explain", "reproduce", "submit", "table", "figure", "report"}
    after |= {"track", "track_page", "results", "documents"}
    assert set(planned) <= after


def test_a_recipe_edit_lists_only_the_runs_of_that_recipe(finished: Checkout) -> None:
    with edited(finished.folder / "params.yaml", "steps_at_least: 2", "steps_at_least: 3"):
        planned = finished.planned()
    assert planned["train"] == 12
    assert not {"synthesise", "record_shard", "records", "tensor_shard", "tensors", "targets"} & set(planned)


def test_a_table_edit_lists_the_table_and_the_report(finished: Checkout) -> None:
    table = finished.folder / "src/codeii/reporting/tables/runs.py"
    with edited(table, "NEEDS = ", "REMARK = 1\nNEEDS = "):
        assert finished.planned() == {"table": 1, "report": 1, "track_page": 1}


def test_a_caption_edit_lists_the_table_too(finished: Checkout) -> None:
    table = finished.folder / "src/codeii/reporting/tables/runs.py"
    first = table.read_text().splitlines()[0]
    with edited(table, first, first + " Another word"):
        assert finished.planned() == {"table": 1, "report": 1, "track_page": 1}
        assert "caption_sha256" in finished.run("codeii", "verify", expect=4)


def test_a_wrong_setting_stops_before_the_first_job(finished: Checkout) -> None:
    with edited(finished.folder / "params.yaml", "replicates: 20", "replicats: 20"):
        output = finished.snakemake("-n", expect=1)
    assert "evaluation.replicats: this key is not known" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("flag", [("--use-conda",), ("--sdm", "conda")])
def test_without_conda_the_flag_is_answered_with_a_sentence(finished: Checkout, flag: tuple[str, ...]) -> None:
    output = finished.snakemake("-n", *flag, expect=1)
    assert "there is no conda on PATH" in output
    assert "Traceback" not in output


def test_verify_accepts_the_finished_study(finished: Checkout) -> None:
    assert "all current" in finished.run("codeii", "verify")


def test_verify_names_a_tampered_file_and_a_stale_setting(finished: Checkout) -> None:
    scores = finished.folder / "results/scores/ptbxl_superdiagnostic/resnet1d/scores.csv"
    with edited(scores, "0.", "1."):
        assert "scores.csv: content changed" in finished.run("codeii", "verify", expect=4)
    with edited(finished.folder / "params.yaml", "steps_at_least: 2", "steps_at_least: 3"):
        output = finished.run("codeii", "verify", expect=4)
    assert "made with recipe" in output
    assert "results/runs/ptbxl_superdiagnostic" in output


def test_verify_reaches_the_files_that_stand_only_in_lists(finished: Checkout) -> None:
    runs = finished.folder / "results/predictions/ptbxl_superdiagnostic/resnet1d"
    raw = finished.folder / "data/raw/cpsc2018/2018-twin/REFERENCE.csv"
    for path in (runs / "from_scratch-f1/seed0/exams.parquet", raw):
        kept, stat = path.read_bytes(), path.stat()
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        try:
            assert f"{path.name}: content changed" in finished.run("codeii", "verify", expect=4)
        finally:
            path.write_bytes(kept)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_verify_is_short_the_second_time_and_full_sees_what_leaves_no_mark(finished: Checkout) -> None:
    finished.run("codeii", "verify")
    time.sleep(0.2)
    finished.run("codeii", "verify")
    assert "no file changed since" in finished.run("codeii", "verify")
    name = "results/scores/ptbxl_superdiagnostic/resnet1d/scores.csv"
    remembered = finished.folder / "scratch/verify/hashes.json"
    with edited(finished.folder / name, "0.", "1."):
        assert "scores.csv: content changed" in finished.run("codeii", "verify", expect=4)
    finished.run("codeii", "verify")
    with edited(finished.folder / name, "0.", "1."):
        # A rotten block: the bytes are others, and nothing of what is remembered of the file.
        content = json.loads(remembered.read_text())
        content["files"][name][:4] = signature(str(finished.folder / name))
        remembered.write_text(json.dumps(content))
        assert "all current" in finished.run("codeii", "verify")
        assert "scores.csv: content changed" in finished.run("codeii", "verify", "--full", expect=4)
        assert "scores.csv: content changed" in finished.run("codeii", "verify", expect=4), "what was seen stays seen"


def test_plan_says_what_is_to_be_done(finished: Checkout) -> None:
    assert "Nothing to be done" in finished.run("codeii", "plan")
    with edited(finished.folder / "params.yaml", "steps_at_least: 2", "steps_at_least: 3"):
        assert "jobs to run" in finished.run("codeii", "plan")


def test_every_run_is_in_the_tracker_once(finished: Checkout) -> None:
    code = (
        "from mlflow.tracking import MlflowClient as C; c = C('sqlite:///results/tracking/mlflow.db');"
        "e = [x.experiment_id for x in c.search_experiments() if x.name != 'Default'];"
        "r = c.search_runs(e, max_results=100);"
        "print(len(r), sum('mlflow.parentRunId' in x.data.tags for x in r), {x.info.status for x in r},"
        " sorted(m.name for m in c.search_registered_models()))"
    )
    assert "19 14 {'FINISHED'} ['code_ii', 'cpsc2018', 'ptbxl_superdiagnostic']" in finished.run("python", "-c", code)


def test_a_lost_shard_is_one_shard_redone(finished: Checkout) -> None:
    shard = finished.folder / "results/tensors/ptbxl/code_100hz/shards/0"
    before = (shard / "signals.npy").read_bytes()
    (shard / "signals.npy").unlink()
    output = finished.run("codeii", "verify", expect=4)
    assert "shards/0/signals.npy: listed in" in output and "but absent; pull it again, or run the study" in output
    output = finished.snakemake("results/tensors/ptbxl/code_100hz/shards/0/signals.npy")
    assert output.count("Preprocessing ptbxl as code_100hz, shard 0") == 1 and "1 of 1 steps" in output
    assert (shard / "signals.npy").read_bytes() == before
    assert finished.planned() == {}
    assert "all current" in finished.run("codeii", "verify")
