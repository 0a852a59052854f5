"""What the audit says of a source: counts, signals, people, labels and known faults."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.stores import build_records, record_store

from codeii.artifacts.audit import Audit, Check, read_audit
from codeii.artifacts.manifest import IntegrityError
from codeii.artifacts.raw_archive import write_raw_archive
from codeii.artifacts.record_store import read_record_store
from codeii.audit.counts import count_checks
from codeii.audit.distributions import LENGTH_S, histogram
from codeii.audit.known import ids_of, known_check, known_faults, planted_in
from codeii.audit.labels import label_checks
from codeii.audit.people import people_checks
from codeii.audit.run import audit
from codeii.audit.signals import signal_checks
from codeii.audit.subject import TABLES, Subject, rows_of
from codeii.schema.labels import LabelSet, read_label_set
from codeii.schema.record import MEASURES, REASONS, Card, Exclusion, Measures, Record
from codeii.synthetic.build import synthesise
from codeii.synthetic.planted import SENTENCES, plant

CARD = Card("Fake", "1", "", "", 4, 3, (500,), 50, "standard", "int16, 1000 per mV", "", "folds by patient", (), "")
GOOD = Measures(2000.0, 0.003, 1.0, 5.0, 0.0, 0.1, 400.0, 300.0, 4.0, 0.5)
LABELS = LabelSet("fake", ("A", "B"), {"a": ("A",), "b": ("B",)})


def record(name: str, **changes: object) -> Record:
    signal = np.zeros((12, 5000), np.int16)
    made = Record(name, name, f"p{name}", 1, signal, 500, {"a": None}, "1", 60.0, "female", measures=GOOD)
    return replace(made, **changes)


Make = Callable[..., Subject]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A subject from records and exclusions, through the record store."""

    def subject(*items: Record | Exclusion, source: str = "fake", **changes: Any) -> Subject:
        facts = {"source": source, "card": asdict(CARD), "absent": sum(_absent(item) for item in items)}
        facts["faulty"] = sum(isinstance(item, Exclusion) for item in items) - facts["absent"]
        manifest = record_store(tmp_path / "records", items, facts=facts, synthetic=False)
        store = read_record_store(manifest)
        values: dict[str, Any] = {
            "source": source,
            "synthetic": False,
            "card": store.manifest.facts["card"],
            "facts": store.manifest.facts,
            "expected_exams": CARD.records,
            "records": store.records,
            "excluded": store.excluded,
            "statements": list(store.statements()),
            "label_sets": (LABELS,),
            "planted": {},
        }
        return Subject(**{**values, **changes})

    return subject


def _absent(item: Record | Exclusion) -> bool:
    return isinstance(item, Exclusion) and item.reason == "absent"


def out(name: str, reason: str = "flat") -> Exclusion:
    return Exclusion(name, reason, "signal", "nothing", "something")


def by_name(checks: Any) -> dict[str, Check]:
    found = {check.check: check for check in checks}
    assert all(check.expected and check.found and check.since for check in found.values())
    return found


# --- counts ---


def test_a_whole_source_is_ok_and_adds_up(make: Make) -> None:
    checks = by_name(count_checks(make(record("1"), record("2"), record("3", patient_id="p1"), record("4"))))
    assert {check.verdict for check in checks.values()} == {"ok"}
    assert checks["records accounted for"].found.startswith("4 named = 4 kept + 0 absent + 0 left out; 4 present")
    assert checks["patients"].found == "3 patients, up to 2 exams each"


def test_a_part_is_noted_and_what_is_left_out_is_named_with_its_reason(make: Make) -> None:
    checks = by_name(count_checks(make(record("1"), out("2"), out("3", "wrong_checksum"), out("4", "absent"))))
    assert checks["records named"].verdict == "ok"
    assert checks["records accounted for"].found == "4 named = 1 kept + 1 absent + 2 left out; 3 present"
    left_out = checks["records left out"]
    assert (left_out.verdict, left_out.found) == ("noted", "1 flat, 1 wrong_checksum (66.67% of those present)")
    assert [finding.record_id for finding in left_out.findings] == ["2", "3"]
    assert left_out.findings[0].found == "flat: signal nothing"
    assert checks["checksums and missing samples"].verdict == "noted"
    few = by_name(count_checks(make(record("1"))))
    assert few["records named"].verdict == "noted" and "a part of the source" in few["records named"].found


