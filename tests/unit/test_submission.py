"""The blind-test kit: a predictions file, its card, every fault named, and a score against a key."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from codeii.__main__ import main
from codeii.artifacts.manifest import IntegrityError, sha256_of
from codeii.artifacts.submission import read_card, write_submission
from codeii.evaluation.blind import Resampling, read_key, score_file
from codeii.schema.labels import read_label_set, to_targets
from codeii.synthetic.label import statements_of
from codeii.synthetic.population import plan
from codeii.synthetic.twin_source import twin_source

LABELS = read_label_set("code_ii_twin")
WHO = {"source": "code_ii_test", "experiment": "code_ii_pretraining", "model": "resnet1d"}
EXAMS = 120


def synthetic_key() -> pd.DataFrame:
    """The findings behind the twin's exams, which its release withholds, as 0 and 1 of each class."""
    rng, of = np.random.default_rng(0), twin_source("code_ii_open")
    exams = list(plan("code_ii_test", EXAMS, 2))
    statements = [dict.fromkeys(statements_of(rng, of, exam.findings)) for exam in exams]
    key = pd.DataFrame(to_targets(LABELS, statements), columns=list(LABELS.classes))
    key.insert(0, "exam_id", [f"e{exam.number:03d}" for exam in exams])
    return key


@pytest.fixture
def submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A predictions file that knows a little, beside its card and a key."""
    monkeypatch.chdir(tmp_path)  # a study made here would know the exams
    key = synthetic_key()
    rng = np.random.default_rng(1)
    truth = key[list(LABELS.classes)].to_numpy()
    probabilities = (0.15 + 0.3 * truth + 0.5 * rng.random(truth.shape)).astype(np.float32)
    order = rng.permutation(EXAMS)
    write_submission(
        tmp_path,
        key["exam_id"].to_numpy()[order].tolist(),
        probabilities[order],
        LABELS.classes,
        weights_sha256=["ab" * 32],
        settings=WHO,
        code="c",
        inputs=[],
        facts={},
        synthetic=True,
    )
    key.to_csv(tmp_path / "key.csv", index=False)
    return tmp_path / "predictions.csv"


def test_a_file_without_fault_says_what_it_is_and_what_to_quote(
    submitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exams = submitted.with_name("exams.csv")
    pd.read_csv(submitted.with_name("key.csv"))[["exam_id"]].to_csv(exams, index=False)
    assert main(["submit", "--check", str(submitted), "--exams", str(exams)]) == 0
    said = capsys.readouterr().out
    assert "120 exams, 66 classes" in said and "no fault" in said
    assert "SYNTHETIC DATA" in said
    assert f"sha256:{sha256_of(submitted.with_name('submission.json'))}" in said
    assert "not checked" not in said


def test_exams_that_are_not_at_hand_are_said_not_to_be_checked(
    submitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "--check", str(submitted)]) == 0
    assert "their ids were not checked" in capsys.readouterr().out


def test_the_exams_of_a_study_are_found_where_it_was_run(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = Path("results/records/code_ii_test")
    records.mkdir(parents=True)
    ids = [f"e{number:03d}" for number in range(1, EXAMS + 1)]
    pd.DataFrame({"exam_id": ids * 2}).to_parquet(records / "records.parquet")
    assert main(["submit", "--check", str(submitted)]) == 3
    said = capsys.readouterr().err
    assert "exams 1 ('e120') of the test set are missing" in said
    assert "exams 1 ('e000') are not of the test set" in said


def edited(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return lambda path: change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)


def cell(value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[3, "AF"] = value
        return table

    return change


SWAPPED = ["exam_id", "ST", "SB", *LABELS.classes[2:]]
FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "edited": (edited(cell("0.25")), "not the predictions of the card"),
    "not a number": (edited(cell("")), "class 'AF': 1 cells are no finite number ('')"),
    "infinite": (edited(cell("inf")), "class 'AF': 1 cells are no finite number ('inf')"),
    "a logit": (edited(cell("-2.5")), "class 'AF': 1 values outside [0, 1]"),
    "decimal comma": (edited(cell("0,25")), "class 'AF': 1 cells are no finite number ('0,25')"),
    "swapped columns": (edited(lambda table: table[SWAPPED]), "another order: number 2 is 'ST', expected 'SB'"),
    "a column is missing": (edited(lambda table: table.drop(columns="AF")), "columns: 1 ('AF') missing, none not"),
    "a column is unknown": (
        edited(lambda table: table.assign(**{"<script>alert(1)</script>": "0.5"})),
        "none missing, 1 ('<script>alert(1)</script>') not known",
    ),
    "an exam twice": (
        edited(lambda table: pd.concat([table, table.iloc[:1]])),
        "exams 1 ('e000') are predicted more than once",
    ),
    "rows are missing": (edited(lambda table: table.iloc[5:]), "115 rows, the card speaks of 120 exams"),
    "a column twice": (
        lambda path: path.write_text(path.read_text().replace("exam_id,SB,ST", "exam_id,SB,SB")),
        "columns 1 ('SB') occur more than once",
    ),
    "other bytes": (lambda path: path.write_bytes(b"\xff\xfe\x00\x01"), "not a CSV file in UTF-8"),
    "empty": (lambda path: path.write_bytes(b""), "not a CSV file in UTF-8"),
    "ragged": (lambda path: path.write_text(path.read_text() + "e999,0.1\ne998" + ",0.1" * 80 + "\n"), "not a CSV"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_named(name: str, submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_it, expected = FAULTS[name]
    break_it(submitted)
    assert main(["submit", "--check", str(submitted)]) == 3
    assert expected in capsys.readouterr().err


def test_all_faults_are_named_at_once(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited(lambda table: cell("nan")(table).iloc[2:].drop(columns="LBBB"))(submitted)
    assert main(["submit", "--check", str(submitted)]) == 3
    said = capsys.readouterr().err
    assert "4 faults" in said
    for part in ("'LBBB'", "not the predictions of the card", "118 rows", "class 'AF'"):
        assert part in said


def test_another_models_predictions_are_told_from_the_cards(
    submitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    values = np.full((2, 1), 0.5, np.float32)
    how = {"code": "c", "inputs": [], "facts": {}, "synthetic": True}
    write_submission(other, ["a", "b"], values, ["AF"], weights_sha256=["cd" * 32], settings=WHO, **how)
    assert main(["submit", "--check", str(submitted), "--card", str(other / "submission.json")]) == 3
    assert "another model's file, or edited since" in capsys.readouterr().err


def test_a_card_that_contradicts_itself_is_refused(submitted: Path) -> None:
    path = submitted.with_name("submission.json")
    card = json.loads(path.read_text())
    card["classes"] = card["classes"][::-1]
    path.write_text(json.dumps(card))
    with pytest.raises(IntegrityError, match="classes_hash is"):
        read_card(path)
    path.write_text("{")
    with pytest.raises(IntegrityError, match="not a JSON file"):
        read_card(path)
    path.unlink()
    assert main(["submit", "--check", str(submitted)]) == 4


def test_rounded_probabilities_are_said_to_lose_ranks(
    submitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"e{number:03d}" for number in range(EXAMS)]
    values = np.round(np.random.default_rng(0).random((EXAMS, 1)), 0).astype(np.float32)
    how = {"code": "c", "inputs": [], "facts": {}, "synthetic": False}
    write_submission(tmp_path / "coarse", ids, values, ["AF"], weights_sha256=["ab" * 32], settings=WHO, **how)
    assert main(["submit", "--check", str(tmp_path / "coarse/predictions.csv")]) == 0
    said = capsys.readouterr().out
    assert "1 ('AF') classes have few distinct probabilities" in said
    assert "SYNTHETIC" not in said


def test_what_is_no_probability_or_twice_is_not_written(tmp_path: Path) -> None:
    how = {"weights_sha256": ["ab" * 32], "settings": WHO, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    for value in (np.nan, -0.1, 1.1):
        with pytest.raises(ValueError, match="no probability"):
            write_submission(tmp_path, ["a"], np.full((1, 1), value, np.float32), ["AF"], **how)
    with pytest.raises(ValueError, match="'a' is predicted twice"):
        write_submission(tmp_path, ["a", "a"], np.full((2, 1), 0.5, np.float32), ["AF"], **how)


def test_scores_are_those_of_scikit_learn_whatever_the_order_of_the_key(
    submitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = pd.read_csv(submitted.with_name("key.csv"))
    shuffled = key.sample(frac=1, random_state=0)[["exam_id", *sorted(LABELS.classes)]]
    shuffled.to_csv(submitted.with_name("key.csv"), index=False)
    table = submitted.with_name("scores.csv")
    words = ["submit", "--score", str(submitted), "--key", str(submitted.with_name("key.csv"))]
    assert main([*words, "--table", str(table), "--replicates", "50"]) == 0
    said = capsys.readouterr().out
    scores = pd.read_csv(table, dtype={"class": str}).set_index(["metric", "class"])
    truth = key.set_index("exam_id").sort_index()
    found = pd.read_csv(submitted, index_col="exam_id").sort_index().astype(np.float32)
    judged = [name for name in LABELS.classes if 0 < truth[name].sum() < EXAMS]
    assert 20 < len(judged) < 66 and f"120 exams; {len(judged)} of 66 classes can be judged" in said
    peers = {"auroc": roc_auc_score, "auprc": average_precision_score, "brier": brier_score_loss}
    for metric, peer in peers.items():
        each = {name: peer(truth[name], found[name].astype(float)) for name in judged}
        for name, value in each.items():
            assert scores.loc[(metric, name), "value"] == pytest.approx(value, abs=1e-12)
        assert scores.loc[(metric, "macro"), "value"] == pytest.approx(np.mean(list(each.values())), abs=1e-12)
    macro = scores.loc[("auroc", "macro")]
    assert macro["low"] < macro["value"] < macro["high"]
    assert np.isnan(scores.loc[("auroc", next(name for name in LABELS.classes if name not in judged)), "value"])


def test_a_key_that_does_not_fit_is_refused(submitted: Path) -> None:
    key, path = pd.read_csv(submitted.with_name("key.csv")), submitted.with_name("other.csv")
    how = Resampling(replicates=5)
    for change, expected in (
        (key.iloc[1:], "exams differ: 0 only in the key .*, 1 only in the predictions"),
        (key.drop(columns="AF"), "classes differ: .* 1 only in the predictions"),
        (key.assign(AF=2), "class 'AF': '2'; expected 0 or 1"),
        (pd.concat([key, key.iloc[:1]]), "exam 'e000' is given twice"),
        (key.drop(columns="exam_id"), "expected exam_id"),
    ):
        change.to_csv(path, index=False)
        with pytest.raises(ValueError, match=expected):
            score_file(submitted, path, LABELS.classes, how)
    key.to_csv(path, index=False)
    assert read_key(path).shape == (EXAMS, 66)


def test_what_must_be_said_together_is_asked_for(submitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in ((["--score", str(submitted)], "--score needs --key"), ([], "say --check FILE")):
        with pytest.raises(SystemExit) as stop:
            main(["submit", *words])
        assert stop.value.code == 2
        assert expected in capsys.readouterr().err
