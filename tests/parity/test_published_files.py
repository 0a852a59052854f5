"""Files as their authors would publish them, by the weight rule: import, the published answers, a run, predictions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.stores import tensor_store
from tests.weight_rule import weight_of

from codeii.artifacts.checkpoint import read_checkpoint
from codeii.artifacts.predictions import read_predictions, runs_of_set
from codeii.artifacts.targets import write_targets
from codeii.models import rebuild
from codeii.prediction.run import predict
from codeii.schema.params import Preprocessing
from codeii.training.published import import_weights
from codeii.training.run import train
from codeii.workflow.weights import needs_of_tensors

CASES: dict[str, tuple[str, str, str, dict[str, Any], dict[str, Any]]] = {
    # model: case of shared/parity, its family, its features, the model's settings, a preprocessing they accept
    "ecgfounder": (
        "ecgfounder_12lead_150_nobn", "networks_cnn", "features", {}, {"rate_hz": 500, "samples": 1250},
    ),
    "hubert_ecg": (
        "hubert_ecg_small_cls9", "networks_hubert_ecg", "pooled",
        {"width": 512, "layers": 8, "heads": 8, "hidden": 2048}, {"rate_hz": 100, "samples": 500},
    ),
}  # fmt: skip


def saved(shared: Path, case: str, family: str, path: Path) -> Path:
    """The published tensors in the wrapper that training code leaves."""
    facts = json.loads((shared / "parity" / f"{family}_keys.json").read_text())[case]
    state = {key: torch.from_numpy(weight_of(key, tuple(shape)).copy()) for key, shape, _ in facts["tensors"]}
    torch.save({"state_dict": state, "epoch": 1}, path)
    return path


def inputs(folder: Path, preprocessing: dict[str, Any]) -> list[Path]:
    """Manifests of twelve records of noise, and of targets for them."""
    rows, samples = np.arange(12), preprocessing["samples"]
    ids = pd.DataFrame({name: [f"{name[0]}{row}" for row in rows] for name in ("record_id", "exam_id", "patient_id")})
    ids = ids.assign(split=["train", "train", "validation", "test"] * 3, age_years=50.0, sex="unknown")
    counts = np.random.default_rng(1).integers(-900, 900, (12, 12, samples)).astype(np.int16)
    tensors = tensor_store(
        folder / "tensors", ([counts], ids), leads=12, samples=samples, settings={"preprocessing": preprocessing}
    )
    truth = np.stack([rows % 8 < 4, rows % 2 == 0], axis=1).astype(np.uint8)
    common = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    return [tensors, write_targets(folder / "targets", ids, truth, ["A", "B"], **common)]


@pytest.mark.parametrize("model", CASES)
def test_a_published_file_gives_the_published_features_and_is_fine_tuned(
    model: str, shared: Path, tmp_path: Path
) -> None:
    case, family, output, model_settings, shape = CASES[model]
    settings = {"name": "theirs", "model": model, "model_settings": model_settings, "sha256": None, "published": {}}
    settings["needs"] = needs_of_tensors(model)
    import_weights(saved(shared, case, family, tmp_path / "file.pt"), settings, "c", tmp_path / "weights")
    network = rebuild(read_checkpoint(tmp_path / "weights/manifest.json"))
    length = 5000 if model == "ecgfounder" else 500
    x_BLT = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 12 * length)).astype(np.float32))
    with torch.inference_mode():
        found = network.features(x_BLT.reshape(2, 12, length)).numpy()
    expected = np.load(shared / "parity" / f"{family}_outputs.npz")[f"{case}|{output}|f32"]
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=2e-5)

    preprocessing = Preprocessing(leads="twelve", **shape).model_dump()
    made = inputs(tmp_path, preprocessing)
    recipe = {"epochs": 1, "batch_size": 3, "learning_rate": 1e-4, "head_learning_rate": 1e-2}
    run = {"experiment": "e", "task": "t", "model": model, "model_settings": model_settings, "start": "s", "seed": 0}
    run |= {"init": "theirs", "fraction": 1.0, "per_class": 0, "recipe": recipe, "preprocessing": preprocessing}
    for mode in ("linear_probe", "full"):
        train(*made, tmp_path / "weights/manifest.json", {**run, "mode": mode}, "c", tmp_path / mode, tmp_path / "s")
    probed, tuned = (read_checkpoint(tmp_path / mode / "manifest.json") for mode in ("linear_probe", "full"))
    imported = read_checkpoint(tmp_path / "weights/manifest.json")
    kept = [name for name in imported.weights if not name.startswith("head.") and imported.weights[name].size]
    assert all(np.array_equal(probed.weights[name], imported.weights[name]) for name in kept)
    assert any(not np.array_equal(tuned.weights[name], imported.weights[name]) for name in kept)
    assert tuned.card.trained_on == ["theirs", "t"]
    predict([tmp_path / "full/manifest.json"], *made, {}, "c", tmp_path / "predictions")
    (told,) = (read_predictions(path) for path in runs_of_set(tmp_path / "predictions/manifest.json"))
    assert np.isfinite(told.records[["A", "B"]].to_numpy()).all() and len(told.records) == 6