def test_more_records_than_published_and_lost_ones_are_faults(make: Make) -> None:
    many = make(*(record(str(number)) for number in range(5)))
    checks = by_name(count_checks(many))
    assert checks["records named"].verdict == checks["patients"].verdict == "fault"
    lost = by_name(count_checks(replace(many, records=many.records.iloc[:4])))
    assert lost["records accounted for"].verdict == "fault" and "'records': 5" in lost["records accounted for"].found


def test_tracings_count_as_one_exam_also_where_one_is_left_out(make: Make) -> None:
    tracings = [record(f"7_{n}", exam_id="7", tracing=n) for n in (1, 2)]
    assert make(*tracings, out("7_3"), out("8_1", "absent")).exams == 2
    assert make(record("a_1"), out("a_2")).exams == 2  # names that only look so


def test_of_a_whole_source_as_many_may_be_missing_as_were_left_out(make: Make) -> None:
    rows = [record(str(n), fold="9") for n in range(3)]
    subject = make(*rows, out("x"), source="ptbxl")
    folds = [check for check in people_checks(subject) if check.check == "published counts: fold"]
    assert [check.verdict for check in folds] == ["fault"]  # 3 of 2,183 in fold 9, but one record is left out
    assert "9: 2,183" in folds[0].expected and "9: 3" in folds[0].found
    part = make(*rows, out("x", "absent"), source="ptbxl")
    (fold,) = [check for check in people_checks(part) if check.check == "published counts: fold"]
    assert fold.verdict == "ok" and "of a part of the source" in fold.expected
    assert not [c for c in people_checks(replace(part, synthetic=True)) if c.check.startswith("published")]


# --- signals ---


def test_a_good_source_has_only_ok_signals(make: Make) -> None:
    checks = by_name(signal_checks(make(record("1"), record("2"))))
    assert {check.verdict for check in checks.values()} == {"ok"}
    assert checks["unit"].found == "median 2.00 mV peak to peak" and "1 to 6 mV" in checks["unit"].expected
    assert checks["sampling rate"].found == "2 at 500 Hz"
    assert checks["mains frequency"].found == "medians 4.0 uV at 50 Hz, 0.5 uV at 60 Hz"


@pytest.mark.parametrize(
    ("flag", "check"),
    [
        ("limb_lead_gap", "limb leads close everywhere"),
        ("identical_leads:V1=V2", "leads are twelve different ones"),
        ("swap_suspected:LA-RA", "electrodes in their places"),
        ("inversion_suspected:V3", "electrodes in their places"),
        ("flat_lead:V1", "leads are connected"),
        ("still:V1", "leads are connected"),
        ("saturated:V2", "nothing is cut off"),
        ("clipped", "nothing is cut off"),
        ("offset", "baseline"),
        ("wander", "baseline"),
        ("mains", "mains"),
        ("step", "steps"),
        ("repeated_stretch", "no stretch occurs twice"),
    ],
)
def test_every_flag_of_a_signal_is_a_finding_of_its_check(make: Make, flag: str, check: str) -> None:
    checks = by_name(signal_checks(make(record("1"), record("2", flags=("age_masked", flag)))))
    assert checks[check].verdict == "noted"
    assert [(finding.record_id, finding.found) for finding in checks[check].findings] == [("2", flag)]
    assert [name for name, other in checks.items() if other.verdict != "ok"] == [check]


def test_leads_in_a_wrong_order_are_a_fault_of_the_source_and_noted_of_a_record(make: Make) -> None:
    wrong = record("x", flags=("limb_leads_inconsistent",))
    many = by_name(signal_checks(make(record("1"), wrong)))
    few = by_name(signal_checks(make(*(record(str(n)) for n in range(20)), wrong)))
    assert many["order of the limb leads"].verdict == "fault"
    assert few["order of the limb leads"].verdict == "noted"


def test_a_wrong_unit_rate_length_or_mains_frequency_is_told(make: Make) -> None:
    small = replace(GOOD, peak_to_peak_uv=400.0, mains_50_uv=0.5, mains_60_uv=30.0)
    subject = make(record("1", measures=small), record("2", measures=small, rate_hz=1000), source="ptbxl")
    checks = by_name(signal_checks(subject))
    assert (checks["unit"].verdict, checks["sampling rate"].verdict) == ("fault", "fault")
    assert (checks["length"].verdict, checks["length"].expected) == ("noted", "10 s")
    assert "1 outside" in checks["length"].found
    assert checks["mains frequency"].verdict == "noted"


