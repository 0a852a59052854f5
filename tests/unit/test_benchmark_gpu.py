"""The GPU benchmark needs torch and numpy alone, and runs in full on any machine with `--smoke`."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

HIDES = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
HIDDEN = {"pandas", "pydantic", "safetensors", "pyarrow", "scipy", "h5py", "snakemake"}
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in HIDDEN else find(name, *rest)
"""


def test_it_runs_with_torch_and_numpy_alone(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDES)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "benchmarks/gpu.py", "--smoke", "--out", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["failed"] == {}
    assert found["ways"]["eager float32, DataLoader"]["times the usual way"] == 1
    assert found["ways"]["ours, float32"]["records/s"] > 0
    assert found["projections"].keys() >= {"epoch of CODE-II-open, s", "epoch of CODE-II full, 1 GPU, min"}
