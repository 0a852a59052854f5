"""The same workflow on real recordings, and the plan of the study at full size."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.conftest import ROOT, copy_checkout

pytestmark = pytest.mark.study


def test_a_dry_run_at_full_size_has_the_known_number_of_jobs(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    output = checkout.snakemake(
        "-n", "--quiet", "rules", "--configfile", "config/paper.yaml", "--directory", str(tmp_path / "paper")
    )
    counts = dict(re.findall(r"^(\w+) +(\d+)$", output.split("Job stats:")[1], re.M))
    assert counts["train"] == "280"
    assert counts["fetch"] == counts["records"] == counts["tensors"] == "5"
    assert "synthesise" not in counts
    assert counts["descriptors"] == "5" and counts["duplicates"] == counts["leakage"] == "1"
    assert counts["total"] == "364"


def test_real_recordings_go_from_file_to_report(shared: Path, tmp_path: Path) -> None:
    """PTB-XL, both forms of CPSC 2018 and CODE-15%; the faulty records of the sample are named."""
    over = tmp_path / "over.yaml"
    text = (ROOT / "tests/params/real.yaml").read_text()
    over.write_text(text.replace("../../../shared", str(shared)).replace("epochs: 4", "epochs: 1"))
    command = ["snakemake", "--cores", "2", "--configfile", str(over), "--directory", str(tmp_path), "--quiet"]
    path = str(Path(sys.executable).parent / "snakemake")
    done = subprocess.run([path, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    page = (tmp_path / "results/published/report.html").read_text()
    assert "SYNTHETIC" not in page
    folder = tmp_path / "results/published/tables/data_quality"
    quality = pd.read_csv(folder / "table.csv").set_index("source")
    assert quality["read"].to_dict() == {"ptbxl": 149, "cpsc2018": 47, "code15": 6}
    assert quality["absent"].to_dict() == {"ptbxl": 21_650, "cpsc2018": 6_830, "code15": 0}
    flagged = pd.read_csv(folder / "flagged.csv", dtype=str).groupby("flags")["record_id"].agg(set).to_dict()
    assert flagged["limb_lead_gap"] == {"438277", "358121"}
    assert flagged["offset"] == {"975093", "1594286"}
