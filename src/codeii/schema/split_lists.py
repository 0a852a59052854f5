"""Published splits that are lists of names: which record belongs to which split, and who published that."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeii.schema.splits import SPLITS

FOLDER = Path(__file__).parents[1] / "splits"
SAID = ("source", "title", "from", "commit", "licence")  # what the head of a list must say
SHOWN = 8  # digits of a commit


@dataclass(frozen=True, slots=True)
class SplitList:
    """One published list: `said` is its head (source, title, from, commit, licence, note)."""

    name: str
    said: Mapping[str, str]
    split_of: Mapping[str, str]  # record_id -> train, validation or test

    @property
    def words(self) -> str:
        """Who published it, where it was read, and how many records it names, for beside a score."""
        counts = " / ".join(f"{list(self.split_of.values()).count(split):,}" for split in SPLITS)
        return f"{self.said['title']}; list {self.name}, commit {self.said['commit'][:SHOWN]}: {counts} records"


def split_list_names() -> list[str]:
    """Names of the lists that exist: one CSV of `splits/` each."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def split_list_file(name: str) -> Path:
    """The CSV of a list. Raises ValueError on a name that has none, with those that exist."""
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        raise ValueError(f"split list {name!r} does not exist; there are {', '.join(split_list_names()) or 'none'}")
    return path


def source_of_list(name: str) -> str:
    """The source whose records a list names, from its head alone."""
    with split_list_file(name).open(encoding="utf-8") as file:
        return _head(file, name)["source"]


def read_split_list(name: str) -> SplitList:
    """Read `splits/<name>.csv`: a head of `# key: value` lines, then the columns `record_id,split`.

    Raises ValueError on an unknown name, a head that lacks a key, other columns, an empty or repeated record_id, or a
    split that is none of ours.
    """
    path = split_list_file(name)
    with path.open(newline="", encoding="utf-8") as file:
        said = _head(file, name)
        file.seek(0)
        rows = csv.reader(line for line in file if not line.startswith("#"))
        header = next(rows, [])
        if header != ["record_id", "split"]:
            raise ValueError(f"{path.name}: columns {header}, expected record_id,split")
        split_of: dict[str, str] = {}
        for row in rows:
            if len(row) != 2 or not row[0] or row[0] in split_of or row[1] not in SPLITS:
                raise ValueError(f"{path.name}: row {row} is not a record_id of its own and one of {', '.join(SPLITS)}")
            split_of[row[0]] = row[1]
    return SplitList(name, said, split_of)


def split_by_list(record_ids: Sequence[str], exam_ids: Sequence[str], published: SplitList) -> dict[str, str]:
    """Split of every exam that has a record on the list; other exams are not in it.

    Raises ValueError where the list puts two records of an exam into two splits.
    """
    found: dict[str, str] = {}
    for record_id, exam_id in zip(record_ids, exam_ids, strict=True):
        split = published.split_of.get(record_id)
        if split is not None and found.setdefault(exam_id, split) != split:
            raise ValueError(f"{published.name}: exam {exam_id!r} is in {found[exam_id]} and in {split}")
    return found


def _head(lines: Iterator[str], name: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for line in lines:
        if not line.startswith("#"):
            break
        key, _, value = line[1:].partition(":")
        said[key.strip()] = value.strip()
    missing = [key for key in SAID if not said.get(key)]
    if missing:
        raise ValueError(f"{name}.csv: the head does not say {', '.join(missing)} (lines such as '# {SAID[0]}: ...')")
    return said
