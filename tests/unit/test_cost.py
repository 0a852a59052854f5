"""What the trainings of a study cost at most, counted by hand beside it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from codeii.__main__ import main
from codeii.artifacts import events
from codeii.artifacts.targets import write_targets
from codeii.checks.cost import cost_words, training_records, visits_of
from codeii.schema.params import Params
from codeii.sources import cpsc2018
from codeii.workflow.job import Job
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import check_params, merge

ROOT = Path(__file__).parents[2]
BUILT_IN, PAPER = (yaml.safe_load((ROOT / name).read_text()) for name in ("params.yaml", "config/paper.yaml"))
LOCAL = {"origin": "local", "path": "/data", "layout": {"table": "exams.csv"}}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def paper(over: Mapping[str, Any] | None = None) -> Params:
    return check_params(merge(merge(BUILT_IN, PAPER), over or {}))


@cache
def jobs_of_the_paper() -> list[Job]:
    return all_jobs(paper())


def trainings(params: Params, experiment: str, variant: str = "") -> list[Job]:
    """Training jobs of an experiment, of one seed."""
    jobs = jobs_of_the_paper() if params == paper() else all_jobs(params)
    every = [job for job in jobs if job.rule == "train" and job.wildcards["seed"] == "0"]
    return [job for job in every if job.wildcards["experiment"] == experiment
            and variant in ("", job.wildcards["variant"])]  # fmt: skip


def only(jobs: list[Job]) -> Job:
    (job,) = jobs
    return job


@pytest.mark.parametrize(
    ("experiment", "variant", "visits"),
    [
        ("ptbxl_superdiagnostic", "from_scratch-f1", 17_440 * 50),  # eight of ten folds of 21,799 records
        ("ptbxl_superdiagnostic", "random_encoder-f1", 17_440),  # its features, once
        ("code15_pretraining", "from_scratch-f1", 276_624 * 70),  # 0.8 of 345,779
        ("ptbxl_few_shot", "from_scratch-f0.01", 175 * 50),
        ("ptbxl_few_shot_counts", "from_scratch-n50", 6 * 50 * 50),  # five classes and none
        ("cpsc2018_few_shot_counts", "from_scratch-n5", 10 * 5 * 50),
    ],
)
def test_visits_are_records_times_epochs_and_of_a_probe_its_features_once(
    experiment: str, variant: str, visits: int
) -> None:
    params = paper()
    assert visits_of(params, only(trainings(params, experiment, variant))) == visits


def test_an_epoch_of_several_passes_counts_them() -> None:
    params = check_params(BUILT_IN)  # 0.02 of 0.8 of 1,000 records, in one batch; 60 steps in 7 epochs: 9 passes
    assert visits_of(params, only(trainings(params, "cpsc2018_few_shot", "from_scratch-f0.02"))) == 16 * 7 * 9


def test_a_count_is_never_more_than_there_is() -> None:
    params = paper({"experiments": {"cpsc2018_few_shot_counts": {"per_class": [100_000]}}})
    visits = visits_of(params, only(trainings(params, "cpsc2018_few_shot_counts", "from_scratch-n100000")))
    assert visits == 5502 * 50


@pytest.mark.parametrize(
    ("task", "records"),
    [("cpsc2018_merl", 4950), ("code_ii", 13_500), ("code_ii_full", 2_188_216), ("cpsc2018", 5502)],
)
def test_the_training_split_before_the_data_are_there(task: str, records: int) -> None:
    assert training_records(paper(), paper().tasks[task], Path("absent/manifest.json")) == records


def test_once_the_targets_are_made_their_records_are_counted() -> None:
    params = paper()
    job = only(trainings(params, "cpsc2018", "from_scratch-f1"))
    ids = pd.DataFrame({name: [f"{name}{n}" for n in range(9)] for name in ("record_id", "exam_id", "patient_id")})
    ids = ids.assign(split=["train"] * 7 + ["validation", "test"], age_years=50.0, sex="male")
    matrix = pd.DataFrame({"a": [1] * 9}).to_numpy("uint8")
    made: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    write_targets(Path(job.inputs["targets"][0]).parent, ids, matrix, ["a"], **made)
    assert visits_of(params, job) == 7 * 50


def test_the_sum_names_its_rate_and_the_models_without_one() -> None:
    params = paper()
    jobs = trainings(params, "ptbxl_superdiagnostic") + trainings(params, "ptbxl_superdiagnostic_s4")
    jobs = [job for job in jobs if job.wildcards["variant"] == "from_scratch-f1"]
    (line,) = cost_words(params, jobs, None)
    visits, others = 17_440 * 50, 17_440 * 100
    assert line.startswith(f"training: at most {visits + others:,} record visits in 2 runs, early stopping ignored; ")
    assert "; 20 core hours at 12 records a second (one core of AMD Zen 5 with AVX-512, float32); " in line
    assert line.endswith(f"no measured rate: s4 ({others:,} visits) (--records-per-second N)")
    (line,) = cost_words(params, jobs, 1000.0)
    assert line.endswith("; 0.73 hours at 1,000 records a second (as given)")
    assert cost_words(params, [], None) == []


@pytest.mark.parametrize(
    ("over", "known"),
    [
        ({"recipes": {"transfer": {"precision": "bfloat16"}}}, False),
        ({"recipes": {"transfer": {"augmentation": {"crop_samples": 2048}}}}, False),
        ({"models": {"resnet1d": {"kernel_size": 9}}}, False),
        ({"models": {"resnet1d": {"dropout_rate": 0.5}}}, True),  # as fast
    ],
)
def test_a_shipped_rate_is_of_one_network_input_and_precision(over: dict[str, Any], known: bool) -> None:
    params = paper(over)
    (line,) = cost_words(params, trainings(params, "cpsc2018", "from_scratch-f1"), None)
    assert ("at 12 records a second" in line) == known != ("no measured rate: resnet1d" in line)


def told(job: Job, folder: str, gpu_memory_mb: float | None = None, **changed: Any) -> None:
    """Events of two epochs of a training: 300 records in 4 s, 100 in 1 s."""
    settings = json.loads(json.dumps(job.settings)) | changed
    events.append(Path("scratch") / folder, "start", settings=settings, resumed_from_step=0)
    for epoch, rate, seconds in ((1, 75.0, 4.0), (2, 100.0, 1.0)):
        facts = {"records_per_s": rate, "seconds": seconds, "gpu_memory_mb": gpu_memory_mb}
        events.append(Path("scratch") / folder, "epoch", epoch=epoch, **facts)


def test_runs_of_this_tree_tell_the_rate_of_trainings_like_them() -> None:
    params = paper()
    job = only(trainings(params, "cpsc2018", "from_scratch-f1"))
    told(job, "a/probe", mode="linear_probe")
    other = {name: value for name, value in job.settings.items() if name != "per_class"}
    events.append(Path("scratch/a/earlier"), "start", settings=other, resumed_from_step=0)
    assert "at 12 records a second" in cost_words(params, [job], None)[0]
    told(job, "a/run")
    (line,) = cost_words(params, [job], None)
    hours = 5502 * 50 / 80 * 8 / 3600  # eight threads at 80 records a second together
    assert line.endswith(f"; {hours:.2g} core hours at 80 records a second (8 threads here, validation included)")
    told(job, "a/run_on_a_gpu", gpu_memory_mb=1000.0)
    assert "0.96 hours at 80 records a second (a GPU here" in cost_words(params, [job], None)[0]


def test_a_source_that_states_no_number_of_records_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpsc2018, "CARD", replace(cpsc2018.CARD, records=None))
    params = paper()
    jobs = [only(trainings(params, name, "from_scratch-f1")) for name in ("cpsc2018", "ptbxl_form")]
    (line,) = cost_words(params, jobs, None)
    assert line.startswith(f"training: at most {17_440 * 50:,} record visits in 2 runs")
    assert line.endswith("; not in the sum: runs on cpsc2018, of unknown number of records")


def test_plan_says_it_under_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    params = ["--params", str(ROOT / "params.yaml"), str(ROOT / "config/paper.yaml")]
    assert main(["plan", *params, "--records-per-second", "1000"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("389 jobs to run, about ? on 2 cores") + 1].startswith("training: at most ")
    with pytest.raises(SystemExit, match="2"):
        main(["plan", *params, "--records-per-second", "0"])


def test_a_full_set_counts_with_what_its_publisher_says() -> None:
    over = {"sources": {"code_ii": LOCAL, "code_ii_test": LOCAL}}
    params = paper(over | {"experiments": {"code_ii_pretraining": {"task": "code_ii_full"}}})
    assert visits_of(params, only(trainings(params, "code_ii_pretraining", "from_scratch-f1"))) == 2_188_216 * 70
