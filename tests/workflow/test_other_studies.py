"""The same workflow on real recordings, and the plan of the study at full size."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.workflow.conftest import ROOT, copy_checkout

pytestmark = pytest.mark.study


LOCAL = {"origin": "local", "path": "/data", "layout": {"table": "exams.csv"}}
OPEN = {"sources": {"code_ii_open": LOCAL, "code_ii_test": LOCAL}}
FULL = {
    "sources": {"code_ii": LOCAL, "code_ii_test": LOCAL},
    "experiments": {"code_ii_pretraining": {"task": "code_ii_full"}},
}


@pytest.mark.parametrize(
    ("declared", "sources", "train", "total"),
    [({}, 3, 202, 391), (OPEN, 5, 367, 605), (FULL, 5, 367, 845)],
    ids=["awaiting CODE-II", "CODE-II-open declared", "CODE-II in full declared"],
)
def test_a_dry_run_at_full_size_has_the_known_number_of_jobs(
    tmp_path: Path, declared: dict[str, Any], sources: int, train: int, total: int
) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(declared))
    files = ("config/paper.yaml", str(tmp_path / "mine.yaml"))
    output = checkout.snakemake(
        "-n", "--quiet", "rules", "--configfile", *files, "--directory", str(tmp_path / "paper")
    )
    counts = dict(re.findall(r"^(\w+) +(\d+)$", output.split("Job stats:")[1], re.M))
    assert counts["train"] == str(train)
    assert counts["fetch"] == counts["records"] == counts["audit"] == str(sources)
    assert counts["tensors"] == str(sources + 1)  # PTB-XL also as the supervised references take it
    assert "synthesise" not in counts
    assert counts["descriptors"] == str(sources) and counts["duplicates"] == counts["leakage"] == "1"
    assert counts["total"] == str(total)


def test_a_study_that_awaits_all_its_data_stops_before_the_first_job(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    over = tmp_path / "over.yaml"
    over.write_text("run: {experiments: [code_ii_pretraining]}\n")
    files = ("config/paper.yaml", str(over))
    output = checkout.snakemake("-n", "--configfile", *files, "--directory", str(tmp_path / "paper"), expect=1)
    assert "nothing of this study can be run yet:" in output
    assert "set sources.code_ii_open to origin: local with path and layout" in output
    assert "Traceback" not in output


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
    assert "not run: start code_ii_linear of ptbxl_superdiagnostic, ptbxl_all, cpsc2018 (3 runs)" in page
    assert page.count("not run: data not released") > 12
    assert "ptbxl 1.0.3-sample; the source" in page and "preprocessing code_100hz" in page
    folder = tmp_path / "results/published/tables/audit"
    audit = pd.read_csv(folder / "table.csv").set_index("source")
    assert audit["kept"].to_dict() == {"ptbxl": 149, "cpsc2018": 47, "code15": 6}
    assert audit["absent"].to_dict() == {"ptbxl": 21_650, "cpsc2018": 6_830, "code15": 0}
    assert not audit["fault"].any()
