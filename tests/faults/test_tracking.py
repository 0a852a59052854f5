"""Faults of runs and of the tracker: killed runs are closed and continued, and no fault of the store is anybody's."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.tracked import (
    DATABASE,
    LOSSES,
    STUDY,
    URI,
    environment,
    finished_run,
    folder_of,
    refused_writes,
    run_stub,
    scores_of,
    settings_of,
    start_stub,
    use_store,
    wait_until,
)

from codeii.tracking.follow import follow, mirror
from codeii.tracking.run import track
from codeii.tracking.runs import close_dead
from codeii.tracking.store import alone, open_store, prepare

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own
EVERY_S = 0.1
TRACKING = Path("results/tracking")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was just made; tests copy it."""
    folder = tmp_path_factory.mktemp("template")
    prepare(f"sqlite:///{folder}/mlflow.db", folder)
    return folder / "mlflow.db"


@pytest.fixture
def study(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a study with an empty store."""
    monkeypatch.chdir(tmp_path)
    use_store(template)
    return tmp_path


@contextmanager
def following(uri: str = URI) -> Iterator[list[str]]:
    """A follower beside the test; yields what it says, and lets it end as Ctrl-C does."""
    stop, said = threading.Event(), list[str]()
    thread = threading.Thread(target=follow, args=(uri, STUDY, stop, said.append, EVERY_S, 5.0))
    thread.start()
    try:
        yield said
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def client_of(uri: str = URI) -> "MlflowClient":
    from mlflow.tracking import MlflowClient

    address = uri.replace(str(DATABASE), str(DATABASE.resolve()))  # MLflow keeps the first meaning of a relative one
    return MlflowClient(address, address)


def runs_of(uri: str = URI) -> "list[Run]":
    found = client_of(uri).get_experiment_by_name(STUDY)
    return list(client_of(uri).search_runs([found.experiment_id])) if found else []


def children_of(uri: str = URI) -> "list[Run]":
    return [run for run in runs_of(uri) if "mlflow.parentRunId" in run.data.tags]


def state_of(uri: str = URI) -> list[tuple[str, str]]:
    return sorted((run.info.run_name.split(" ")[0], run.info.status) for run in runs_of(uri))


def steps_of(run_id: str, metric: str = "validation_loss", uri: str = URI) -> list[int]:
    return [one.step for one in client_of(uri).get_metric_history(run_id, metric)]


def shows(status: str, steps: int, uri: str = URI) -> Callable[[], bool]:
    """Whether the only run has a status, as its parent does, and so many epochs."""

    def check() -> bool:
        if state_of(uri) != [("resnet1d", status), ("transfer", status)]:
            return False
        return len(steps_of(children_of(uri)[0].info.run_id, uri=uri)) == steps

    return check


def log(manifests: list[Path], scores: Path, uri: str = URI, seconds: float = 0.0) -> dict[str, Any]:
    settings = {"uri": uri, "study": STUDY, "experiment": "transfer"}
    track(manifests, [scores], settings, "code", TRACKING / "transfer", Path("scratch/transfer"), seconds)
    return dict(json.loads((TRACKING / "transfer/tracked.json").read_text()))


def test_a_killed_run_is_closed_continued_and_completed_as_one_run(study: Path) -> None:
    settings = settings_of()
    with following() as said:
        process = start_stub(settings, 1, 3, 0, "hang")
        wait_until(shows("RUNNING", 3))
        run_id = children_of()[0].info.run_id
        assert children_of()[0].data.params["recipe.epochs"] == "5"
        process.kill()
        process.wait()
        wait_until(shows("KILLED", 3))
        process = start_stub(settings, 2, 4, 15, "hang")  # its state was saved after the first epoch
        wait_until(shows("RUNNING", 4))
        process.kill()
        process.wait()
        wait_until(shows("KILLED", 4))
        run_stub(settings, 4, 5, 30)
        wait_until(shows("FINISHED", 5))
    assert said == []
    assert [run.info.run_id for run in children_of()] == [run_id]
    assert steps_of(run_id) == [1, 2, 3, 4, 5], "no epoch twice"
    assert log([finished_run(settings)], scores_of("transfer", [0])) == {"runs": 1, "registered": ["a_task"]}
    (run,) = children_of()
    assert run.info.run_id == run_id and run.data.metrics["test_macro_auroc"] == 0.75
    assert steps_of(run_id) == steps_of(run_id, "records_per_s") == [1, 2, 3, 4, 5]
    with following():  # it begins again from the events, and leaves what is complete as it is
        pass
    assert state_of() == [("resnet1d", "FINISHED"), ("transfer", "FINISHED")]
    assert steps_of(run_id) == [1, 2, 3, 4, 5]


def test_a_run_that_stopped_says_why_and_one_of_other_code_is_another(study: Path) -> None:
    memory = mirror(URI, STUDY, None)
    run_stub(settings_of(), 1, 2, ending="stopped")
    memory = mirror(URI, STUDY, memory)
    (first,) = children_of()
    assert first.info.status == "KILLED" and first.data.tags["codeii.stopped"] == "SIGTERM"
    run_stub(settings_of(), 1, 3)  # from the beginning, with the same bits
    memory = mirror(URI, STUDY, memory)
    assert [run.info.run_id for run in children_of()] == [first.info.run_id]
    assert steps_of(first.info.run_id) == [1, 2, 3]
    run_stub({**settings_of(), "losses": [0.1] * 5}, 1, 4)
    mirror(URI, STUDY, memory)
    assert sorted(len(steps_of(run.info.run_id)) for run in children_of()) == [3, 4]
    assert {run.info.status for run in children_of()} == {"FINISHED"}


def test_a_run_that_ended_by_an_error_failed(study: Path) -> None:
    run_stub(settings_of(), 1, 2, ending="stopped")
    path = Path("scratch") / folder_of(settings_of()) / "events.jsonl"
    path.write_text(path.read_text().replace("SIGTERM", "ValueError: the loss is nan"))
    mirror(URI, STUDY, None)
    assert shows("FAILED", 2)()
    run_stub(settings_of(), 3, 5, 20)
    mirror(URI, STUDY, None)
    assert shows("FINISHED", 5)()


def test_the_job_closes_what_a_dead_process_left_running(study: Path) -> None:
    process = start_stub(settings_of(seed=1), 1, 2, 0, "hang")
    wait_until((Path("scratch") / folder_of(settings_of(seed=1)) / "events.jsonl").exists)
    wait_until(lambda: mirror(URI, STUDY, None) and shows("RUNNING", 2)())
    store = open_store(URI, STUDY, TRACKING)
    assert close_dead(store) == 0, "it lives"
    process.kill()
    process.wait()
    log([finished_run(settings_of())], scores_of("transfer", [0]))
    found = {run.info.run_name[-5:]: run.info.status for run in children_of()}
    assert found == {"seed0": "FINISHED", "seed1": "KILLED"}


def test_a_store_that_refuses_is_told_of_once_and_gets_everything_later(study: Path) -> None:
    with following() as said:
        run_stub(settings_of(), 1, 2, ending="stopped")
        wait_until(shows("KILLED", 2))
        with refused_writes():
            run_stub(settings_of(), 3, 5, 20)
            wait_until(lambda: said)
        wait_until(shows("FINISHED", 5))
    assert len(said) == 1 and "readonly database" in said[0] and "the runs go on" in said[0]
    assert steps_of(children_of()[0].info.run_id) == [1, 2, 3, 4, 5]


def test_a_locked_store_gets_everything_later(study: Path) -> None:
    run_stub(settings_of(), 1, 1, ending="stopped")
    with following():
        wait_until(shows("KILLED", 1))
        with closing(sqlite3.connect(DATABASE, timeout=60)) as database:
            database.execute("BEGIN EXCLUSIVE")
            run_stub(settings_of(), 2, 5, 10)  # the run does not wait for anybody
            database.rollback()
        wait_until(shows("FINISHED", 5))


@pytest.mark.parametrize("emptied", [False, True])
def test_a_deleted_store_is_made_again_and_filled_from_the_events(study: Path, emptied: bool) -> None:
    with following():
        run_stub(settings_of(), 1, 3, ending="stopped")
        wait_until(shows("KILLED", 3))
        DATABASE.unlink()
        if emptied:
            DATABASE.touch()
        run_stub(settings_of(), 4, 5, 30)
        wait_until((TRACKING / "ready.json").exists)
        wait_until(shows("FINISHED", 5))
    assert steps_of(children_of()[0].info.run_id) == [1, 2, 3, 4, 5]


def test_a_job_goes_on_without_the_store_and_logs_all_when_it_runs_again(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror(URI, STUDY, None)
    run, scores = finished_run(settings_of()), scores_of("transfer", [0])
    with refused_writes():
        assert "readonly database" in log([run], scores)["not_logged"]
    assert "log it later" in capsys.readouterr().err
    assert log([run], scores) == {"runs": 1, "registered": ["a_task"]}
    assert state_of() == [("resnet1d", "FINISHED"), ("transfer", "FINISHED")]


@pytest.mark.parametrize("refused", ["model_versions", "registered_model_aliases", "logged_models", "inputs"])
def test_a_job_that_was_cut_off_anywhere_is_completed_by_the_next(study: Path, refused: str) -> None:
    mirror(URI, STUDY, None)
    run, scores = finished_run(settings_of()), scores_of("transfer", [0])
    with closing(sqlite3.connect(DATABASE)) as database:
        database.execute(f"CREATE TRIGGER cut BEFORE INSERT ON {refused} BEGIN SELECT RAISE(FAIL, 'cut off'); END")
        database.commit()
        assert log([run], scores)["not_logged"]
        database.execute("DROP TRIGGER cut")
        database.commit()
    assert log([run], scores) == {"runs": 1, "registered": ["a_task"]}
    (child,) = children_of()
    assert child.info.status == "FINISHED" and steps_of(child.info.run_id) == [1, 2, 3, 4, 5]
    assert len(child.outputs.model_outputs) == 1
    assert len(client_of().search_model_versions("name = 'a_task'")) == 1
    assert client_of().get_model_version_by_alias("a_task", "best_by_validation").run_id == child.info.run_id


def test_the_schema_and_new_runs_are_made_by_one_at_a_time(tmp_path: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with alone(tmp_path):
            entered.set()

    with alone(tmp_path):
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.3)
    assert entered.wait(10)
    other.join()


def test_jobs_side_by_side_on_a_store_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    processes = []
    for number, name in enumerate(("first", "second", "third")):
        run, scores = finished_run(settings_of(name), [loss - number / 10 for loss in LOSSES]), scores_of(name, [0])
        settings = json.dumps({"uri": URI, "study": STUDY, "experiment": name})
        command = [sys.executable, "-m", "codeii", "track", "--runs", str(run), "--scores", str(scores), "--code", "c"]
        command += ["--settings", settings, "--scratch", f"scratch/{name}", "--out", str(TRACKING / name)]
        processes.append(subprocess.Popen(command, env=environment(MLFLOW_TRACKING_URI="file:./mlruns")))
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    facts = [json.loads((TRACKING / name / "tracked.json").read_text()) for name in ("first", "second", "third")]
    assert facts == [{"runs": 1, "registered": ["a_task"]}] * 3
    assert len(runs_of()) == 6 and {run.info.status for run in runs_of()} == {"FINISHED"}
    best = client_of().get_model_version_by_alias("a_task", "best_by_validation")
    assert client_of().get_run(best.run_id).data.params["experiment"] == "third"
    assert not Path("mlruns").exists()


def test_the_command_follows_until_it_is_told_to_end(study: Path) -> None:
    shutil.copy2(Path(__file__).parents[2] / "params.yaml", "params.yaml")
    run_stub(settings_of(), 1, 4, ending="stopped")
    command = [sys.executable, "-m", "codeii", "track", "--follow", "--directory", "."]
    variables = environment(MLFLOW_TRACKING_URI="file:./mlruns")
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None and "following the runs below" in process.stderr.readline()
    run_stub(settings_of(), 5, 5, 40)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, process.stderr.read()
    process.stderr.close()
    experiment = client_of().search_experiments(filter_string="name LIKE 'CODE-II%'")[0]
    runs = client_of().search_runs([experiment.experiment_id])
    (child,) = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert child.info.status == "FINISHED" and steps_of(child.info.run_id) == [1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Address of a PostgreSQL server of our own, and what starts and stops it."""
    pytest.importorskip("psycopg2", reason="needs psycopg2, PostgreSQL's driver, which MLflow does not bring along")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("needs PostgreSQL's server: no initdb in /usr/lib/postgresql/*/bin")
    folder = Path("/tmp") / f"codeii-postgres-{os.getpid()}"  # its socket's path may have 107 characters
    as_user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}  # it does not run as root
    folder.mkdir(mode=0o755)
    if as_user:
        shutil.chown(folder, **as_user)

    def control(verb: str) -> None:
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        command = [str(found[-1].with_name("pg_ctl")), "-D", f"{folder}/data", "-w", "-m", "immediate", "-o", options]
        subprocess.run([*command, "-l", f"{folder}/log", verb], check=True, capture_output=True, cwd=folder, **as_user)

    initdb = [str(found[-1]), "-D", f"{folder}/data", "-A", "trust", "-U", "codeii", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **as_user)
    control("start")
    yield f"postgresql://codeii@/postgres?host={folder}", control
    control("stop")
    shutil.rmtree(folder)


def test_postgres_that_goes_down_gets_everything_later(
    postgres: tuple[str, Callable[[str], None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, control = postgres
    monkeypatch.chdir(tmp_path)
    prepare(uri, TRACKING)
    with following(uri) as said:
        run_stub(settings_of(), 1, 3, ending="stopped")
        wait_until(shows("KILLED", 3, uri))
        control("stop")
        run_stub(settings_of(), 4, 5, 30)
        wait_until(lambda: said)
        assert log([finished_run(settings_of())], scores_of("transfer", [0]), uri)["runs"] == 0
        control("start")
        wait_until(shows("FINISHED", 5, uri))
    assert len(said) == 1
    assert log([finished_run(settings_of())], scores_of("transfer", [0]), uri) == {"runs": 1, "registered": ["a_task"]}
    (child,) = children_of(uri)
    assert steps_of(child.info.run_id, uri=uri) == [1, 2, 3, 4, 5]
