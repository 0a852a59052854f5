"""The door of the audits: what goes in comes out, and nothing else goes through."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from codeii.artifacts.audit import AUDIT, FINDINGS, Check, Finding, Histogram, Known, Report, read_audit, write_audit
from codeii.artifacts.manifest import IntegrityError, write_manifest

COUNTS = {"named": 6, "kept": 3, "absent": 2, "faulty": 1, "exams": 3, "patients": 2, "flagged": 1}
CHECKS = (
    Check("unit", "fault", "1 to 6 mV", "12 mV", "card"),
    Check("left out", "noted", "none", "1 flat", "gates", (Finding("007", 'a "b", c', "NA"), Finding("1", "", "x"))),
    Check("age", "ok", "0 to 120", "all", "metadata"),
)
KNOWN = (Known("007", "found", "flag:offset", "flags: offset", "far from zero", "literature"),)
SHAPES = {"length_s": Histogram((0.0, 5.0, 10.0), (1, 2), 3)}
REPORT = Report("fake", "Fake", "1", COUNTS, CHECKS, KNOWN, SHAPES)


def write(folder: Path, report: Report = REPORT) -> Path:
    return write_audit(folder, report, settings={"source": "fake"}, code="c", inputs=[], synthetic=True)


def test_an_audit_comes_back_as_it_was(tmp_path: Path) -> None:
    audit = read_audit(write(tmp_path))
    assert audit.report == REPORT
    assert audit.verdicts() == {"fault": 1, "noted": 1, "ok": 1} == audit.manifest.facts["verdicts"]
    assert audit.findings["record_id"].tolist() == ["007", "1"]
    assert audit.findings["expected"].tolist() == ["NA", "x"]


def test_the_same_audit_gives_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "one").read_bytes() == write(tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (replace(REPORT, checks=(CHECKS[0], CHECKS[0])), "check unit is given more than once"),
        (replace(REPORT, checks=(replace(CHECKS[0], verdict="bad"),)), "bad is no verdict"),
        (replace(REPORT, known=(replace(KNOWN[0], state="lost"),)), "lost is no verdict .* and no state"),
        (replace(REPORT, counts={**COUNTS, "absent": 3}), "6 records are named, but kept, absent and faulty"),
        (replace(REPORT, distributions={"x": Histogram((0.0, 1.0), (1, 2))}), "distribution x: 2 counts between 2"),
    ],
)
def test_an_audit_that_breaks_the_form_is_not_written(tmp_path: Path, report: Report, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path, report)
    assert not list(tmp_path.iterdir())


def test_two_files_that_disagree_are_not_read(tmp_path: Path) -> None:
    write(tmp_path)
    pd.read_csv(tmp_path / FINDINGS, dtype=str).iloc[:1].to_csv(tmp_path / FINDINGS, index=False)
    again = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    manifest = write_manifest(tmp_path, "audit", files=[AUDIT, FINDINGS], **again)
    with pytest.raises(ValueError, match="1 findings of check 'left out', the audit says 2"):
        read_audit(manifest)


@pytest.mark.parametrize("name", [AUDIT, FINDINGS])
def test_a_flipped_byte_is_noticed_in_every_file(tmp_path: Path, name: str) -> None:
    manifest = write(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{name}: content changed"):
        read_audit(manifest)


def test_the_file_is_plain_json_without_the_findings(tmp_path: Path) -> None:
    write(tmp_path)
    value = json.loads((tmp_path / AUDIT).read_text())
    assert [check["records"] for check in value["checks"]] == [0, 2, 0]
    assert "007" not in json.dumps(value["checks"])
