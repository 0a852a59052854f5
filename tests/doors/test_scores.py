"""Door of the scores: what is written is read, and each broken invariant is named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.scores import score_frame

from codeii.artifacts.manifest import IntegrityError
from codeii.artifacts.scores import (
    ARM_COLUMNS,
    REPLICATES,
    SCORE_COLUMNS,
    SCORES,
    Replicates,
    read_scores,
    write_scores,
)

NAN = float("nan")
ROWS: list[tuple[Any, ...]] = [
    ("transfer", "resnet1d", "scratch", 0.1, 0, "0", "test", "auroc", "NA", 1 / 3, 0.1, 0.9, 40, 4, 1),
    ("transfer", "resnet1d", "scratch", 0.1, 0, "mean", "test", "auroc", "None", NAN, NAN, NAN, 40, 0, 1),
    ("transfer", "resnet1d", "scratch", 0.1, 0, "mean", "test", "auroc", "macro", 1 / 3, 0.1, 0.9, 40, 4, 1),
    ("transfer", "resnet1d", "scratch", 0.1, 0, "mean", "test", "auroc", "macro_frequent", NAN, NAN, NAN, 40, 0, 0),
]


def table() -> pd.DataFrame:
    return score_frame(ROWS)


def replicates() -> Replicates:
    arms = pd.DataFrame([("scratch", 0.1, 0, "mean", 3)], columns=[*ARM_COLUMNS, "n_seeds"]).astype({"seed": object})
    values = np.array([[[[0.25, NAN, 1 / 3], [0.5, 0.5, 0.75]]]])
    return Replicates(arms, ("auroc",), ("macro", "micro"), values[..., 0], values)


def write(folder: Path, scores: pd.DataFrame, made: Replicates | None = None) -> Path:
    made = made or replicates()
    return write_scores(folder, scores, made, settings={}, code="c", inputs=[], facts={"runs": 1}, synthetic=True)


def test_scores_come_back_to_the_last_digit_with_their_names(tmp_path: Path) -> None:
    found = read_scores(write(tmp_path, table()))
    pd.testing.assert_frame_equal(found.scores, table(), check_exact=True)
    assert found.manifest.facts == {"runs": 1} and found.manifest.synthetic


def test_replicates_come_back_to_the_last_digit_and_the_same_bytes_are_written_again(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, table()) for name in ("once", "again")]
    found, said = read_scores(paths[0]).replicates, replicates()
    pd.testing.assert_frame_equal(found.arms, said.arms, check_exact=True)
    assert (found.metrics, found.classes) == (said.metrics, said.classes)
    np.testing.assert_array_equal(found.values, said.values)
    np.testing.assert_array_equal(found.point, said.point)
    assert len({(path.parent / REPLICATES).read_bytes() for path in paths}) == 1


@pytest.mark.parametrize("shape", [(1, 1, 3, 2), (2, 1, 2, 2), (1, 2, 2, 2)])
def test_replicates_of_another_shape_than_their_names_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="replicates have shapes"):
        write(tmp_path, table(), replace(replicates(), values=np.zeros(shape), point=np.zeros(shape[:-1])))


def test_replicates_of_one_arm_twice_are_refused(tmp_path: Path) -> None:
    one = replicates()
    twice = replace(one, arms=pd.concat([one.arms] * 2), values=one.values.repeat(2, 0), point=one.point.repeat(2, 0))
    with pytest.raises(ValueError, match="two rows of replicates are of one arm"):
        write(tmp_path, table(), twice)


@pytest.mark.parametrize("name", [SCORES, REPLICATES])
def test_a_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    manifest = write(tmp_path, table())
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
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
    scores = table()
    scores.loc[row, column] = value
    with pytest.raises(ValueError, match=message):
        write(tmp_path, scores)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("amount", [(0.0, 0), (0.1, 5)])
def test_a_score_is_of_a_fraction_or_of_a_count(tmp_path: Path, amount: tuple[float, int]) -> None:
    scores = table()
    scores.loc[0, ["fraction", "per_class"]] = amount
    with pytest.raises(ValueError, match="of neither or both of a fraction and a count"):
        write(tmp_path, scores)
    scores.loc[0, ["fraction", "per_class"]] = (0.0, 5)
    read_scores(write(tmp_path, scores))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="have columns"):
        write(tmp_path, table()[list(SCORE_COLUMNS[::-1])])


def test_an_undefined_score_of_an_empty_class_is_kept(tmp_path: Path) -> None:
    found = read_scores(write(tmp_path, table())).scores
    assert found["value"].isna().tolist() == [False, True, False, True] and found["class"].iat[1] == "None"


def test_the_contests_score_of_a_class_that_always_stands_second_is_no_number(tmp_path: Path) -> None:
    row = table().iloc[[0]].assign(metric="cpsc2018_f1", value=NAN)
    more = pd.concat([table(), row], ignore_index=True)
    assert read_scores(write(tmp_path, more)).scores["value"].isna().sum() == 3