def test_a_source_without_a_record_has_no_signals_and_no_people(make: Make) -> None:
    empty = make(out("1"))
    assert not [*signal_checks(empty), *people_checks(empty), *label_checks(empty)]
    assert by_name(count_checks(empty))["patients"].found == "0 patients, up to 0 exams each"


# --- people ---


def test_unknown_ages_and_sexes_are_listed(make: Make) -> None:
    checks = by_name(people_checks(make(record("1", age_years=np.nan), record("2", sex="unknown"), record("3"))))
    assert [finding.record_id for finding in checks["age"].findings] == ["1"]
    assert [finding.record_id for finding in checks["sex"].findings] == ["2"]
    assert checks["sex"].found == "2 female, 1 unknown"


def test_a_patient_in_two_folds_is_a_fault(make: Make) -> None:
    rows = [record("1", patient_id="p"), record("2", patient_id="p", fold="2"), record("3")]
    checks = by_name(people_checks(make(*rows)))
    assert checks["folds by patient"].verdict == "fault"
    assert [finding.record_id for finding in checks["folds by patient"].findings] == ["1", "2"]
    assert by_name(people_checks(make(record("1"), record("2", fold="2"))))["folds by patient"].verdict == "ok"


# --- labels ---


def test_the_grammar_of_the_labels_is_checked_by_record(make: Make) -> None:
    rows = [record(str(n)) for n in range(40)]
    rows += [record("odd", statements={"a": 100.0, "zz": None}), record("much", statements={"b": 120.0})]
    rows += [record("none", statements={}), record("twice", flags=("statement_twice",))]
    rows += [record("comma", flags=("statement_empty",))]
    checks = by_name(label_checks(make(*rows)))
    told = {name: [finding.record_id for finding in check.findings] for name, check in checks.items()}
    assert told["statements are known"] == ["odd"] and checks["statements are known"].found == "unknown: 1 zz"
    assert told["likelihoods"] == ["much"] and checks["likelihoods"].verdict == "fault"
    assert told["statements are there"] == ["none"]
    assert told["statements are given once"] == ["twice", "comma"]


def test_records_without_statements_are_only_counted_where_they_are_usual(make: Make) -> None:
    checks = by_name(label_checks(make(record("1", statements={}), record("2"))))
    assert (checks["statements are there"].verdict, checks["statements are there"].findings) == ("ok", ())
    assert checks["statements are there"].found == "1 records without any (50.0%)"


@pytest.mark.parametrize(
    ("source", "said", "found"),
    [
        ("ptbxl", ("NORM", "AFIB", "PVC"), ["NORM and AFIB"]),
        ("ptbxl", ("NORM", "SR"), []),
        ("cpsc2018", ("1", "2"), ["1 and 2"]),
        ("cpsc2018", ("426783006", "164889003", "59118001"), ["426783006 and 164889003 and 59118001"]),
        ("cpsc2018", ("1",), []),
        ("code15", ("SB", "ST"), ["SB and ST"]),
        ("code15", ("AF", "1dAVb"), ["AF and 1dAVb"]),
        ("fake", ("NORM", "AFIB"), []),
    ],
)
def test_statements_that_exclude_each_other_are_noted(
    make: Make, source: str, said: tuple[str, ...], found: list[str]
) -> None:
    subject = make(record("1", statements=dict.fromkeys(said)), source=source)
    check = by_name(label_checks(subject))["statements agree"]
    assert [finding.found for finding in check.findings] == found
    assert check.verdict == ("noted" if found else "ok")


def test_more_statements_than_are_published_are_a_fault(make: Make) -> None:
    subject = make(*(record(str(n), statements={f"s{n}": None}) for n in range(7)), source="code15")
    assert by_name(label_checks(subject))["number of statements"].verdict == "fault"
    withheld = make(record("1"), source="code_ii_test", label_sets=())
    checks = by_name(label_checks(withheld))
    assert checks["number of statements"].verdict == "fault" and "statements are known" not in checks


def test_class_counts_of_a_source_are_those_published(make: Make) -> None:
    subject = make(record("1", statements={"NORM": 0.0}), source="ptbxl", expected_exams=1)
    subject = replace(subject, label_sets=(read_label_set("ptbxl_superdiagnostic"),))
    check = by_name(label_checks(subject))["published counts: class ptbxl_superdiagnostic"]
    assert check.verdict == "fault" and "NORM: 9,514" in check.expected and "NORM: 1" in check.found


# --- known faults ---


def state_of(subject: Subject, record_id: str) -> list[str]:
    return [item.state for item in known_faults(subject) if item.record_id == record_id]


