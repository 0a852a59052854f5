"""Weights published by others: from their file to scores, and what of a file is refused, in words."""

import pickle
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from tests.weight_rule import weight_of

from codeii.artifacts.checkpoint import PUBLISHED, read_checkpoint
from codeii.artifacts.duplicates import PAIR_COLUMNS, UNSEARCHED_COLUMNS, write_duplicates
from codeii.artifacts.leakage import read_leakage
from codeii.artifacts.manifest import IntegrityError, load_manifest, sha256_of
from codeii.artifacts.targets import read_targets, write_targets
from codeii.evaluation.run import evaluate
from codeii.leakage.gate import check_leakage
from codeii.models import build, rebuild, resnet1d
from codeii.prediction.run import predict
from codeii.reporting.build import make_table
from codeii.reporting.study import Inputs
from codeii.training import alone
from codeii.training.published import import_weights, read_published
from codeii.training.run import train

Settings = dict[str, Any]
State = dict[str, torch.Tensor]
PREFIX = "encoder."  # what the published names have and ours have not


def load_published(state: Mapping[str, np.ndarray], network: torch.nn.Module) -> dict[str, np.ndarray]:
    """As a model file has it: published names to ours; the published classifier is left behind."""
    wanted = {name: value.shape for name, value in network.state_dict().items() if not name.startswith("head.")}
    given = {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}
    if missing := sorted(wanted.keys() - given.keys()):
        raise ValueError(f"missing {PREFIX}{missing[0]}")
    if unexpected := sorted(given.keys() - wanted.keys()):
        raise ValueError(f"unexpected {PREFIX}{unexpected[0]}")
    for name, shape in wanted.items():
        if given[name].shape != tuple(shape):
            raise ValueError(f"{PREFIX}{name} is {given[name].shape}, expected {tuple(shape)}")
    return given


@pytest.fixture(autouse=True)
def published_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resnet1d, "load_published", load_published, raising=False)


@pytest.fixture
def settings(tiny_settings: Settings) -> Settings:
    seen = {"data": "10 recordings", "sources": {"ptbxl": "yes", "cpsc2018": "no"}, "known": "stated in a test"}
    return {
        "name": "theirs",
        "model": "resnet1d",
        "model_settings": tiny_settings["model_settings"],
        "needs": {"leads": ["eight"], "rate_hz": [25], "samples": [256, 512]},
        "sha256": None,
        "published": {"encoder": "Theirs", "page": "https://example.org/w", "licence": "MIT", "seen": seen},
    }


@pytest.fixture
def state(tiny_settings: Settings) -> State:
    """The published tensors, made by rule, with a published classifier of five classes."""
    network = build("resnet1d", 8, 5, tiny_settings["model_settings"])
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    names = {name: f"{PREFIX}{name}" for name in shapes if not name.startswith("head.")}
    names |= {"head.weight": "dense.weight", "head.bias": "dense.bias"}
    return {theirs: torch.from_numpy(weight_of(theirs, shapes[own])) for own, theirs in names.items()}


def saved(path: Path, found: Any) -> Path:
    torch.save(found, path)
    return path


def imported(file: Path, settings: Settings, folder: Path) -> Path:
    import_weights(file, settings, "code", folder)
    return folder / "manifest.json"


