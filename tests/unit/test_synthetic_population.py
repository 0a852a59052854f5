"""The synthetic population: reproducible, honest about prevalence, patients in one fold, labels that make sense."""

from collections import Counter, defaultdict
from itertools import islice

import numpy as np
import pytest

from codeii.schema.leads import limb_lead_residual
from codeii.synthetic.draw import is_benign
from codeii.synthetic.effects import findings
from codeii.synthetic.population import PlannedExam, exam_of, plan, population
from codeii.synthetic.twin_source import twin_source, twin_sources


@pytest.fixture(scope="module")
def plans() -> dict[str, list[PlannedExam]]:
    return {source: list(plan(source, 2000, 0)) for source in ("ptbxl", "cpsc2018", "code15", "code_ii_open")}


@pytest.mark.parametrize("source", list(twin_sources()))
def test_the_same_seed_gives_the_same_exams_whatever_is_asked_for_besides(source: str) -> None:
    few, more = list(population(source, 3, 5)), list(islice(population(source, 40, 5), 3))
    for one, again in zip(few, more, strict=True):
        assert (one.statements, one.findings, one.age_years, one.fold) == (
            again.statements,
            again.findings,
            again.age_years,
            again.fold,
        )
        assert [wave.tobytes() for wave in one.tracings_mv] == [wave.tobytes() for wave in again.tracings_mv]
    other = next(population(source, 1, 6))
    assert other.tracings_mv[0].tobytes() != few[0].tracings_mv[0].tobytes()


def test_an_exam_can_be_simulated_out_of_order() -> None:
    planned = list(plan("code_ii_open", 4, 1))
    last = exam_of(planned[3])
    in_order = list(population("code_ii_open", 4, 1))[3]
    assert [a.tobytes() for a in last.tracings_mv] == [b.tobytes() for b in in_order.tracings_mv]


def test_sources_do_not_share_patients() -> None:
    one, other = next(population("code_ii_open", 1, 0)), next(population("code_ii_test", 1, 0))
    assert one.tracings_mv[0].tobytes() != other.tracings_mv[0].tobytes()


def test_twelve_consistent_leads_in_millivolts() -> None:
    for source in ("ptbxl", "code15", "code_ii_open", "cpsc2018"):
        exams = list(population(source, 12, 3))
        assert all(wave.dtype == np.float32 and wave.shape[0] == 12 for exam in exams for wave in exam.tracings_mv)
        assert max(limb_lead_residual(wave) for exam in exams for wave in exam.tracings_mv) < 1e-6
        size = np.median([np.ptp(exam.tracings_mv[0], axis=1).max() for exam in exams])
        assert 1.2 < size < 4.5


def test_rates_and_lengths_are_those_of_the_source(plans: dict[str, list[PlannedExam]]) -> None:
    assert {(one.rate_hz, one.samples) for one in plans["ptbxl"]} == {(500, (5000,))}
    assert {(one.rate_hz, one.samples) for one in plans["code15"]} == {(400, (2934,)), (400, (4096,))}
    seconds = np.array([one.samples[0] / one.rate_hz for one in plans["cpsc2018"]])
    assert seconds.min() >= 6 and seconds.max() <= 60 and seconds.max() > 30
    assert ((seconds >= 10) & (seconds <= 20)).mean() > 0.7
    open_set = plans["code_ii_open"]
    assert {one.rate_hz for one in open_set} == {300, 500, 600, 1000}
    assert {len(one.samples) for one in open_set} == {1, 2, 3, 4}
    assert all(7 <= length / one.rate_hz <= 12 for one in open_set for length in one.samples)


@pytest.mark.parametrize("source", ["ptbxl", "cpsc2018", "code15", "code_ii_open"])
def test_prevalence_is_near_the_table(plans: dict[str, list[PlannedExam]], source: str) -> None:
    exams = plans[source]
    seen = Counter(finding for one in exams for finding in one.findings)
    for row in twin_source(source).labels:
        expected = row.prevalence * len(exams)
        assert abs(seen[row.finding] - expected) < 5 * np.sqrt(expected) + 0.15 * expected + 4, row.finding


def test_statements_differ_from_the_truth_a_little(plans: dict[str, list[PlannedExam]]) -> None:
    of_finding = {row.finding: row.statement for row in twin_source("ptbxl").labels if row.statement}
    agree = [
        set(one.statements) - {"NORM", "SR"} == {of_finding[f] for f in one.findings if f in of_finding}
        for one in plans["ptbxl"]
    ]
    assert 0.75 < np.mean(agree) < 0.97


