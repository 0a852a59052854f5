"""What restore makes of artefacts that are whole, absent, torn or stale, and what it asks of Snakemake."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from codeii.artifacts.manifest import write_manifest
from codeii.artifacts.raw_archive import write_raw_archive
from codeii.checks import restore, scheduler
from codeii.checks.hashes import Hashes
from codeii.checks.restore import WITHOUT, look_at
from codeii.checks.verify import ALL
from codeii.workflow.job import Job
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import load_params


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def job_of(kind: str, folder: str, settings: dict[str, Any] | None = None) -> Job:
    return Job("rule", kind, {}, folder, {}, settings or {}, "c0de")


def make(job: Job) -> Job:
    folder = Path(job.folder)
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"abc")
    common = {"settings": job.settings, "code": job.code, "inputs": [], "facts": {}, "synthetic": True}
    write_manifest(folder, job.kind, files=["a.bin"], **common)
    return job


@pytest.fixture
def listed(tmp_path: Path) -> tuple[Job, Path]:
    """A raw source that is a list of files which lie elsewhere."""
    root = tmp_path / "elsewhere"
    root.mkdir()
    for name in ("a.dat", "b.dat"):
        (root / name).write_bytes(name.encode())
    job = job_of("raw", "data/raw/s/1")
    files = sorted(root.iterdir())
    write_raw_archive(Path(job.folder), root, files, source="s", origin="local", settings={}, code="c0de")
    return job, root


def test_whole_and_absent_are_told_apart() -> None:
    whole, absent = make(job_of("records", "results/records/a")), job_of("records", "results/records/b")
    found = look_at([whole, absent], Hashes({}))
    assert (found.verified, found.absent, found.faults) == ([whole], [absent], [])


def test_nothing_is_taken_from_an_earlier_check(listed: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Hashes] = []
    monkeypatch.setattr(restore, "Hashes", lambda known: made.append(Hashes(known)) or made[-1])
    monkeypatch.setattr(restore, "load_params", lambda _: None)
    monkeypatch.setattr(restore, "all_jobs", lambda _: [listed[0]])
    monkeypatch.setattr(restore, "touch", lambda targets, _: None)
    monkeypatch.setattr(restore, "planned", lambda targets, _: {})
    for _ in range(2):
        restore.restore([])
    assert [hashes.known for hashes in made] == [{}, {}]
    assert [len(hashes.seen) for hashes in made] == [4, 4]


def test_raw_files_left_behind_are_no_fault_but_a_part_of_them_is(listed: tuple[Job, Path]) -> None:
    job, root = listed
    assert look_at([job], Hashes({})).unlisted == []
    (root / "a.dat").unlink()
    (fault,) = look_at([job], Hashes({})).faults
    assert "elsewhere/a.dat: listed in data/raw/s/1/SHA256SUMS but absent" in fault
    shutil.rmtree(root)
    found = look_at([job], Hashes({}))
    assert (found.verified, found.unlisted, found.faults) == ([job], [job.manifest], [])
    Path(job.folder, "SHA256SUMS").unlink()
    assert "SHA256SUMS: listed in" in look_at([job], Hashes({})).faults[0]


def test_files_without_their_manifest_are_a_fault_unless_they_belong_to_another() -> None:
    report, table = job_of("report", "results/published"), make(job_of("table", "results/published/tables/x"))
    assert look_at([table, report], Hashes({})).faults == []
    Path("results/published/report.html").write_text("half")
    (fault,) = look_at([table, report], Hashes({})).faults
    assert fault.startswith("results/published/report.html: there, but results/published/manifest.json is not")


@pytest.mark.parametrize("kind", ["raw", "tracking"])
def test_an_unfinished_download_or_log_is_just_absent(kind: str) -> None:
    job = make(job_of(kind, "there"))
    Path(job.manifest).unlink()
    found = look_at([job], Hashes({}))
    assert (found.absent, found.faults) == ([job], [])


def test_a_stale_log_is_written_again_and_stops_nothing() -> None:
    made = make(job_of("tracking", "results/tracking/e", {"uri": "sqlite:///old.db"}))
    now = job_of("tracking", made.folder, {"uri": "sqlite:///new.db"})
    found = look_at([now], Hashes({}))
    assert (found.verified, found.absent, found.faults) == ([], [now], [])


def test_the_tracker_counts_as_ready_only_with_its_store() -> None:
    job = make(job_of("tracking", "results/tracking/e", {"uri": "sqlite:///results/tracking/m.db"}))
    restore.READY.write_text('{"uri": "sqlite:///results/tracking/m.db"}')
    assert restore._store_of([job]) == []
    Path("results/tracking/m.db").touch()
    assert restore._store_of([job]) == ["results/tracking/ready.json"]
    restore.READY.write_text('{"uri": "postgresql://elsewhere"}')
    assert restore._store_of([job]) == []


OUTPUT = """\
Job stats:
job               count
--------------  -------
tracking_store        1
train                10
all                   1
all_scores            1
total                12

Job 3: x
total 5
"""


def test_a_dry_run_is_read_by_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"text": OUTPUT}
    monkeypatch.setattr(scheduler, "_snakemake", lambda *_: said["text"])
    assert scheduler.planned([], []) == {"tracking_store": 1, "train": 10}
    said["text"] = "Nothing to be done (all requested files are present and up to date)."
    assert scheduler.planned([], []) == {}
    said["text"] = "another form"
    with pytest.raises(ValueError, match="dry run is not understood"):
        scheduler.planned([], [])


def test_snakemakes_refusal_comes_with_its_words(here: Path) -> None:
    (here / "broken.yaml").write_text("sources: 3\n")
    with pytest.raises(ValueError, match=r"Snakemake ended with 1:[\s\S]*params.yaml is not usable"):
        scheduler.touch(["x"], [here / "broken.yaml"])


def test_every_kind_of_artefact_is_verified_missed_when_absent_and_kept_by_dvc() -> None:
    root = Path(__file__).parents[2]
    jobs = all_jobs(load_params([root / "params.yaml"]))
    kinds = {job.kind for job in jobs}
    assert kinds - {"tracking"} <= set(ALL) and kinds <= set(WITHOUT)
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"].values()
    kept = {
        path for stage in stages for out in stage.get("outs", []) for path in ([out] if isinstance(out, str) else out)
    }
    assert not [job.folder for job in jobs if not any(Path(job.folder).is_relative_to(path) for path in kept)]