def test_a_known_fault_is_found_missing_or_absent(make: Make) -> None:
    gap = record("162", flags=("limb_lead_gap",))
    assert state_of(make(gap, source="ptbxl"), "162") == ["found"]
    assert state_of(make(record("162"), source="ptbxl"), "162") == ["missing"]
    assert state_of(make(out("162", "unreadable"), source="ptbxl"), "162") == ["missing"]
    assert state_of(make(out("162", "absent"), source="ptbxl"), "162") == ["absent"]
    assert state_of(make(record("1"), source="ptbxl"), "162") == ["absent"]
    assert state_of(make(record("162", rate_hz=100), source="ptbxl"), "162") == []  # the 100 Hz file is clean
    (check,) = known_check(known_faults(make(record("162"), source="ptbxl")), False)
    assert check.verdict == "fault" and check.findings[0].record_id == "162"
    (check,) = known_check(known_faults(make(gap, source="ptbxl")), False)
    assert check.verdict == "ok" and check.found.startswith("39 found")


def test_a_record_that_the_release_dropped_must_not_be_named(make: Make) -> None:
    assert state_of(make(record("137"), source="ptbxl"), "137") == ["missing"]
    assert state_of(make(out("137", "absent"), source="ptbxl"), "137") == ["missing"]
    assert state_of(make(record("1"), source="ptbxl"), "137") == ["found"]


def test_measures_and_unseen_faults_have_states_of_their_own(make: Make) -> None:
    far, near = replace(GOOD, mean_uv=400.0), replace(GOOD, mean_uv=20.0)
    assert state_of(make(record("270272", measures=far), source="code15"), "270272") == ["found"]
    assert state_of(make(record("270272", measures=near), source="code15"), "270272") == ["missing"]
    assert state_of(make(record("265", rate_hz=100), source="ptbxl"), "265") == ["unseen"]


def test_the_tables_of_expectations_use_the_words_of_the_house() -> None:
    known = [row for source in ("ptbxl", "cpsc2018", "code15") for row in rows_of("known_faults", source)]
    assert len(known) == len((TABLES / "known_faults.csv").read_text().splitlines()) - 1
    for row in known:
        kind, _, word = row["expected"].partition(":")
        assert kind in ("flag", "excluded", "not_named", "measure", "unseen")
        assert row["what"] and row["since"]
        assert kind != "measure" or (word in MEASURES and float(row["low"]) < float(row["high"]))
        assert kind != "excluded" or word in REASONS
    kinds = {row["kind"]: row["reason"] for row in rows_of("planted_faults", "")}
    assert set(kinds) == set(SENTENCES) and set(kinds.values()) <= set(REASONS)
    for table in ("published", "contradictions"):
        assert all(all(cell.strip() == cell for cell in row.values()) for row in rows_of(table, "ptbxl"))


