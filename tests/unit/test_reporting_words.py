import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scores import score_frame

from codeii.reporting import rows
from codeii.reporting.figures import few_shot as few_shot_figure
from codeii.reporting.figures import scaling as scaling_figure
from codeii.reporting.part import Part, grid, numeric, title_and_caption
from codeii.reporting.study import Inputs, origin_of
from codeii.reporting.style import rounded_limits, spread, whiskers
from codeii.reporting.tables.few_shot import rows as few_shot
from codeii.reporting.tables.headline import rows as headline

NAN = float("nan")


def test_an_interval_stands_in_brackets_after_its_value():
    assert rows.interval(0.91249, 0.9, 0.92351) == "0.912 (0.900–0.924)"
    assert rows.interval(0.5, NAN, NAN) == "0.500"


def test_a_difference_has_a_sign_and_its_interval_reads_across_zero():
    assert rows.difference(0.021, -0.004, 0.038) == "+0.021 (−0.004 to 0.038)"
    assert rows.difference(-0.021, -0.04, -0.01) == "−0.021 (−0.040 to −0.010)"
    assert rows.difference(NAN, NAN, NAN) == "not evaluable"


@pytest.mark.parametrize(
    ("of_class", "words"), [("AF", "not evaluable (0 of 1,200 positive)"), ("macro", "not evaluable (7 classes)")]
)
def test_a_score_that_does_not_exist_says_on_what_count(of_class, words):
    row = {"value": NAN, "low": NAN, "high": NAN, "class": of_class, "n_positives": 0, "n_exams": 1200, "n_classes": 7}
    assert rows.score_cell(pd.Series(row)) == words


def test_shares_are_percent_that_never_break_over_two_lines():
    assert [rows.percent(share) for share in (0.005, 0.1, 1.0)] == ["0.5\u00a0%", "10\u00a0%", "100\u00a0%"]


def test_columns_of_numbers_are_told_from_columns_of_words():
    assert numeric(["0.912 (0.901–0.923)", "not evaluable (0 of 12 positive)", "not run", ""])
    assert numeric(["1,234", "−0.1", "65 of 66", "0.3–0.5", "10\u00a0%", "0.8 (0.7–0.9), 5 classes"])
    assert not numeric(["2 wrong length, 3 flat"]) and not numeric(["", "not run"]) and not numeric(["12lead"])


def test_sentences_are_told_from_names_and_from_reasons_in_place_of_a_number():
    reason = "not run: " + "the weights of this encoder are published by others and are not here " * 2
    shown = pd.DataFrame({"Name": ["a"] * 2, "Protocol": ["b", "folds by patient " * 6], "AUROC": ["0.9", reason]})
    assert grid(Part("table", shown))["prose"] == [False, True, False]
    assert grid(Part("table", shown.head(0)))["prose"] == [False] * 3


def test_leading_cells_that_repeat_the_row_above_are_counted():
    shown = pd.DataFrame({"a": ["x", "x", "y"], "b": ["1", "2", "2"], "c": ["0", "0", "0"]})
    assert [again for _, again in grid(Part("table", shown))["rows"]] == [0, 1, 0]


def test_a_docstring_is_a_title_and_paragraphs():
    assert title_and_caption("Title.\n\nOne\nline.\n\nTwo.\n") == ("Title", ["One line.", "Two."])


def test_an_unknown_need_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"NEEDS names tensors; the kinds are records, .*submissions"):
        Inputs().only(("records", "tensors"))


@pytest.mark.parametrize(("flags", "word"), [([], "real"), ([True, True], "synthetic"), ([True, False], "mixed")])
def test_one_word_for_the_origin_of_many(flags, word):
    assert origin_of(flags) == word


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.08))
def test_labels_keep_their_distance_and_their_order(values, gap):
    places = spread(sorted(values), gap, 0.0, 1.0)
    assert all(second - first >= gap - 1e-9 for first, second in pairwise(places))
    assert all(place <= 1.0 + 1e-9 for place in places)


@given(st.lists(st.floats(0, 1) | st.just(NAN), max_size=20))
def test_axis_limits_hold_every_value(values):
    low, high = rounded_limits(values)
    assert low < high <= 1.0
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values if not math.isnan(value))


def test_a_missing_bound_draws_no_whisker():
    assert whiskers([0.5, 0.5], [0.4, NAN], [NAN, 0.7]) == [[pytest.approx(0.1), 0.0], [0.0, pytest.approx(0.2)]]


def scores_of(lines):
    return score_frame(lines).assign(synthetic=False, protocol="as drawn", not_run="")


def line(experiment, start, fraction, seed, value, metric="auroc", of_class="macro", per_class=0):
    return (experiment, "m", start, fraction, per_class, seed, "test", metric, of_class, value, value, value, 10, 5, 2)


