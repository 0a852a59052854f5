"""The job that mirrors finished runs into MLflow: what is there, once, and what MLflow can do with it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.tracked import LOSSES, STUDY, URI, finished_run, folder_of, run_stub, scores_of, settings_of

from codeii.artifacts.checkpoint import probe_input, read_checkpoint
from codeii.artifacts.manifest import write_manifest
from codeii.tracking.epochs import Epoch, finished, metrics_of, tags_of, told
from codeii.tracking.page import track_page
from codeii.tracking.processes import is_dead
from codeii.tracking.registry import CHAMPION, LOSS, MAKER, TARGETS, best_of
from codeii.tracking.run import prepare_store, track
from codeii.tracking.runs import identity_of, name_of, params_of, scratch_of
from codeii.tracking.store import file_of, patiently

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Path, MlflowClient]":
    """A study with an experiment of two runs, logged; the shell's MLFLOW_TRACKING_URI names the refused file store."""
    from mlflow.tracking import MlflowClient

    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", "file:./mlruns")
        prepare_store({"uri": URI}, Path("results/tracking"))
        run_stub(settings_of(seed=0), 1, 5)
        runs = [finished_run(settings_of(seed=seed), [loss + seed for loss in LOSSES]) for seed in (0, 1)]
        log(runs, scores_of("transfer", [0, 1]))
        assert not Path("mlruns").exists()
    return folder, MlflowClient(f"sqlite:///{folder}/results/tracking/mlflow.db")


@pytest.fixture
def client(tracked: "tuple[Path, MlflowClient]", monkeypatch: pytest.MonkeyPatch) -> "MlflowClient":
    monkeypatch.chdir(tracked[0])
    return tracked[1]


def log(runs: list[Path], scores: Path, experiment: str = "transfer", seconds: float = 0.0) -> dict[str, Any]:
    settings = {"uri": URI, "study": STUDY, "experiment": experiment}
    folder = Path("results/tracking") / experiment
    track(runs, [scores], settings, "code", folder, Path("scratch") / experiment, seconds)
    return dict(json.loads((folder / "tracked.json").read_text()))


def runs_of(client: "MlflowClient") -> "dict[str, Run]":
    experiment = client.get_experiment_by_name(STUDY)
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_an_experiment_is_a_parent_and_a_child_per_run(client: "MlflowClient") -> None:
    runs = runs_of(client)
    assert set(runs) == {"transfer", "resnet1d scratch f0.1 seed0", "resnet1d scratch f0.1 seed1"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    parent = runs.pop("transfer").info.run_id
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent}


def test_a_run_by_count_is_called_by_it_and_one_told_before_there_were_counts_by_its_fraction() -> None:
    by_count = settings_of(fraction=0.0, per_class=20)
    assert name_of(by_count) == "resnet1d scratch n20 seed0"
    assert scratch_of(Path("s"), by_count) == Path("s/resnet1d/scratch-n20/seed0")
    earlier = {name: value for name, value in settings_of().items() if name != "per_class"}
    assert name_of(earlier) == "resnet1d scratch f0.1 seed0"


def test_a_run_holds_params_hashes_data_sets_and_scores(client: "MlflowClient") -> None:
    run = runs_of(client)["resnet1d scratch f0.1 seed0"]
    assert run.data.params["recipe.batch_size"] == "16" and run.data.params["seed"] == "0"
    assert run.data.metrics["test_macro_auroc"] == 0.75
    tags = run.data.tags
    assert len(tags["codeii.input.results/targets/a_task/manifest.json"]) == 64
    assert tags["codeii.code"] == "c0de" and len(tags["codeii.lock"]) == 16 and tags["codeii.synthetic"] == "true"
    assert {one.dataset.name for one in run.inputs.dataset_inputs} == {
        "results/tensors/a_source",
        "results/targets/a_task",
    }
    files = {one.path for one in client.list_artifacts(run.info.run_id, "checkpoint")}
    assert "checkpoint/weights.safetensors" in files and "checkpoint/manifest.json" in files


