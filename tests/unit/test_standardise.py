"""One mean and one deviation of the training records: exact, theirs alone, and applied by all who ask a network."""

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.rank_server import Server, command, server
from tests.stores import tensor_store

from codeii.artifacts.checkpoint import Checkpoint, CheckpointCard, read_checkpoint
from codeii.artifacts.predictions import read_predictions, runs_of_set
from codeii.artifacts.targets import read_targets, write_targets
from codeii.artifacts.tensor_store import Signals, read_tensor_store
from codeii.models import resnet1d
from codeii.networks import standardise
from codeii.networks.batches import Inputs, inputs_of, read
from codeii.networks.prefetch import prefetched
from codeii.networks.standardise import AS_STORED, Standard, standard_over
from codeii.prediction.aggregate import probabilities
from codeii.prediction.run import predict
from codeii.prediction.submission import submit
from codeii.schema.recipe import Augmentation
from codeii.tracking.registered import _load_pyfunc
from codeii.training import resume
from codeii.training.augment import Changes, changes_of
from codeii.training.examples import fraction_of
from codeii.training.loop import Keeper
from codeii.training.published import import_weights
from codeii.training.run import train
from codeii.training.validation import mean_loss
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import check_params

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
Files = dict[str, Path]
Settings = dict[str, Any]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """As `tiny_inputs`, but far from zero, and louder outside the training split: what leaks would be seen."""
    return far_from_zero(tmp_path_factory.mktemp("far"), 1.0)


def far_from_zero(folder: Path, loud: float) -> Files:
    """Tensors and targets of 40 records; validation and test records are `loud` times as loud as training ones."""
    rng = np.random.default_rng(3)
    truth = np.stack([np.tile([0, 1], 20), np.repeat([0, 1], 20)], axis=1).astype(np.uint8)
    split = np.array((["train"] * 3 + ["validation"] + ["test"]) * 8)
    signals = 700 + 900.0 * truth[:, :1, None] * np.sin(np.arange(64) / 3) + rng.normal(0, 200, (40, 8, 64))
    signals = np.where((split == "train")[:, None, None], signals, signals * loud)
    signals[:4, :, 50:] = 0  # padding
    ids = pd.DataFrame({"record_id": [f"r{row:02d}" for row in range(40)]})
    ids = ids.assign(exam_id=ids["record_id"], patient_id=ids["record_id"], split=split, age_years=50.0, sex="unknown")
    counts = np.rint(signals).astype(np.int16)
    asked = {"preprocessing": {**PREPROCESSING}}
    first, second = ids.iloc[:17], ids.iloc[17:]
    tensors = tensor_store(folder / "t", ([counts[:17]], first), ([counts[17:]], second), samples=64, settings=asked)
    made: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    return {"tensors": tensors, "targets": write_targets(folder / "y", ids, truth, ["fast", "late"], **made)}


PREPROCESSING = {"rate_hz": 25, "samples": 64}


@pytest.fixture(scope="module")
def settings(tiny_settings: Settings) -> Settings:
    recipe = {**tiny_settings["recipe"], "epochs": 3, "standardise": "training_split"}
    return {**tiny_settings, "recipe": recipe, "preprocessing": PREPROCESSING}


def made(inputs: Files, settings: Settings, folder: Path, start: Path | None = None, **changed: Any) -> Checkpoint:
    train(inputs["tensors"], inputs["targets"], start, {**settings, **changed}, "code", folder, folder / "scratch")
    return read_checkpoint(folder / "manifest.json")


def standard_in(checkpoint: Checkpoint) -> tuple[float, float]:
    return checkpoint.card.input_mean, checkpoint.card.input_deviation


