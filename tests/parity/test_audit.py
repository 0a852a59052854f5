"""The audit of the sample of published recordings: it names their known faults, and calls nothing else a fault."""

from pathlib import Path

import pytest
from tests.stores import build_records

from codeii.artifacts.audit import Audit, read_audit
from codeii.artifacts.raw_archive import write_raw_archive
from codeii.audit.run import audit
from codeii.workflow.jobs import all_jobs
from codeii.workflow.load import load_params

ROOT = Path(__file__).parents[2]
FOLDERS = {"ptbxl": "ptbxl", "cpsc2018": "", "code15": "code15"}


@pytest.fixture(scope="module")
def audits(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audit]:
    """Every source of the sample, read and audited with the settings of tests/params/real.yaml."""
    params = load_params([ROOT / "params.yaml", ROOT / "tests/params/real.yaml"])
    asked = {job.wildcards["source"]: job.settings for job in all_jobs(params) if job.rule == "audit"}
    found = {}
    for source, folder in FOLDERS.items():
        out = tmp_path_factory.mktemp(source)
        root = shared / "data" / folder
        files = [path for path in root.rglob("*") if path.is_file()]
        raw = write_raw_archive(out / "raw", root, files, source=source, origin="local", settings={}, code="c")
        build_records(raw, source, {"layout": {}, "max_faulty_share": 0.0}, "c", out / "records")
        audit(out / "records" / "manifest.json", raw, asked[source], "c", out / "audit")
        found[source] = read_audit(out / "audit" / "manifest.json")
    return found


def records_of(audit: Audit, check: str) -> set[str]:
    return set(audit.findings["record_id"][audit.findings["check"] == check])


def test_the_known_faults_that_are_there_are_found_and_no_other_is_claimed(audits: dict[str, Audit]) -> None:
    there = {
        (source, item.record_id): (item.state, item.expected)
        for source, audit in audits.items()
        for item in audit.report.known
        if item.state != "absent" and item.expected != "not named"
    }
    assert there == {
        ("code15", "438277"): ("found", "flag:limb_lead_gap"),
        ("code15", "358121"): ("found", "flag:limb_lead_gap"),
        ("code15", "975093"): ("found", "flag:offset"),
        ("code15", "1594286"): ("found", "flag:offset"),
    }
    dropped = [item.state for item in audits["ptbxl"].report.known if item.expected == "not named"]
    assert dropped == ["found"] * 38  # none of the rows that 1.0.3 dropped is in its table
    absent = {item.record_id for audit in audits.values() for item in audit.report.known if item.state == "absent"}
    assert {"162", "A0953", "A0608", "A0061", "270272"} <= absent


def test_nothing_of_the_sample_is_a_fault_and_what_is_noted_is_known(audits: dict[str, Audit]) -> None:
    assert [audit.verdicts()["fault"] for audit in audits.values()] == [0, 0, 0]
    noted = {
        name: {check.check for check in audit.report.checks if check.verdict == "noted"}
        for name, audit in audits.items()
    }
    assert noted == {
        "ptbxl": {"baseline", "mains", "statements agree"},
        "cpsc2018": set(),
        "code15": {"records named", "limb leads close everywhere", "baseline", "steps"},
    }
    ptbxl, code15 = audits["ptbxl"], audits["code15"]
    assert records_of(ptbxl, "baseline") == {"200", "305", "336", "349", "421", "442", "500"}
    assert records_of(ptbxl, "mains") == {"336"}
    assert records_of(ptbxl, "statements agree") == {"330"}  # NORM and AFIB
    assert records_of(code15, "limb leads close everywhere") == {"438277", "358121"} == records_of(code15, "steps")
    assert records_of(code15, "baseline") == {"975093", "1594286"}


def test_every_record_of_the_sample_is_accounted_for(audits: dict[str, Audit]) -> None:
    words = ("named", "kept", "absent", "faulty")
    counts = {name: tuple(audit.report.counts[word] for word in words) for name, audit in audits.items()}
    assert counts == {
        "ptbxl": (21_799, 149, 21_650, 0),
        "cpsc2018": (6_877, 47, 6_830, 0),
        "code15": (6, 6, 0, 0),
    }
    assert {name: sum(audit.report.distributions["length_s"].counts) for name, audit in audits.items()} == {
        "ptbxl": 149,
        "cpsc2018": 47,
        "code15": 6,
    }


def test_the_numbers_of_the_sample_are_within_the_published_ones(audits: dict[str, Audit]) -> None:
    checks = {check.check: check for check in audits["ptbxl"].report.checks}
    assert checks["published counts: fold"].found.endswith("9: 30, 10: 20")
    assert checks["number of statements"].found == "56 in 149 records"
    assert checks["mains frequency"].found.startswith("medians 3.")  # Germany: 50 Hz is heard, 60 Hz is not
    classes = {check.check: check for check in audits["cpsc2018"].report.checks}["published counts: class cpsc2018"]
    assert classes.verdict == "ok" and classes.found.startswith("Normal: 6, AF: 8, I-AVB: 5")
