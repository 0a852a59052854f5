"""What every file of `splits/` must keep, present and future; and that MERL's list is the one that was published."""

import csv
import hashlib
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from codeii.schema import split_lists
from codeii.schema.split_lists import FOLDER, read_split_list, source_of_list, split_by_list, split_list_names
from codeii.schema.splits import SPLITS, split_hash

NAMES = split_list_names()


def test_split_lists_are_found() -> None:
    assert "merl_cpsc2018" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_list_is_plain_text_of_a_source_and_fills_every_split(name: str) -> None:
    raw = (FOLDER / f"{name}.csv").read_bytes()
    assert raw.endswith(b"\n") and b"\r" not in raw
    published = read_split_list(name)
    assert set(published.split_of.values()) == set(SPLITS)
    assert import_module(f"codeii.sources.{source_of_list(name)}").CARD
    assert len(published.said["commit"]) == 40 and published.said["from"].startswith("https://")
    assert published.words.startswith(published.said["title"]) and name in published.words


def test_the_list_of_merl_has_the_published_counts() -> None:
    published = read_split_list("merl_cpsc2018")
    assert Counter(published.split_of.values()) == {"train": 4950, "validation": 551, "test": 1376}
    assert sorted(published.split_of) == [f"A{number:04d}" for number in range(1, 6878)]
    names = list(published.split_of)
    digest = split_hash(names, [published.split_of[name] for name in names])
    assert digest == "3aecd41ec154f5aeb8945f4490d9d59274ff68a58a2972f6b20728e420a8f4e8"


def test_the_list_of_merl_has_the_published_classes_in_its_test_split(shared: Path) -> None:
    """Counts of the published icbeb_test.csv by class."""
    expected = {"1": 184, "2": 250, "3": 155, "4": 49, "5": 357, "6": 120, "7": 143, "8": 162, "9": 38}
    split_of = read_split_list("merl_cpsc2018").split_of
    found: Counter[str] = Counter()
    with (shared / "data/cpsc2018/REFERENCE.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            labels = {row[f"{place}_label"] for place in ("First", "Second", "Third")} - {""}
            found.update(labels if split_of[row["Recording"]] == "test" else ())
    assert found == expected


HEAD = "# source: x\n# title: t\n# from: https://x\n# commit: c\n# licence: l\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD.replace("# licence: l\n", "") + "record_id,split\na,train\n", "the head does not say licence"),
        (HEAD + "record,split\na,train\n", r"columns \['record', 'split'\], expected record_id,split"),
        (HEAD + "record_id,split\na,train\na,test\n", r"row \['a', 'test'\] is not a record_id of its own"),
        (HEAD + "record_id,split\na,val\n", r"row \['a', 'val'\] is not"),
        (HEAD + "record_id,split\n,train\n", r"row \['', 'train'\] is not"),
        (HEAD + "record_id,split\na\n", r"row \['a'\] is not"),
        ("", "the head does not say source, title, from, commit, licence"),
    ],
)
def test_a_list_that_is_not_whole_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setattr(split_lists, "FOLDER", tmp_path)
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_split_list("mine")


def test_an_unknown_list_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"split list 'helme' does not exist; there are .*merl_cpsc2018"):
        read_split_list("helme")


def test_a_list_that_parts_the_records_of_an_exam_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_lists, "FOLDER", tmp_path)
    (tmp_path / "mine.csv").write_text(HEAD + "record_id,split\na,train\nb,test\nc,test\n")
    published = read_split_list("mine")
    assert split_by_list(["b", "c", "d"], ["x", "x", "y"], published) == {"x": "test"}
    with pytest.raises(ValueError, match="mine: exam 'x' is in train and in test"):
        split_by_list(["a", "b"], ["x", "x"], published)


def test_the_hash_of_a_split_is_that_of_its_sorted_lines() -> None:
    expected = hashlib.sha256(b"a,test\nb,train\n").hexdigest()
    assert split_hash(["b", "a"], ["train", "test"]) == split_hash(["a", "b"], ["test", "train"]) == expected
    assert split_hash(["a", "b"], ["train", "test"]) != expected
