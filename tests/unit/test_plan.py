"""The plan counts every job, and says what it does not know."""

from pathlib import Path

import pytest

from codeii.checks.plan import as_text, measured_seconds, plan
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import load_params

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_built_in_study_has_every_job_to_run_and_a_time() -> None:
    params = load_params([ROOT / "params.yaml"])
    stages = plan(params)
    assert sum(stage.jobs for stage in stages) == sum(stage.to_run for stage in stages) == len(all_jobs(params))
    assert all(stage.seconds is not None and stage.megabytes is not None for stage in stages)
    assert "min on 2 cores" in as_text(stages, 2)


def test_the_time_of_real_data_is_not_known_before_a_job_has_run_here(tmp_path: Path) -> None:
    stages = plan(load_params([ROOT / "params.yaml", ROOT / "config/paper.yaml"]))
    assert all(stage.seconds is None for stage in stages)
    assert "about ? on" in as_text(stages, 2)


def test_jobs_that_ran_here_tell_the_time() -> None:
    for name, seconds in (("train/a/resnet1d/x-f1/0", 3.0), ("train/b/resnet1d/x-f1/0", 5.0)):
        path = Path("logs/benchmarks") / f"{name}.tsv"
        path.parent.mkdir(parents=True)
        path.write_text(f"s\tmax_rss\n{seconds}\t1\n")
    assert measured_seconds() == "rule,seconds_of_a_job\ntrain,4.00"
    training = next(stage for stage in plan(load_params([ROOT / "params.yaml"])) if stage.name == "training")
    assert training.seconds == 4.0 * training.jobs


def test_a_study_in_order_has_upstream_before_downstream() -> None:
    seen: set[str] = set()
    for job in all_jobs(load_params([ROOT / "params.yaml", ROOT / "config/paper.yaml"])):
        assert {path for role in job.inputs.values() for path in role} <= seen
        assert job.manifest not in seen
        seen.add(job.manifest)
