"""Fixtures shared by all tests."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# A slow machine is no failure, and a failure must come again: no deadline, the same examples every time.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real recordings and reference numbers beside the checkout; tests skip without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the real recordings and reference numbers in {folder}, which is not there")
    return folder


@pytest.fixture(scope="session")
def tiny_inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Manifests of small synthetic tensors and targets: 8 leads x 256 samples, three classes, two tracings an exam."""
    import numpy as np
    import pandas as pd

    from codeii.artifacts.targets import write_targets
    from codeii.schema.params import Preprocessing
    from tests.stores import tensor_store

    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(7)
    exams = 60
    truth = (rng.random((exams, 3)) < 0.4).astype(np.uint8)
    exam = np.repeat(np.arange(exams), 2)
    time_s = np.arange(256) / 25
    waves_mv = np.stack([np.sin(2 * np.pi * rate_hz * time_s) for rate_hz in (1.0, 2.5, 6.0)])
    signals_mv = (
        np.einsum("rk,kt->rt", truth[exam].astype(float), waves_mv)[:, None] * np.linspace(0.5, 1.5, 8)[:, None]
    )
    counts = np.rint((signals_mv + 0.3 * rng.standard_normal((2 * exams, 8, 256))) * 1000).astype(np.int16)
    split = np.where(exam < 36, "train", np.where(exam < 48, "validation", "test"))
    ids = pd.DataFrame(
        {
            "record_id": [f"r{row:03d}" for row in range(2 * exams)],
            "exam_id": [f"e{number:03d}" for number in exam],
            "patient_id": [f"p{number:03d}" for number in exam],
            "split": split,
            "age_years": 50.0,
            "sex": "unknown",
        }
    )
    preprocessing = Preprocessing(rate_hz=25, samples=256).model_dump()
    common = {"code": "c", "inputs": [], "facts": {}, "synthetic": True}
    reverse = np.arange(2 * exams)[::-1]  # the store's order is not the targets'
    index = ids.iloc[reverse]
    tensors = tensor_store(
        folder / "tensors",
        ([counts[reverse[:50]]], index.iloc[:50]),
        ([counts[reverse[50:]]], index.iloc[50:]),
        samples=256,
        settings={"preprocessing": preprocessing},
    )
    targets = write_targets(folder / "targets", ids, truth[exam], ["slow", "middle", "fast"], settings={}, **common)
    return {"tensors": tensors, "targets": targets}


@pytest.fixture(scope="session")
def tiny_settings() -> dict[str, Any]:
    """Settings of a run on `tiny_inputs` that takes about a second; tests copy before they change."""
    return {
        "experiment": "tiny_experiment",
        "task": "tiny_task",
        "model": "resnet1d",
        "model_settings": {"filters": [8, 8, 16], "strides": [1, 4, 4], "kernel_size": 9, "head_samples": 1},
        "start": "scratch",
        "init": "random",
        "mode": "full",
        "fraction": 1.0,
        "per_class": 0,
        "seed": 0,
        "recipe": {"epochs": 4, "batch_size": 16, "learning_rate": 1e-2, "head_learning_rate": 1e-1},
        "preprocessing": {"rate_hz": 25, "samples": 256},
    }