@pytest.fixture(scope="module")
def trained(inputs: Files, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    made(inputs, settings, folder)
    return folder / "manifest.json"


def training_signals(inputs: Files, fraction: float = 1.0) -> np.ndarray:
    """float64 in the store's unit, record by record."""
    targets, store = read_targets(inputs["targets"]), read_tensor_store(inputs["tensors"])
    rows = fraction_of(targets.of("train"), targets.classes, fraction, 0)
    return np.asarray(store.signals[inputs_of(store, rows["record_id"].tolist()).rows]) * 1e-3


@pytest.mark.parametrize("fraction", [1.0, 0.25])
def test_the_card_states_mean_and_deviation_of_the_records_that_were_drawn(
    inputs: Files, settings: Settings, tmp_path: Path, fraction: float
) -> None:
    signals = training_signals(inputs, fraction)
    assert len(signals) == 24 * fraction
    found = standard_in(made(inputs, settings, tmp_path / "run", fraction=fraction))
    np.testing.assert_allclose(found, (signals.mean(), signals.std()), rtol=1e-12)


def test_validation_and_test_records_do_not_enter(settings: Settings, tmp_path: Path) -> None:
    found = [made(far_from_zero(tmp_path / f"{loud}", loud), settings, tmp_path / f"run{loud}") for loud in (1.0, 3.0)]
    assert standard_in(found[0]) == standard_in(found[1])


def test_the_formula_is_the_benchmarks(inputs: Files, trained: Path) -> None:
    """helme/ecg_ptbxl_benchmarking: a StandardScaler over all samples of the training records, then every record."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(np.vstack(list(training_signals(inputs))).flatten()[:, None].astype(float))
    mean, deviation = standard_in(read_checkpoint(trained))
    np.testing.assert_allclose((mean, deviation), (scaler.mean_[0], scaler.scale_[0]), rtol=1e-12)
    store = read_tensor_store(inputs["tensors"])
    record = store.signals[np.array([7])] * 1e-3
    seen = read(inputs_of(store, ["r07"]).standardised(Standard(mean, deviation)), slice(None), CPU)
    expected = scaler.transform(record.flatten()[:, None]).reshape(record.shape)
    np.testing.assert_allclose(seen.numpy(), expected, rtol=0, atol=2e-6)


@given(
    counts=st.lists(st.integers(-32_768, 32_767), min_size=12, max_size=12).filter(lambda found: len(set(found)) > 1),
    order=st.permutations(range(3)),
    size=st.integers(1, 13),
)
def test_sums_are_exact_whatever_the_order_and_the_blocks(counts: list[int], order: list[int], size: int) -> None:
    values = Signals([np.array(counts, np.int16).reshape(3, 2, 2)])
    whole = standard_over(values, np.arange(3), 0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standardise, "BLOCK_SAMPLES", size)
        assert standard_over(values, np.array(order), 0.5) == whole
    exact = sum(counts) / 12
    assert whole.mean == exact * 0.5
    assert whole.deviation == pytest.approx(0.5 * np.sqrt(np.mean((np.array(counts) - exact) ** 2)), rel=1e-12)


def test_the_largest_squares_of_a_block_are_still_exact() -> None:
    extreme = np.full((5, 1, standardise.BLOCK_SAMPLES // 4), -32_768, np.int16)
    extreme[0, 0, 0] = 32_767
    found = standard_over(Signals([extreme]), np.arange(5), 1.0)
    count = extreme.size
    assert found.mean == (-32_768 * (count - 1) + 32_767) / count
    assert found.deviation == pytest.approx(65_535 * np.sqrt(count - 1) / count, rel=1e-15)


def test_records_that_never_change_are_refused() -> None:
    with pytest.raises(ValueError, match="all 12 samples of the training records are equal; there is nothing"):
        standard_over(Signals([np.full((3, 2, 2), 5, np.int16)]), np.arange(3), 1e-3)


def test_a_prediction_sees_what_validation_saw(inputs: Files, trained: Path, tmp_path: Path) -> None:
    predict([trained], *inputs.values(), {}, "c", tmp_path / "p")
    (run,) = runs_of_set(tmp_path / "p/manifest.json")
    found, truth = read_predictions(run), read_targets(inputs["targets"])
    rows = found.records[found.records["split"] == "validation"]
    logits, best = rows[list(found.classes)].to_numpy(), read_checkpoint(trained).manifest.facts["best"]
    assert mean_loss(logits, truth.matrix("validation")) == pytest.approx(best["validation_loss"], rel=1e-6)


def test_a_submission_and_a_registered_network_see_the_same(inputs: Files, trained: Path, tmp_path: Path) -> None:
    store = read_tensor_store(inputs["tensors"])
    signals_mv = (store.signals[np.arange(40)] * 1e-3).astype(np.float32)
    before = signals_mv.copy()
    logits = _load_pyfunc(str(trained.parent)).predict(signals_mv)
    np.testing.assert_array_equal(signals_mv, before)  # the caller's array stays
    predict([trained], *inputs.values(), {}, "c", tmp_path / "p")
    (run,) = runs_of_set(tmp_path / "p/manifest.json")
    records = read_predictions(run).records.set_index("record_id")
    rows = [int(record_id[1:]) for record_id in records.index]
    np.testing.assert_allclose(logits[rows], records[["fast", "late"]].to_numpy(), rtol=0, atol=2e-5)
    submit([trained], inputs["tensors"], {"source": "s", "experiment": "e", "model": "m"}, "c", tmp_path / "s")
    submitted = pd.read_csv(tmp_path / "s/predictions.csv")[["fast", "late"]].to_numpy()
    np.testing.assert_allclose(submitted, probabilities(logits), rtol=0, atol=1e-5)


def test_padding_is_standardised_like_every_sample(inputs: Files) -> None:
    store = read_tensor_store(inputs["tensors"])
    rows = inputs_of(store, ["r01", "r20"]).standardised(Standard(0.7, 0.35))
    seen = read(rows, slice(None), CPU).numpy()
    np.testing.assert_allclose(seen[0, :, 50:], -2.0, rtol=1e-6)
    np.testing.assert_allclose(seen, (store.signals[rows.rows] * 1e-3 - 0.7) / 0.35, rtol=0, atol=2e-6)
    ((_, ahead),) = prefetched(rows, [slice(None)], CPU)
    np.testing.assert_array_equal(ahead, seen)


def test_what_is_not_standardised_is_read_as_ever() -> None:
    values = np.random.default_rng(0).standard_normal((4, 3), np.float32)
    inputs = Inputs(values, np.arange(4), 1.0, np.arange(4))
    np.testing.assert_array_equal(read(inputs, slice(1, 3), CPU), values[1:3])
    assert inputs.standard == AS_STORED


def test_noise_keeps_its_microvolts(
    inputs: Files, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changes_of(Augmentation(noise_uv=50), 400, 4096, "mV", 0.25).noise == pytest.approx(0.2)
    found: list[float] = []

    def noted(*told: Any) -> Changes:
        found.append(changes_of(*told).noise)
        return changes_of(*told)

    monkeypatch.setattr("codeii.training.run.changes_of", noted)
    run = made(inputs, settings, tmp_path, recipe={**settings["recipe"], "epochs": 1, "augmentation": {"noise_uv": 50}})
    assert found == [0.05 / run.card.input_deviation]


@pytest.mark.parametrize("mode", ["full", "linear_probe"])
@pytest.mark.parametrize("said", ["none", "training_split"])
def test_what_starts_from_a_checkpoint_keeps_its_numbers(
    inputs: Files, settings: Settings, trained: Path, tmp_path: Path, mode: str, said: str
) -> None:
    recipe = {**settings["recipe"], "standardise": said}
    more = {"init": "first", "mode": mode, "fraction": 0.5, "recipe": recipe}
    tuned = made(inputs, settings, tmp_path / "run", trained, **more)
    assert standard_in(tuned) == standard_in(read_checkpoint(trained))
    if mode == "linear_probe":  # the probe's features were those of the standardised signals
        predict([tmp_path / "run/manifest.json"], *inputs.values(), {}, "c", tmp_path / "p")
        found = read_predictions(next(iter(runs_of_set(tmp_path / "p/manifest.json"))))
        rows = found.records[found.records["split"] == "validation"][["fast", "late"]].to_numpy()
        loss = mean_loss(rows, read_targets(inputs["targets"]).matrix("validation"))
        assert loss == pytest.approx(tuned.manifest.facts["best"]["validation_loss"], rel=1e-5)


def test_a_start_from_an_encoder_without_numbers_has_none_either(
    inputs: Files, settings: Settings, tmp_path: Path
) -> None:
    plain = {**settings["recipe"], "standardise": "none"}
    assert standard_in(made(inputs, settings, tmp_path / "first", recipe=plain)) == (0.0, 1.0)
    tuned = made(inputs, settings, tmp_path / "second", tmp_path / "first/manifest.json", init="first")
    assert standard_in(tuned) == (0.0, 1.0)


def test_a_card_of_before_says_that_nothing_was_standardised(trained: Path) -> None:
    card = json.loads((trained.parent / "checkpoint.json").read_text())
    del card["input_mean"], card["input_deviation"]
    assert standardise.standard_of(CheckpointCard.model_validate(card)) == AS_STORED
    with pytest.raises(ValueError, match="greater than 0"):
        CheckpointCard.model_validate({**card, "input_deviation": 0.0})


def test_published_weights_are_not_standardised_besides(
    inputs: Files, settings: Settings, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def features(state: dict[str, Any], network: torch.nn.Module) -> dict[str, Any]:
        return {name: value for name, value in state.items() if not name.startswith("head.")}

    monkeypatch.setattr(resnet1d, "load_published", features, raising=False)
    told = {"name": "theirs", "model": "resnet1d", "model_settings": settings["model_settings"], "sha256": None}
    told |= {"needs": {"leads": ["eight"], "rate_hz": [25], "samples": [64]}, "published": {}}
    import_weights(trained.parent / "weights.safetensors", told, "c", tmp_path / "weights")
    start = tmp_path / "weights/manifest.json"
    with pytest.raises(ValueError, match=r"'training_split', but theirs are weights .* trained with; say none"):
        made(inputs, settings, tmp_path / "run", start, init="theirs")
    plain = {**settings["recipe"], "standardise": "none"}
    assert standard_in(made(inputs, settings, tmp_path / "run", start, init="theirs", recipe=plain)) == (0.0, 1.0)


def test_an_interrupted_run_goes_on_with_the_same_numbers(
    inputs: Files, settings: Settings, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = resume.save

    def stop(*arguments: Any) -> None:
        honest(*arguments)
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(resume, "save", stop)
        patch.setattr("codeii.training.run.Keeper", partial(Keeper, every_s=-1.0))
        with pytest.raises(InterruptedError):
            made(inputs, settings, tmp_path / "run")
    assert list(tmp_path.glob("run/scratch/*/state-*1.safetensors"))
    made(inputs, settings, tmp_path / "run")
    for name in ("checkpoint.json", "weights.safetensors", "history.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (trained.parent / name).read_bytes()


@pytest.fixture(scope="module")
def ranks() -> Iterator[Server]:
    with server() as started:
        yield started


def test_several_processes_find_the_same_numbers_and_the_same_curve(
    ranks: Server, inputs: Files, settings: Settings, trained: Path, tmp_path: Path
) -> None:
    recipe = {"optimiser": "sgd", "learning_rate": 2e-3, "batch_size": 7}
    network = {**settings["model_settings"], "dropout_rate": 0.0}
    changed = {**settings, "recipe": {**settings["recipe"], **recipe}, "model_settings": network}
    one = made(inputs, changed, tmp_path / "one")
    assert ranks("train", tmp_path / "two", 2, command=command(inputs, changed, tmp_path / "two")) == [0, 0]
    two = read_checkpoint(tmp_path / "two/run/manifest.json")
    assert standard_in(one) == standard_in(two) == standard_in(read_checkpoint(trained))
    curves = [pd.read_csv(folder / "history.csv") for folder in (tmp_path / "one", tmp_path / "two/run")]
    pd.testing.assert_frame_equal(*curves, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def test_the_setting_reruns_the_runs_of_its_recipe_and_no_others(values: dict[str, Any]) -> None:
    changed = deepcopy(values)
    changed["recipes"]["transfer"]["standardise"] = "training_split"
    jobs = [all_jobs(check_params(one)) for one in (values, changed)]
    found = [{job.manifest: job for job in some if job.rule == "train"} for some in jobs]
    assert found[0].keys() == found[1].keys()
    other = {path for path, job in found[0].items() if job.settings != found[1][path].settings}
    expected = {
        path
        for path, job in found[0].items()
        if values["experiments"][job.settings["experiment"]]["recipe"] == "transfer"
    }
    assert other == expected and 0 < len(other) < len(found[0])


def test_published_weights_under_a_recipe_that_standardises_are_refused_before_the_first_job(
    values: dict[str, Any],
) -> None:
    changed = deepcopy(values)
    changed["weights"] = {"theirs": {"model": "ecgfounder", "encoder": "ECGFounder", "path": "w", "page": "https://h/"}}
    changed["weights"]["theirs"] |= {"sha256": None, "licence": "l"}
    changed["starts"]["theirs_tuned"] = {"init": "theirs", "mode": "full"}
    changed["preprocessing"]["theirs"] = {
        **{"mode": "benchmark_compatible", "rate_hz": 500, "samples": 5000, "leads": "twelve"},
        **{"limb_leads": "recorded", "placement": "sections", "powerline_hz": 50, "baseline": "bandpass"},
        **{"median_baseline_seconds": 0.4, "normalisation": "record"},
    }
    cpsc = {**changed["experiments"]["cpsc2018"], "preprocessing": "theirs", "models": ["ecgfounder"]}
    changed["experiments"]["cpsc2018"] = {**cpsc, "starts": ["theirs_tuned"]}
    check_params(changed)
    changed["recipes"]["transfer"]["standardise"] = "training_split"
    with pytest.raises(
        ValueError, match=r"recipes\.transfer\.standardise: found 'training_split'; theirs_tuned of exp"
    ):
        check_params(changed)