def test_most_statements_of_ptbxl_occur_in_two_thousand_records(plans: dict[str, list[PlannedExam]]) -> None:
    seen = Counter(statement for one in plans["ptbxl"] for statement in one.statements)
    assert len([statement for statement, count in seen.items() if count >= 2]) >= 66
    assert 0.38 < seen["NORM"] / 2000 < 0.5 and 0.7 < seen["SR"] / 2000 < 0.85
    assert min(len(one.statements) for one in plans["ptbxl"]) >= 1


def test_norm_and_sr_mean_what_they_say(plans: dict[str, list[PlannedExam]]) -> None:
    source = twin_source("ptbxl")
    for one in plans["ptbxl"]:
        if "NORM" in one.statements:
            assert all(is_benign(source, finding) for finding in one.findings)
            assert not {"IMI", "ASMI", "LVH", "CLBBB", "CRBBB", "AFIB", "1AVB", "NDT"} & set(one.statements)
        if "SR" in one.statements:
            assert not any(findings()[finding].slot == "rhythm" for finding in one.findings)
            assert not {"AFIB", "AFLT", "STACH", "SBRAD", "SARRH", "PACE", "SVTAC", "PSVT"} & set(one.statements)


def test_normal_of_cpsc_stands_alone_and_no_record_has_more_than_three_labels(
    plans: dict[str, list[PlannedExam]],
) -> None:
    labels = [one.statements for one in plans["cpsc2018"]]
    assert all(1 <= len(named) <= 3 for named in labels)
    assert all(named == ("1",) for named in labels if "1" in named)
    share = np.mean(["1" in named for named in labels])
    assert 0.10 < share < 0.18
    assert sum(len(named) == 2 for named in labels) > 20


def test_nobody_is_in_two_folds_and_some_come_twice(plans: dict[str, list[PlannedExam]]) -> None:
    folds, visits = defaultdict(set), Counter[int]()
    for one in plans["ptbxl"]:
        folds[one.patient].add(one.fold)
        visits[one.patient] += 1
    assert all(len(of_patient) == 1 for of_patient in folds.values())
    assert {fold for of_patient in folds.values() for fold in of_patient} == {str(number) for number in range(1, 11)}
    assert 1.1 < 2000 / len(visits) < 1.3
    sizes = Counter(one.fold for one in plans["ptbxl"])
    assert max(sizes.values()) < 1.15 * min(sizes.values())
    of_block = Counter(one.fold for one in plans["ptbxl"] if "left_bundle_block" in one.findings)
    assert len(of_block) >= 8, "folds are balanced by finding"


def test_code_ii_open_has_one_exam_of_each_patient_and_a_fifth_for_validation(
    plans: dict[str, list[PlannedExam]],
) -> None:
    assert len({one.patient for one in plans["code_ii_open"]}) == 2000
    assert Counter(one.fold for one in plans["code_ii_open"])["validation"] == pytest.approx(400, abs=30)
    assert {one.fold for one in plans["code15"]} == {""}
    assert min(one.age_years for one in plans["code_ii_open"]) >= 18


def test_what_goes_together_goes_together(plans: dict[str, list[PlannedExam]]) -> None:
    exams = [set(one.findings) for source in plans.values() for one in source]
    ages = [one.age_years for source in plans.values() for one in source]
    af = np.array(["atrial_fibrillation" in one for one in exams])
    assert np.mean(np.array(ages)[af]) > np.mean(ages) + 6
    assert not any("atrial_fibrillation" in one and "first_degree_block" in one for one in exams)
    with_rbbb = np.mean(["left_anterior_block" in one for one in exams if "right_bundle_block" in one])
    assert with_rbbb > 1.3 * np.mean(["left_anterior_block" in one for one in exams])
    slots = [[findings()[finding].slot for finding in one] for one in exams]
    assert all(len(one) == len(set(one)) for one in slots)


def test_the_tracings_of_an_exam_are_alike_but_not_the_same() -> None:
    exam = next(one for one in population("code_ii_open", 20, 2) if len(one.tracings_mv) >= 2)
    first, second = exam.tracings_mv[:2]
    assert first[:, :500].tobytes() != second[:, :500].tobytes()
    assert np.corrcoef(first.std(axis=1), second.std(axis=1))[0, 1] > 0.8


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        population("ptbxl", -1, 0)