class Bare:
    """As much of a study as a table or figure of scores reads."""

    warning = ""

    def __init__(self, lines):
        self.scores = scores_of(lines)
        self.against_first = pd.DataFrame(
            columns=["experiment", "model", "start", "fraction", "per_class", "metric", "class"]
        )
        self.against_first[["versus", "difference", "low", "high"]] = np.nan

    def marked(self, text, synthetic):
        return text


def test_the_headline_takes_the_largest_fraction_and_says_which_starts_were_not_run():
    lines = [line("a", "s", 0.1, "mean", 0.6), line("a", "s", 1.0, "mean", 0.9), line("b", "t", 0.5, "mean", 0.7)]
    (table, *_) = headline(Bare(lines))
    assert table.shown[["Experiment", "s", "t"]].to_numpy().tolist() == [
        ["a", "0.900 (0.900–0.900)", "not run"],
        ["b", "not run", "0.700 (0.700–0.700)"],
    ]
    assert table.values["fraction"].tolist() == [1.0, 0.5]


def test_fewer_labels_shows_a_share_that_one_start_lacks_as_not_run():
    lines = [line("a", start, 1.0, "mean", 0.9) for start in ("s", "t")] + [line("a", "s", 0.1, "mean", 0.6)]
    lines += [line("a", "s", 0.1, seed, 0.6) for seed in "01"]
    lines.append(line("a", "s", 0.1, "mean", 0.02, "auroc_seed_sd"))
    (table, _, deviations) = few_shot(Bare(lines))
    assert table.shown["10\u00a0%"].tolist() == ["0.600 (0.600–0.600)", "not run"]
    assert deviations.shown["10\u00a0%"].tolist() == ["0.020", ""]
    assert dict(zip(table.values["fraction"], table.values["n_seeds"], strict=True))[0.1] == 2


def by_count(experiment, starts=("s", "t")):
    """An experiment on 5 and 1,000 records of each class."""
    return [
        line(experiment, start, 0.0, seed, 0.6 + 0.1 * at, per_class=count)
        for start in starts
        for at, count in enumerate((5, 1000))
        for seed in ("0", "mean")
    ]


def by_share(experiment, starts=("s", "t")):
    return [
        line(experiment, start, share, seed, 0.7) for start in starts for share in (0.1, 0.5) for seed in ("0", "mean")
    ]


def test_fewer_labels_by_share_and_by_count_stand_in_tables_and_files_of_their_own():
    parts = {part.name: part for part in few_shot(Bare(by_share("a") + by_count("b")))}
    share, count = parts["table"], parts["counts"]
    names = ["Experiment", "Model", "Start"]
    assert list(share.shown) == [*names, "10\u00a0%", "50\u00a0%"] and set(share.shown["Experiment"]) == {"a"}
    assert list(count.shown) == [*names, "5\u00a0per\u00a0class", "1,000\u00a0per\u00a0class"]
    assert set(count.shown["Experiment"]) == {"b"} and "not run" not in count.shown.to_numpy()
    assert "per_class" not in share.values and set(share.values["fraction"]) == {0.1, 0.5}
    assert "fraction" not in count.values and set(count.values["per_class"]) == {5, 1000}
    assert (share.values["n_seeds"] == 1).all() and (count.values["n_seeds"] == 1).all()
    alone = {part.name: part for part in few_shot(Bare(by_count("b")))}
    assert alone["table"].shown.empty and alone["table"].values.empty and len(alone["counts"].values) == 4


def test_the_headline_takes_the_largest_count():
    (table, *_) = headline(Bare(by_count("b") + by_share("a")))
    assert table.shown["Training data"].tolist() == ["1,000\u00a0per\u00a0class", "50\u00a0%"]
    assert table.values[["fraction", "per_class"]].to_numpy().tolist() == [[0, 1000]] * 2 + [[0.5, 0]] * 2


@pytest.mark.parametrize(("module", "starts"), [(few_shot_figure, ("s", "t")), (scaling_figure, ("s",))])
def test_a_figure_draws_shares_and_counts_on_axes_of_their_own(module, starts):
    both, counts, shares = (
        module.draw(Bare(lines)).svg
        for lines in (by_share("a", starts) + by_count("b", starts), by_count("b", starts), by_share("a", starts))
    )
    for svg, kinds in ((both, (1, 1)), (counts, (0, 1)), (shares, (1, 0))):
        assert (svg.count("share of"), svg.count("records of each class")) == kinds
        assert ("<!-- 10\u00a0% -->" in svg, "<!-- 1,000 -->" in svg) == tuple(map(bool, kinds))