@pytest.mark.skipif(
    not (Path(__file__).parents[2] / ".git").exists(), reason="needs the checkout to be a git repository"
)
def test_a_run_holds_commit_and_whether_files_were_changed(client: "MlflowClient") -> None:
    tags = runs_of(client)["resnet1d scratch f0.1 seed0"].data.tags
    assert len(tags["mlflow.source.git.commit"]) == 40 and tags["codeii.git.dirty"] in ("true", "false")


def test_metrics_by_epoch_include_throughput_where_the_run_told_it(client: "MlflowClient") -> None:
    runs = runs_of(client)
    told_of, silent = (runs[f"resnet1d scratch f0.1 seed{seed}"].info.run_id for seed in (0, 1))
    for run_id, added in ((told_of, 0), (silent, 1)):
        history = client.get_metric_history(run_id, "validation_loss")
        assert {one.step: one.value for one in history} == {n: loss + added for n, loss in enumerate(LOSSES, 1)}
    assert [one.value for one in client.get_metric_history(told_of, "records_per_s")] == [101, 102, 103, 104, 105]
    assert client.get_metric_history(silent, "records_per_s") == [], "what was not measured is absent, not zero"


def test_what_is_not_finite_is_a_tag_and_no_metric(client: "MlflowClient") -> None:
    run = runs_of(client)["resnet1d scratch f0.1 seed0"]
    assert run.data.tags["codeii.not_finite.memory_mb"].startswith("epoch 1: nan, epoch 2: nan")
    assert "memory_mb" not in run.data.metrics
    epochs = [Epoch(3, 0, {"a": 1.0}, {"b": "inf"})]
    assert [(one.key, one.value) for one in metrics_of(epochs)] == [("a", 1.0)]
    assert [(one.key, one.value) for one in tags_of(epochs)] == [("codeii.not_finite.b", "epoch 3: inf")]


def test_the_parent_shows_the_loss_curves(client: "MlflowClient", tmp_path: Path) -> None:
    parent = runs_of(client)["transfer"].info.run_id
    picture = Path(client.download_artifacts(parent, "loss_curves.png", str(tmp_path)))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_parent_shows_the_scores_with_their_intervals(client: "MlflowClient", tmp_path: Path) -> None:
    parent = runs_of(client)["transfer"].info.run_id
    file = Path(client.download_artifacts(parent, "scores/resnet1d/scores.csv", str(tmp_path)))
    assert file.read_bytes() == Path("results/scores/transfer/resnet1d/scores.csv").read_bytes()


def a_page(folder: Path, text: str) -> tuple[Path, list[Path]]:
    """Manifests of a report and of the table on it."""
    made: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    table = folder / "tables/headline"
    for path, words in ((folder / "report.html", text), (folder / "metrics.json", '{"a.auroc": 0.75}')):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words)
    table.mkdir(parents=True, exist_ok=True)
    (table / "table.csv").write_text("x\n1\n")
    (table / "table.html").write_text("<p>")
    parts = [write_manifest(table, "table", files=["table.csv", "table.html"], **made)]
    return write_manifest(folder, "report", files=["report.html", "metrics.json"], **made), parts


@pytest.fixture
def addresses_kept() -> Iterator[None]:
    """MLflow remembers the last store it was given, for the whole process: give it back the one of the other tests."""
    import mlflow

    kept = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    yield
    mlflow.set_tracking_uri(kept[0])
    mlflow.set_registry_uri(kept[1])