FORMS: dict[str, Callable[[Path, State], object]] = {
    "w.safetensors": lambda path, state: save_file(state, path),
    "flat.pt": lambda path, state: torch.save(state, path),
    "state_dict.pth": lambda path, state: torch.save({"state_dict": state, "epoch": 3, "name": "x"}, path),
    "model.pt": lambda path, state: torch.save({"model": state, "args": None}, path),
    "model_state_dict.bin": lambda path, state: torch.save({"model_state_dict": state}, path),
    "legacy.tar": lambda path, state: torch.save(state, path, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file_gives_the_same_checkpoint(
    form: str, state: State, settings: Settings, tmp_path: Path
) -> None:
    FORMS[form](tmp_path / form, state)
    checkpoint = read_checkpoint(imported(tmp_path / form, settings, tmp_path / "out"))
    kept = {name: value for name, value in checkpoint.weights.items() if not name.startswith("head.")}
    assert len(kept) == len(state) - 2
    for name, value in kept.items():
        np.testing.assert_array_equal(value, state[f"{PREFIX}{name}"].numpy())
    assert checkpoint.imported and checkpoint.card.trained_on == ["theirs"]
    rebuild(checkpoint)  # proven by its probe
    said = checkpoint.manifest.facts[PUBLISHED]
    assert said["sha256"] == sha256_of(tmp_path / form) and said["licence"] == "MIT"
    assert list(checkpoint.manifest.inputs) == [(tmp_path / form).as_posix()]


def test_the_same_file_gives_the_same_bytes(state: State, settings: Settings, tmp_path: Path) -> None:
    file = saved(tmp_path / "w.pt", state)
    for name in ("one", "two"):
        torch.rand(1)
        imported(file, settings, tmp_path / name)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]


@pytest.mark.parametrize("mode", ["full", "linear_probe"])
def test_from_file_to_scores_and_what_stands_beside_them(
    mode: str,
    state: State,
    settings: Settings,
    tiny_inputs: dict[str, Path],
    tiny_settings: Settings,
    tmp_path: Path,
) -> None:
    tensors, targets = tiny_inputs["tensors"], tiny_inputs["targets"]
    start = imported(saved(tmp_path / "w.pt", {"model": state}), settings, tmp_path / "weights")
    wanted = {**tiny_settings, "start": "theirs_tuned", "init": "theirs", "mode": mode}
    train(tensors, targets, start, wanted, "code", tmp_path / "run", tmp_path / "scratch")
    run = read_checkpoint(tmp_path / "run/manifest.json")
    assert run.card.trained_on == ["theirs", "tiny_task"] and not run.imported
    own = "conv1.weight"
    assert np.array_equal(run.weights[own], state[PREFIX + own].numpy()) == (mode == "linear_probe")
    predict([tmp_path / "run/manifest.json"], tensors, targets, {}, "code", tmp_path / "predictions")
    leakage = gate(tiny_inputs, tmp_path, "theirs")
    evaluation = {"metrics": ["auroc"], "replicates": 20, "few_positives": 1}
    asked = {"evaluation": evaluation}
    predictions = tmp_path / "predictions/manifest.json"
    evaluate(predictions, targets, leakage, asked, "code", tmp_path / "scores")
    scores = tmp_path / "scores/manifest.json"
    assert load_manifest(scores, "scores").facts[PUBLISHED]["theirs_tuned"]["name"] == "theirs"
    make_table("headline", Inputs(scores=(scores,)), {"level": 0.95}, "code", tmp_path / "headline")
    page = (tmp_path / "headline/table.html").read_text()
    assert "theirs_tuned from Theirs, pretrained on 10 recordings; has seen cpsc2018 no, ptbxl yes" in page
    assert "licence of the weights: MIT; https://example.org/w; sha256" in page
    runs = (tmp_path / "run/manifest.json",)
    make_table("contamination", Inputs(runs=runs, leakage=(leakage,)), {"level": 0.95}, "code", tmp_path / "seen")
    table = pd.read_csv(tmp_path / "seen/table.csv")
    assert table["seen"].tolist() == ["theirs"]
    assert table["overlap"].tolist() == ["yes: pretrained on 10 recordings (stated in a test)"]


def gate(tiny_inputs: dict[str, Path], folder: Path, weights: str, source: str = "ptbxl") -> Path:
    """The leakage gate of one experiment that starts from published weights."""
    truth = read_targets(tiny_inputs["targets"])
    ids = truth.table[["record_id", "exam_id", "patient_id", "split", "age_years", "sex"]]
    matrix = truth.table[list(truth.classes)].to_numpy(np.uint8)
    made: dict[str, Any] = {"code": "c", "inputs": [], "facts": {}, "synthetic": True}
    task = {"name": "tiny_task", "task": {"source": source}}
    targets = write_targets(folder / "t", ids, matrix, list(truth.classes), settings=task, **made)
    none = pd.DataFrame(columns=list(PAIR_COLUMNS)), pd.DataFrame(columns=list(UNSEARCHED_COLUMNS))
    duplicates = write_duplicates(folder / "d", *none, settings={}, **made)
    seen = {"data": "10 recordings", "sources": {"ptbxl": "yes"}, "known": "stated in a test"}
    way = {"task": "tiny_task", "seen": [], "predict": [], "weights": [weights]}
    asked = {"experiments": {"e": way}, "waive": [], "weights": {weights: seen}}
    check_leakage(duplicates, [targets], asked, "c", folder / "leakage")
    return folder / "leakage/manifest.json"


def test_what_nobody_says_is_undetermined_and_stops_nothing(tiny_inputs: dict[str, Path], tmp_path: Path) -> None:
    (note,) = read_leakage(gate(tiny_inputs, tmp_path, "theirs", "code15")).findings.to_dict("records")
    assert (note["kind"], note["task"], note["other_record_id"]) == ("pretrained_by_others", "tiny_task", "theirs")
    assert note["why"] == "undetermined: pretrained on 10 recordings (stated in a test)"


def test_a_run_on_other_tensors_than_they_need_is_refused(
    state: State, settings: Settings, tiny_inputs: dict[str, Path], tiny_settings: Settings, tmp_path: Path
) -> None:
    needs = {"leads": ["eight"], "rate_hz": [500], "samples": [256]}
    start = imported(saved(tmp_path / "w.pt", state), {**settings, "needs": needs}, tmp_path / "weights")
    wanted = {**tiny_settings, "init": "theirs"}
    with pytest.raises(ValueError, match="published weights need tensors of rate_hz 500, these have 25"):
        train(*tiny_inputs.values(), start, wanted, "code", tmp_path / "run", tmp_path / "scratch")


@pytest.mark.parametrize("form", ["flat.pt", "w.safetensors"])
def test_other_precisions_become_float32(form: str, tmp_path: Path) -> None:
    kinds = (torch.float16, torch.bfloat16, torch.float64, torch.int64)
    FORMS[form](tmp_path / form, {str(kind): torch.tensor([1.5, -0.25, 2.0]).to(kind) for kind in kinds})
    found, _ = read_published(tmp_path / form, None)
    assert found.pop("torch.int64").dtype == np.int64
    assert all(value.dtype == np.float32 and value.tolist() == [1.5, -0.25, 2.0] for value in found.values())
    assert len(found) == 3


# --- what is refused ---


class Runs:
    """A pickle of this calls a function as it is read."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.arguments


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_would_run_a_command_is_refused_and_nothing_of_it_is_run(
    legacy: bool, settings: Settings, tmp_path: Path
) -> None:
    import os

    mark = tmp_path / "mark"
    evil = {"state_dict": {"a": torch.ones(1)}, "x": Runs(os.system, f"touch {mark}")}
    torch.save(evil, tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match=r"it asks for posix.system. Nothing of it was run; ask its publisher"):
        imported(tmp_path / "w.pt", settings, tmp_path / "out")
    assert not mark.exists() and not (tmp_path / "out").exists()
    pickle_alone = tmp_path / "p.pt"
    pickle_alone.write_bytes(pickle.dumps(Runs(os.system, f"touch {mark}")))
    with pytest.raises(ValueError, match=r"p\.pt: "):
        read_published(pickle_alone, None)
    assert not mark.exists()
    torch.load(tmp_path / "w.pt", weights_only=False)  # the test itself would notice
    assert mark.exists()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("__import__('os').system('touch {mark}')", "os.system is refused"),
        ("__import__('subprocess').run(['touch', '{mark}'])", "subprocess.Popen is refused"),
        ("open('{mark}', 'w')", "open is refused"),
        ("__import__('os').fork()", "os.fork is refused"),
        ("__import__('socket').create_connection(('127.0.0.1', {port}))", "socket"),
    ],
)
def test_even_what_ran_there_could_not_act(act: str, words: str, tmp_path: Path) -> None:
    """Were PyTorch's reader to fail: `weights_only` is taken out, and the process still lets nothing happen."""
    weak = tmp_path / "weak.py"
    weak.write_text(Path(alone.__file__).read_text().replace("weights_only=True", "weights_only=False"))
    mark = tmp_path / "mark"
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = act.format(mark=mark, port=server.getsockname()[1])
        file = saved(tmp_path / "w.pt", {"a": torch.ones(1), "x": Runs(eval, code)})
        monkey = pytest.MonkeyPatch()
        with monkey.context() as patch:
            patch.setattr(alone, "__file__", str(weak))
            with pytest.raises(ValueError, match=words):
                read_published(file, None)
    assert not mark.exists()


def test_a_file_that_grows_without_end_is_stopped(tmp_path: Path) -> None:
    huge = torch.ones(1).expand(1 << 33)  # four bytes on disk, 32 GiB as tensors
    with pytest.raises(ValueError, match="took more memory or time than its size allows"):
        read_published(saved(tmp_path / "w.pt", {"a": huge}), None)


def test_another_file_than_the_pinned_one_stops_with_both_hashes(
    state: State, settings: Settings, tmp_path: Path
) -> None:
    file = saved(tmp_path / "w.pt", state)
    good, other = sha256_of(file), "0" * 64
    imported(file, {**settings, "sha256": good}, tmp_path / "good")
    with pytest.raises(IntegrityError, match=f"sha256 is {good}, params.yaml pins {other}"):
        imported(file, {**settings, "sha256": other}, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_hash_to_pin_is_said(
    state: State, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path / "w.pt", state)
    imported(file, settings, tmp_path / "out")
    assert f"weights.theirs.sha256 is null; pin this file: {sha256_of(file)}" in capsys.readouterr().out
    imported(file, {**settings, "sha256": sha256_of(file)}, tmp_path / "out")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_a_truncated_file_is_refused_in_words(name: str, state: State, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / name
    FORMS["flat.pt" if name == "w.pt" else "w.safetensors"](file, state)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"{name}: not a file of tensors that can be read \(.+\); get it again"):
        imported(file, settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "it holds dict, expected tensors by name"),
        (torch.ones(2), "it holds Tensor, expected tensors by name"),
        ({"net": {"a": torch.ones(1)}}, "no tensors in it, nor under exactly one of state_dict, model, .* it has: net"),
        ({"model": {"a": torch.ones(1)}, "state_dict": {"a": torch.ones(1)}}, "nor under exactly one of"),
        ({"model": {"a": torch.ones(1), "lr": 0.1}}, "'lr' is no plain tensor but float"),
        ({"a": torch.ones(1), "b": torch.ones(1, dtype=torch.complex64)}, "'b' is no plain tensor but torch.complex64"),
        ({"a": torch.eye(2).to_sparse()}, "'a' is no plain tensor"),
    ],
)
def test_what_is_no_state_is_refused_in_words(found: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        read_published(saved(tmp_path / "w.pt", found), None)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tensor b is not finite"):
        read_published(saved(tmp_path / "w.pt", {"a": torch.ones(2), "b": torch.tensor([1.0, value])}), None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop(f"{PREFIX}conv1.weight"), "missing encoder.conv1.weight"),
        (lambda state: state.update({f"{PREFIX}more": torch.ones(1)}), "unexpected encoder.more"),
        (lambda state: state.update({f"{PREFIX}bn1.bias": torch.ones(3)}), r"encoder.bn1.bias is \(3,\), expected"),
    ],
)
def test_weights_of_another_network_are_refused_in_words(
    change: Callable[[State], Any], words: str, state: State, settings: Settings, tmp_path: Path
) -> None:
    change(state)
    with pytest.raises(ValueError, match=rf"w\.pt: not the published weights of resnet1d: {words}"):
        imported(saved(tmp_path / "w.pt", state), settings, tmp_path / "out")


def test_a_model_file_that_forgets_a_tensor_is_caught(
    state: State, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgets(state: Mapping[str, np.ndarray], network: torch.nn.Module) -> dict[str, np.ndarray]:
        return {name: value for name, value in load_published(state, network).items() if name != "bn1.bias"}

    monkeypatch.setattr(resnet1d, "load_published", forgets)
    with pytest.raises(ValueError, match=r"load_published: bn1.bias is None, the network has \(8,\)"):
        imported(saved(tmp_path / "w.pt", state), settings, tmp_path / "out")


def test_the_reader_imports_nothing_of_the_package() -> None:
    assert "codeii" not in Path(alone.__file__).read_text().split('"""')[2]
