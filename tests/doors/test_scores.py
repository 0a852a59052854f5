"""Door of the scores: what is written is read, and each broken invariant is named."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from codeii.artifacts.manifest import IntegrityError
from codeii.artifacts.scores import COMPARISON_COLUMNS, COMPARISONS, SCORE_COLUMNS, SCORES, read_scores, write_scores

NAN = float("nan")
ROWS: list[tuple[Any, ...]] = [
    ("transfer", "resnet1d", "scratch", 0.1, 0, "0", "test", "auroc", "NA", 1 / 3, 0.1, 0.9, 40, 4, 1),
    ("transfer", "resnet1d", "scratch", 0.1, 0, "mean", "test", "auroc", "None", NAN, NAN, NAN, 40, 0, 1),
    ("transfer", "resnet1d", "scratch", 0.1, 0, "mean", "test", "auroc", "macro", 1 / 3, 0.1, 0.9, 40, 4, 1),
    ("transfer", "resnet1d", "scratch", 0.1, 0, "mean", "test", "auroc", "macro_frequent", NAN, NAN, NAN, 40, 0, 0),
]
DIFFERENCES = [("transfer", "resnet1d", "pretrained", "scratch", 0.1, 0, "auroc", "macro", 0.1, -0.1, 0.2, 40, 3)]


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.DataFrame(ROWS, columns=list(SCORE_COLUMNS)), pd.DataFrame(DIFFERENCES, columns=list(COMPARISON_COLUMNS))


def write(folder: Path, scores: pd.DataFrame, comparisons: pd.DataFrame) -> Path:
    return write_scores(
        folder, scores, comparisons, settings={}, code="c", inputs=[], facts={"runs": 1}, synthetic=True
    )


def test_scores_come_back_to_the_last_digit_with_their_names(tmp_path: Path) -> None:
    scores, comparisons = tables()
    found = read_scores(write(tmp_path, scores, comparisons))
    pd.testing.assert_frame_equal(found.scores, scores, check_exact=True)
    pd.testing.assert_frame_equal(found.comparisons, comparisons, check_exact=True)
    assert found.manifest.facts == {"runs": 1} and found.manifest.synthetic


def test_an_experiment_with_one_start_has_no_comparisons(tmp_path: Path) -> None:
    found = read_scores(write(tmp_path, tables()[0], pd.DataFrame(columns=list(COMPARISON_COLUMNS))))
    assert len(found.comparisons) == 0 and tuple(found.comparisons.columns) == COMPARISON_COLUMNS


@pytest.mark.parametrize("name", [SCORES, COMPARISONS])
def test_a_changed_digit_is_noticed(tmp_path: Path, name: str) -> None:
    manifest = write(tmp_path, *tables())
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace("0.9", "0.8").replace("-0.1", "-0.3"))
    with pytest.raises(IntegrityError, match=name):
        read_scores(manifest)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (0, "value", 1.2, r"outside \[0, 1\]"),
        (0, "low", -0.1, r"outside \[0, 1\]"),
        (0, "value", NAN, "undefined although its class has positives and negatives"),
        (2, "value", NAN, "undefined although its class has positives and negatives"),
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, row: int, column: str, value: float, message: str) -> None:
    scores, comparisons = tables()
    scores.loc[row, column] = value
    with pytest.raises(ValueError, match=message):
        write(tmp_path, scores, comparisons)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("amount", [(0.0, 0), (0.1, 5)])
def test_a_score_is_of_a_fraction_or_of_a_count(tmp_path: Path, which: int, amount: tuple[float, int]) -> None:
    both = tables()
    both[which].loc[0, ["fraction", "per_class"]] = amount
    with pytest.raises(ValueError, match="of neither or both of a fraction and a count"):
        write(tmp_path, *both)
    both[which].loc[0, ["fraction", "per_class"]] = (0.0, 5)
    read_scores(write(tmp_path, *both))


@pytest.mark.parametrize("which", [0, 1])
def test_other_columns_are_refused(tmp_path: Path, which: int) -> None:
    both = list(tables())
    both[which] = both[which][both[which].columns[::-1]]
    with pytest.raises(ValueError, match="have columns"):
        write(tmp_path, *both)


def test_an_undefined_score_of_an_empty_class_is_kept(tmp_path: Path) -> None:
    found = read_scores(write(tmp_path, *tables())).scores
    assert found["value"].isna().tolist() == [False, True, False, True] and found["class"].iat[1] == "None"


def test_the_contests_score_of_a_class_that_always_stands_second_is_no_number(tmp_path: Path) -> None:
    scores, comparisons = tables()
    row = dict(zip(SCORE_COLUMNS, ROWS[0], strict=True)) | {"metric": "cpsc2018_f1", "value": NAN}
    more = pd.concat([scores, pd.DataFrame([row])], ignore_index=True)
    assert read_scores(write(tmp_path, more, comparisons)).scores["value"].isna().sum() == 3
