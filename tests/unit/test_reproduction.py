"""Verdicts: the stated test, every reason why two numbers are not compared, and that nothing synthetic ever is."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from codeii.artifacts.comparisons import COLUMNS
from codeii.artifacts.verdicts import CELL_COLUMNS, CLAIM_COLUMNS, VERDICTS, read_verdicts, write_verdicts
from codeii.checks.gate import gate
from codeii.reproduction.claims import claim_rows
from codeii.reproduction.equivalence import equivalence
from codeii.reproduction.judge import Cell, Protocol, Rule, cell_rows, matches, verdict
from codeii.reproduction.published import Claim, Published, read_claims, read_published
from codeii.schema.labels import label_set_names

RULE = Rule(margin=0.01, alpha=0.05)
SAME = Protocol("1.0.3", "folds 1-8, 9, 10", "drop", None, "max", 71)
LINE = Published(
    source="somebody 2021",
    model="XResNet",
    ours="xresnet1d101",
    encoder="",
    mode="full",
    data="ptbxl",
    release="1.0.3",
    task="ptbxl_all",
    metric="auroc",
    value=0.925,
    low=0.918,
    high=0.932,
    interval="95 %",
    n_classes=71,
    split="folds 1-8, 9, 10",
    unlabelled_records="drop",
    minimum_seconds=None,
    crops="max",
    known_as="stated",
)
CELL = Cell(
    experiment="reference",
    model="xresnet1d101",
    start="from_scratch",
    encoder="",
    mode="full",
    random=True,
    task="ptbxl_all",
    metric="auroc",
    protocol=SAME,
    synthetic=False,
    values=(0.924, 0.926, 0.925),
)
scores = st.lists(st.floats(0.5, 1.0), min_size=3, max_size=8)


@given(scores, st.floats(0.5, 1.0), st.floats(0.001, 0.1))
def test_the_same_and_another_are_what_two_one_sided_t_tests_say(
    values: list[float], published: float, margin: float
) -> None:
    if np.std(values) < 1e-6:
        values = [*values, values[0] - 0.01]
    found = equivalence(values, published, margin, 0.05)
    above = ttest_1samp(values, published - margin, alternative="greater").pvalue
    below = ttest_1samp(values, published + margin, alternative="less").pvalue
    if abs(above - 0.05) > 1e-9 and abs(below - 0.05) > 1e-9:
        assert (found.outcome == "same") == (above < 0.05 and below < 0.05)
    assert found.low <= found.mean <= found.high
    beyond = found.high < published - margin or found.low > published + margin
    assert (found.outcome == "differs") == beyond


@pytest.mark.parametrize("values", [(0.9, 0.9), (0.9, 0.9, float("nan"))])
def test_too_few_or_broken_seeds_are_refused(values: Sequence[float]) -> None:
    with pytest.raises(ValueError, match="expected 3 finite scores"):
        equivalence(values, 0.9, 0.01, 0.05)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.924, 0.926, 0.925), ("reproduced", "")),
        ((0.900, 0.901, 0.899), ("differs", "")),
        ((0.91, 0.93, 0.95), ("not comparable", "undecided: the interval over seeds crosses 0.01 from it")),
        ((0.925, 0.925), ("not comparable", "2 seeds; the test asks for 3")),
    ],
)
def test_numbers_of_one_protocol_are_judged_over_seeds(values: tuple[float, ...], expected: tuple[str, str]) -> None:
    assert verdict(replace(CELL, values=values), LINE, RULE)[:2] == expected


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"release": "1.0.1"}, "release: 1.0.1 here, 1.0.3 there"),
        ({"split": "our own split by patient"}, "split: our own split by patient here, folds 1-8, 9, 10 there"),
        ({"unlabelled_records": "keep"}, "unlabelled records: keep here, drop there"),
        ({"crops": "mean"}, "crops: mean here, max there"),
        ({"n_classes": 57}, "classes: 57 here, 71 there"),
    ],
)
def test_another_protocol_is_named_and_not_compared(changed: dict[str, Any], words: str) -> None:
    word, why, _ = verdict(replace(CELL, protocol=replace(SAME, **changed)), LINE, RULE)
    assert (word, why) == ("not comparable", words)


def test_what_is_not_stated_differs_from_nothing() -> None:
    silent = LINE.model_copy(update={"split": "", "crops": "", "n_classes": None, "release": ""})
    other = replace(SAME, release="1.0.1", crops="mean", n_classes=5, split="ours")
    assert verdict(replace(CELL, protocol=other), silent, RULE)[0] == "reproduced"


def test_a_network_of_other_weights_or_mode_is_no_match() -> None:
    assert matches(CELL, LINE)
    tuned = replace(CELL, random=False, encoder="ECGFounder")
    assert not matches(tuned, LINE) and not matches(replace(CELL, mode="linear_probe"), LINE)
    assert matches(tuned, LINE.model_copy(update={"encoder": "ECGFounder"}))
    assert not matches(CELL, LINE.model_copy(update={"encoder": "ECGFounder"}))
    ours = replace(CELL, random=False)  # pretrained by this study: neither random nor theirs
    assert not matches(ours, LINE) and not matches(ours, LINE.model_copy(update={"encoder": "HuBERT-ECG"}))


@given(
    st.lists(
        st.builds(
            replace,
            st.just(CELL),
            values=scores.map(tuple),
            synthetic=st.booleans(),
            metric=st.sampled_from(["auroc", "f2"]),
            not_run=st.sampled_from(["", "weights absent"]),
            protocol=st.builds(replace, st.just(SAME), n_classes=st.sampled_from([71, 5, None])),
        ),
        max_size=5,
    )
)
@settings(deadline=None, max_examples=60)
def test_no_synthetic_number_stands_beside_a_published_one(cells: list[Cell]) -> None:
    rows = pd.DataFrame(cell_rows(cells, [LINE], RULE), columns=list(CELL_COLUMNS))
    made_up = rows[rows["synthetic"]]
    assert made_up[["ours", "low", "high"]].isna().all(axis=None)
    assert set(made_up["verdict"]) <= {"not comparable", "not run"}
    assert (made_up.loc[made_up["verdict"] == "not comparable", "why"] == "synthetic").all()
    assert set(rows["verdict"]) <= set(VERDICTS)


def test_the_door_refuses_a_synthetic_number_and_a_verdict_without_reason(tmp_path: Path) -> None:
    cells = pd.DataFrame(cell_rows([CELL], [LINE], RULE), columns=list(CELL_COLUMNS))
    claims = pd.DataFrame(columns=list(CLAIM_COLUMNS))
    made: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    for changes, message in (
        ({"synthetic": True}, "a synthetic number stands beside a published one"),
        ({"verdict": "not comparable"}, "says not comparable and not why"),
        ({"verdict": "roughly"}, "'roughly' is none of reproduced"),
        ({"ours": float("nan")}, "without both numbers"),
        ({"synthetic": True, "ours": float("nan"), "low": float("nan"), "high": float("nan")}, "is called comparable"),
    ):
        with pytest.raises(ValueError, match=message):
            write_verdicts(tmp_path, cells.assign(**changes), claims, **made)
    assert not list(tmp_path.iterdir())


def test_what_others_have_and_we_have_not_is_not_run_and_what_we_alone_have_is_named() -> None:
    theirs = LINE.model_copy(update={"ours": "", "model": "LSTM"})
    ours = replace(CELL, experiment="mine", start="finetuned", random=False)
    rows = pd.DataFrame(cell_rows([ours], [theirs], RULE), columns=list(CELL_COLUMNS))
    assert rows["verdict"].tolist() == ["not run", "not comparable"]
    assert rows["why"].tolist() == [
        "no experiment of this study does it: the network is not built here",
        "no published number is known to us",
    ]


# --- the shipped files


def test_every_shipped_line_is_whole_and_names_what_exists() -> None:
    lines = read_published()
    assert len(lines) > 300 and {line.known_as for line in lines} == {"stated"}
    assert {line.task for line in lines} <= set(label_set_names())
    models = {path.stem for path in (Path(__file__).parents[2] / "src/codeii/models").glob("*.py")}
    assert {line.ours for line in lines} - {""} <= models
    key = ("source", "model", "mode", "encoder", "task", "metric")
    named = [tuple(getattr(line, name) for name in key) for line in lines]
    assert len(named) == len(set(named))


def test_a_broken_line_is_named_with_file_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    row = {name: "" if value is None else value for name, value in LINE.model_dump().items()} | {"value": 1.4}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    with pytest.raises(ValueError, match=r"published.csv, line 2: (.|\n)*value"):
        read_published(path)


# --- claims

CLAIM = Claim(
    claim="it transfers better",
    known_as="stated",
    source="abstract",
    kind="difference",
    tasks=["a", "b"],
    start="finetuned",
    versus=["scratch"],
    amounts="all",
)


def of_task(low: float, high: float, turned: bool = False) -> dict[str, pd.DataFrame]:
    start, versus = ("scratch", "finetuned") if turned else ("finetuned", "scratch")
    row = ("e", "m", start, "e", "m", versus, 1.0, 0, "auroc", "macro", (low + high) / 2, low, high, low, high)
    table = pd.DataFrame([(*row, 0.01, 0.02, 1, 9, 3, 3)], columns=list(COLUMNS["comparisons"]))
    return {"comparisons": table, "fits": pd.DataFrame(columns=list(COLUMNS["fits"]))}


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"a": of_task(0.1, 0.2), "b": of_task(0.1, 0.3)}, ("reproduced", "")),
        ({"a": of_task(-0.2, -0.1, turned=True), "b": of_task(0.1, 0.3)}, ("reproduced", "")),
        ({"a": of_task(0.1, 0.2), "b": of_task(-0.3, -0.1)}, ("differs", "")),
        ({"a": of_task(0.1, 0.2), "b": of_task(-0.1, 0.1)}, ("not comparable", "undecided: 1 of 2 intervals hold 0")),
        ({"a": of_task(0.1, 0.2)}, ("not comparable", "not run: b")),
        ({}, ("not run", "no such comparison in this study: a b")),
    ],
)
def test_a_claim_is_decided_by_every_interval_it_names(tables: dict[str, Any], expected: tuple[str, str]) -> None:
    ((*found, _, _, _, evidence),) = claim_rows([CLAIM], tables, set())
    assert tuple(found) == expected and bool(evidence) == bool(tables)


def test_a_claim_on_synthetic_data_is_not_comparable_and_shows_no_number() -> None:
    ((word, why, *_, evidence),) = claim_rows([CLAIM], {"a": of_task(0.1, 0.2), "b": of_task(0.1, 0.2)}, {"b"})
    assert (word, why, evidence) == ("not comparable", "synthetic", "")


def test_few_labels_are_no_full_data() -> None:
    few = CLAIM.model_copy(update={"amounts": "few"})
    ((word, *_),) = claim_rows([few], {"a": of_task(0.1, 0.2), "b": of_task(0.1, 0.2)}, set())
    assert word == "not run"


def test_the_papers_claims_are_read() -> None:
    assert len(read_claims()) == 8 and {claim.kind for claim in read_claims()} == {"difference", "slope", "blind"}


# --- the gate


@pytest.mark.parametrize(("value", "differs"), [(0.925, False), (0.8, True)])
def test_the_gate_tells_a_difference(tmp_path: Path, value: float, differs: bool) -> None:
    cell = replace(CELL, values=(value, value + 0.001, value - 0.001))
    cells = pd.DataFrame(cell_rows([cell], [LINE], RULE), columns=list(CELL_COLUMNS))
    claims = pd.DataFrame(claim_rows([CLAIM], {}, set()), columns=list(CLAIM_COLUMNS))
    made: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": False}
    write_verdicts(tmp_path / "verdicts", cells, claims, **made)
    text, found = gate(tmp_path)
    assert found == differs and ("differs: ptbxl_all auroc, xresnet1d101 from_scratch: 0.800" in text) == differs
    pd.testing.assert_frame_equal(read_verdicts(tmp_path / "verdicts/manifest.json").cells, cells, check_dtype=False)


def test_the_command_ends_with_five_where_something_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from codeii.__main__ import main

    cells = pd.DataFrame(cell_rows([replace(CELL, values=(0.8, 0.801, 0.8))], [LINE], RULE), columns=list(CELL_COLUMNS))
    claims = pd.DataFrame(columns=list(CLAIM_COLUMNS))
    made: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": False}
    write_verdicts(tmp_path / "verdicts", cells, claims, **made)
    with pytest.raises(SystemExit) as ended:
        main(["gate", "--results", str(tmp_path)])
    assert ended.value.code == 5 and "1 differs" in capsys.readouterr().out