@pytest.mark.usefixtures("tracked", "addresses_kept")
def test_the_page_is_logged_once_and_a_changed_page_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    folder, settings = Path("results/tracking/the-page"), {"uri": URI, "study": STUDY}
    prepare_store({"uri": URI}, folder.parent)
    for text in ("one", "one", "two"):
        track_page(*a_page(Path("results/published"), text), settings, "c", folder, 0.0)
        assert json.loads((folder / "tracked.json").read_text()) == {"logged": True}
    client = MlflowClient(f"sqlite:///{tmp_path}/results/tracking/mlflow.db")
    experiment = client.get_experiment_by_name(STUDY)
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    pages = [client.download_artifacts(run.info.run_id, "report.html", str(tmp_path)) for run in runs]
    assert Path(pages[-1]).read_text() == "two"
    assert runs[0].data.metrics == {"a.auroc": 0.75} and runs[0].data.tags["codeii.synthetic"] == "true"
    files = [file.path for file in client.list_artifacts(runs[0].info.run_id, "tables/headline")]
    assert files == ["tables/headline/table.csv"]
    Path("gone").write_text("in the way")
    nowhere = {"uri": "sqlite:///gone/mlflow.db", "study": STUDY}
    track_page(*a_page(Path("results/published"), "three"), nowhere, "c", folder, 0.0)
    assert json.loads((folder / "tracked.json").read_text())["not_logged"]
    assert "--forcerun track_page" in capsys.readouterr().err