def test_the_counts_of_ptbxl_are_those_of_its_table(shared: Path) -> None:
    """published.csv is typed from the published table: read it again."""
    import ast
    import csv
    from collections import Counter

    with (shared / "data/ptbxl/ptbxl_database.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    said = {(row["quantity"], row["name"]): int(float(row["high"])) for row in rows_of("published", "ptbxl")}
    assert Counter(row["strat_fold"] for row in rows) == {n: said["fold", n] for n in map(str, range(1, 11))}
    assert sum(row["age"] == "300.0" for row in rows) == said["flag", "age_masked"]
    assert [sum(row["sex"] == sex for row in rows) for sex in "01"] == [said["sex", "male"], said["sex", "female"]]
    codes = {code for row in rows for code in ast.literal_eval(row["scp_codes"])}
    assert len(codes) == said["statements", ""]
    dropped = {row["record_id"] for row in rows_of("known_faults", "ptbxl") if row["expected"] == "not_named"}
    assert len(dropped) == 38 and not dropped & {row["ecg_id"] for row in rows}


# --- twins ---


@pytest.mark.parametrize("source", ["ptbxl", "cpsc2018", "code15", "code_ii_open", "code_ii_test"])
def test_every_fault_planted_in_a_twin_is_found_by_name(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codeii.workflow.load import load_params

    monkeypatch.setattr("codeii.synthetic.planted.EXAMS_PER_FAULT", 2)
    params = load_params([Path(__file__).parents[2] / "params.yaml"])
    layout = params.sources[source].layout
    settings = {"version": "1", "twin": {"records": 14, "seed": 1}, "layout": layout}
    synthesise(source, settings, "c", tmp_path / "raw")
    raw = tmp_path / "raw" / "manifest.json"
    build_records(raw, source, {"layout": layout, "max_faulty_share": 1.0}, "c", tmp_path / "records")
    audit(tmp_path / "records" / "manifest.json", raw, {"source": source, "label_sets": {}}, "c", tmp_path / "audit")
    found: Audit = read_audit(tmp_path / "audit" / "manifest.json")
    writer = __import__(f"codeii.synthetic.writers.{source}", fromlist=["FAULTS"])
    planted = plant(writer.FAULTS, 14, 1)
    assert len(found.report.known) == len(planted) == len(writer.FAULTS)
    assert {item.state for item in found.report.known} == {"found"}
    assert {item.what for item in found.report.known} == {f"planted: {kind}" for kind in writer.FAULTS}
    excluded = set(read_record_store(tmp_path / "records" / "manifest.json").excluded["record_id"])
    assert {item.record_id for item in found.report.known} == excluded
    assert found.verdicts()["fault"] == 0 and found.manifest.synthetic
    present = [kind for kind in planted.values() if kind != "absent"]
    assert found.report.counts["named"] >= 14 and found.report.counts["faulty"] == len(present)


def test_a_planted_fault_that_is_not_found_is_a_fault_of_the_audit(make: Make) -> None:
    subject = make(record("3"), out("4"), synthetic=True, planted={"records500/00000/00003_hr": "flat", "4": "flat"})
    known = known_faults(subject)
    assert [(item.record_id, item.state) for item in known] == [
        ("records500/00000/00003_hr", "missing"),
        ("4", "found"),
    ]
    (check,) = known_check(known, True)
    assert check.verdict == "fault"


def test_a_readme_names_its_planted_faults() -> None:
    text = "SYNTHETIC TWIN\n  not: this: line\nPlanted faults (2):\n  A0001: flat: every sample\n  7_1: absent: named\n"
    assert planted_in(text) == {"A0001": "flat", "7_1": "absent"}
    assert planted_in("Planted faults: none.\n") == {}
    assert ids_of("records500/00000/00042_hr") == ["records500/00000/00042_hr", "42"]
    assert ids_of("A0001") == ["A0001"]


def test_a_twin_whose_readme_was_changed_is_not_audited(tmp_path: Path) -> None:
    settings = {"version": "1", "twin": {"records": 3, "seed": 1}, "layout": {}}
    synthesise("code15", settings, "c", tmp_path / "raw")
    raw = tmp_path / "raw" / "manifest.json"
    build_records(raw, "code15", {"layout": {}, "max_faulty_share": 0.0}, "c", tmp_path / "records")
    (tmp_path / "raw" / "README.txt").write_text("Planted faults (1):\n  1: flat: x\n")
    asked = {"source": "code15", "label_sets": {}}
    with pytest.raises(IntegrityError, match=r"README\.txt: absent, or changed"):
        audit(tmp_path / "records" / "manifest.json", raw, asked, "c", tmp_path / "audit")


def test_a_label_set_that_changed_since_is_refused(make: Make, tmp_path: Path) -> None:
    make(record("1"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_text("x")
    raw = write_raw_archive(
        tmp_path / "raw", tmp_path / "data", [tmp_path / "data" / "x"], source="fake", origin="local", settings={},
        code="c",
    )  # fmt: skip
    asked = {"source": "fake", "label_sets": {"code15": "0" * 64}}
    with pytest.raises(ValueError, match="label set code15 is not the one the study asks for"):
        audit(tmp_path / "records" / "manifest.json", raw, asked, "c", tmp_path / "audit")
    audit(tmp_path / "records" / "manifest.json", raw, {"source": "fake", "label_sets": {}}, "c", tmp_path / "audit")
    found = read_audit(tmp_path / "audit" / "manifest.json")
    assert found.report.counts == {
        "named": 1, "kept": 1, "absent": 0, "faulty": 0, "exams": 1, "patients": 1, "flagged": 0,
    }  # fmt: skip


def test_a_histogram_loses_no_record() -> None:
    import pandas as pd

    shape = histogram(pd.Series([0.1, 10.0, 10.0, 75.0, np.nan]), LENGTH_S)
    assert sum(shape.counts) == 4 and shape.unknown == 1
    assert histogram(pd.Series([-1.0, 0.5, 9.0]), np.array([0.0, 1.0, 2.0])).counts == (2, 1)
    assert shape.counts[20] == 2 and shape.counts[-1] == 1  # ten seconds lie in the middle of their bin