def test_the_best_run_is_registered_under_its_task_and_loads_without_pickle(
    client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    best = runs_of(client)["resnet1d scratch f0.1 seed0"].info.run_id
    version = client.get_model_version_by_alias("a_task", CHAMPION)
    assert version.run_id == best
    network = mlflow.pyfunc.load_model(f"models:/a_task@{CHAMPION}")
    signals = probe_input(8, 64)[:1]
    np.testing.assert_array_equal(network.input_example, signals)
    card = read_checkpoint(Path("results/runs") / folder_of(settings_of()) / "manifest.json").card
    np.testing.assert_allclose(network.predict(signals), card.probe_logits[:1], atol=1e-5)
    assert network.metadata.signature.inputs.inputs[0].shape == (-1, 8, 64)
    assert network.metadata.signature.outputs.inputs[0].shape == (-1, 3)
    artifacts = Path("results/tracking/artifacts")
    assert not [path for path in artifacts.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pth")]


def test_logging_again_adds_nothing(client: "MlflowClient") -> None:
    manifests = [Path("results/runs") / folder_of(settings_of(seed=seed)) / "manifest.json" for seed in (0, 1)]
    before = {
        name: len(client.get_metric_history(run.info.run_id, "train_loss")) for name, run in runs_of(client).items()
    }
    assert log(manifests, Path("results/scores/transfer/resnet1d/manifest.json")) == {
        "runs": 2,
        "registered": ["a_task"],
    }
    after = {
        name: len(client.get_metric_history(run.info.run_id, "train_loss")) for name, run in runs_of(client).items()
    }
    assert after == before == {"transfer": 0, "resnet1d scratch f0.1 seed0": 5, "resnet1d scratch f0.1 seed1": 5}
    assert len(client.search_model_versions("name = 'a_task'")) == 1
    experiment = client.get_experiment_by_name(STUDY)
    assert len(client.search_runs([experiment.experiment_id])) == 3


def test_other_code_is_another_run_and_a_better_one_takes_the_alias(client: "MlflowClient") -> None:
    experiment = client.get_experiment_by_name(STUDY).experiment_id
    first = log([finished_run(settings_of("other", 7), [0.4])], scores_of("other", [7]), "other")
    assert first["registered"] == ["a_task"]
    better = client.get_model_version_by_alias("a_task", CHAMPION)
    assert client.get_run(better.run_id).data.metrics["validation_loss"] == 0.4
    log([finished_run(settings_of("other", 7), [0.8])], scores_of("other", [7]), "other")
    ids = [run.info.run_id for run in client.search_runs([experiment]) if run.info.run_name.endswith("seed7")]
    assert len(ids) == 2, "the same settings, but other losses: the code was changed"
    again = client.get_model_version_by_alias("a_task", CHAMPION)
    assert again.run_id == runs_of(client)["resnet1d scratch f0.1 seed0"].info.run_id, "0.5 is best of what is current"


def version(number: int, maker: str, loss: float, targets: str = "t") -> Any:
    return SimpleNamespace(version=str(number), tags={MAKER: maker, LOSS: repr(loss), TARGETS: targets})


def test_the_alias_compares_what_is_current_on_the_same_records() -> None:
    assert best_of([version(1, "a", 0.5), version(2, "b", 0.7)]).version == "1"
    assert best_of([version(1, "a", 0.5), version(2, "b", 0.7), version(10, "a", 0.9)]).version == "2"
    assert best_of([version(1, "a", 0.5), version(2, "b", 0.7, "other targets")]).version == "2"


def test_a_store_that_cannot_be_had_fails_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/tracking").write_text("in the way of the folder")
    prepared = Path("elsewhere")
    prepare_store({"uri": URI}, prepared, 0.0)
    assert json.loads((prepared / "ready.json").read_text()) == {"uri": URI}
    run, scores = finished_run(settings_of()), scores_of("transfer", [0])
    settings = {"uri": URI, "study": STUDY, "experiment": "transfer"}
    track([run], [scores], settings, "code", prepared / "transfer", Path("scratch"), 0.0)
    told_of = json.loads((prepared / "transfer/tracked.json").read_text())
    assert told_of["runs"] == 0 and told_of["not_logged"]
    said = capsys.readouterr().err
    assert "could not be prepared" in said and "snakemake --cores all --forcerun track" in said


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise OSError("locked\nat length")

    assert patiently(fail, 0.6) == (None, "locked")
    assert len(calls) == 2
    assert patiently(lambda: 7, 0.0) == (7, "")


def test_identity_is_of_study_and_settings() -> None:
    ours = identity_of(STUDY, settings_of())
    assert ours == identity_of(STUDY, dict(reversed(settings_of().items())))
    others = [identity_of("other", settings_of()), identity_of(STUDY, settings_of(seed=1))]
    assert len({ours, *others, identity_of(STUDY, settings_of(recipe={}))}) == 4


def test_params_are_flat() -> None:
    found = {one.key: one.value for one in params_of({"a": {"b": 1, "c": {"e": None}, "f": {}}, "d": [1, 2]})}
    assert found == {"a.b": "1", "a.c.e": "None", "a.f": "{}", "d": "[1, 2]"}


def test_events_of_another_training_lend_nothing_to_a_run(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch,steps,validation_loss,validation_auroc\n1,5,0.5,\n2,10,0.4,0.9\n")
    live = told(
        {"event": "epoch", "time": "2026-01-01T00:00:00+00:00", "epoch": n, "validation_loss": loss, "records_per_s": 9}
        for n, loss in ((1, 0.50001), (2, 0.9))
    )
    first, second = finished(tmp_path, live)
    assert first.values == {"steps": 5, "validation_loss": 0.5, "records_per_s": 9} and first.time_ms == 1767225600000
    assert second.values == {"steps": 10, "validation_loss": 0.4, "validation_auroc": 0.9}


def test_a_process_is_dead_only_where_that_is_certain() -> None:
    from codeii.artifacts.events import this_process

    now = {**this_process(), "time": "2999-01-01T00:00:00+00:00"}
    assert not is_dead(now)
    assert is_dead({**now, "time": "1999-01-01T00:00:00+00:00"}), "a process of this number began after the event"
    assert is_dead({**now, "boot_id": "another boot"})
    assert not is_dead({**now, "host": "another", "pid": 1 << 30}), "nothing is known of another host's processes"
    assert is_dead({**now, "pid": 1 << 22})
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
    assert is_dead({**now, "pid": child})
    os.waitpid(child, 0)


def test_the_file_of_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/a")
    assert file_of("sqlite:///${WHERE}/b.db") == Path("/a/b.db")
    assert file_of("postgresql://me@host/db") is None
