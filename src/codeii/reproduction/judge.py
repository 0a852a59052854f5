"""A verdict for each of our cells that others have published a number on, and for what they have and we have not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from codeii.artifacts.verdicts import SYNTHETIC
from codeii.reproduction.equivalence import FEWEST_SEEDS, equivalence
from codeii.reproduction.published import Published

Row = tuple[Any, ...]
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Protocol:
    """What two numbers must share to be compared. Empty is not stated, and compared with nothing."""

    release: str = ""
    split: str = ""
    unlabelled_records: str = ""
    minimum_seconds: float | None = None
    crops: str = ""
    n_classes: int | None = None

    @property
    def words(self) -> str:
        """As it stands beside a number."""
        said = [
            f"release {self.release}" if self.release else "",
            self.split,
            f"unlabelled records: {self.unlabelled_records}" if self.unlabelled_records else "",
            f"at least {self.minimum_seconds:g} s" if self.minimum_seconds else "",
            f"{self.crops} over crops" if self.crops in ("max", "mean") else self.crops,
            f"{self.n_classes} classes" if self.n_classes else "",
        ]
        return "; ".join(word for word in said if word)


@dataclass(frozen=True, slots=True)
class Cell:
    """One of our numbers: a start of a model in an experiment, trained on all its data."""

    experiment: str
    model: str
    start: str
    encoder: str  # whose published weights it starts from, "" for none
    mode: str
    random: bool  # starts from random weights
    task: str
    metric: str
    protocol: Protocol
    synthetic: bool
    values: tuple[float, ...] = ()  # one for each seed
    not_run: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """The stated test."""

    margin: float
    alpha: float


def protocol_of(line: Published) -> Protocol:
    """The protocol of a published number."""
    return Protocol(
        release=line.release,
        split=line.split,
        unlabelled_records=line.unlabelled_records,
        minimum_seconds=line.minimum_seconds,
        crops=line.crops,
        n_classes=line.n_classes,
    )


def matches(cell: Cell, line: Published) -> bool:
    """Whether a published number is of the same network, begun and trained alike, on the same task and metric."""
    same = (cell.model, cell.mode, cell.task, cell.metric) == (line.ours, line.mode, line.task, line.metric)
    return same and (cell.random if line.encoder == "" else cell.encoder == line.encoder)


def differences(ours: Protocol, theirs: Protocol) -> list[str]:
    """Every way in which two protocols differ, in words; what either does not state differs from nothing."""
    pairs = [
        ("release", ours.release, theirs.release),
        ("split", ours.split, theirs.split),
        ("unlabelled records", ours.unlabelled_records, theirs.unlabelled_records),
        ("minimum length", ours.minimum_seconds, theirs.minimum_seconds),
        ("crops", ours.crops, theirs.crops),
        ("classes", ours.n_classes, theirs.n_classes),
    ]
    unstated = ("", None)
    return [
        f"{name}: {one} here, {other} there"
        for name, one, other in pairs
        if one not in unstated and other not in unstated and one != other
    ]


def verdict(cell: Cell, line: Published, rule: Rule) -> tuple[str, str, Row]:
    """Verdict, why, and our mean with its interval; none of ours where the data are synthetic or nothing was run."""
    nothing = (NAN,) * 3
    if cell.not_run:
        return "not run", cell.not_run, nothing
    if cell.synthetic:
        return "not comparable", SYNTHETIC, nothing
    mean = sum(cell.values) / len(cell.values) if cell.values else NAN
    reasons = differences(cell.protocol, protocol_of(line))
    if len(cell.values) < FEWEST_SEEDS:
        reasons.append(f"{len(cell.values)} seeds; the test asks for {FEWEST_SEEDS}")
        return "not comparable", "; ".join(reasons), (mean, NAN, NAN)
    found = equivalence(cell.values, line.value, rule.margin, rule.alpha)
    numbers = (found.mean, found.low, found.high)
    if reasons:
        return "not comparable", "; ".join(reasons), numbers
    if found.outcome == "undecided":
        return "not comparable", f"undecided: the interval over seeds crosses {rule.margin:g} from it", numbers
    return ("reproduced" if found.outcome == "same" else "differs"), "", numbers


def cell_rows(cells: Sequence[Cell], lines: Iterable[Published], rule: Rule) -> list[Row]:
    """Rows of `CELL_COLUMNS`: every published number beside each of our cells that is the same, or beside none; then
    our cells on which nothing was published."""
    rows: list[Row] = []
    met: set[int] = set()
    for line in lines:
        theirs = (line.model, line.mode, line.value, *_ends(line), protocol_of(line).words, line.source, line.known_as)
        same = [number for number, cell in enumerate(cells) if matches(cell, line)]
        met |= set(same)
        for number in same:
            rows.append((*_judged(cells[number], verdict(cells[number], line, rule)), *theirs))
        if not same:
            why = f"no experiment of this study does it{'' if line.ours else ': the network is not built here'}"
            rows.append(("not run", why, line.task, line.metric, *[""] * 4, *[NAN] * 5, False, *theirs))
    for number, cell in enumerate(cells):
        if number not in met and cell.metric == "auroc":
            rows.append((*_judged(cell, _alone(cell)), "", "", *[NAN] * 3, "", "", "", ""))
    return rows


def _alone(cell: Cell) -> tuple[str, str, Row]:
    if cell.not_run:
        return "not run", cell.not_run, (NAN,) * 3
    if cell.synthetic:
        return "not comparable", SYNTHETIC, (NAN,) * 3
    mean = sum(cell.values) / len(cell.values) if cell.values else NAN
    return "not comparable", "no published number is known to us", (mean, NAN, NAN)


def _judged(cell: Cell, found: tuple[str, str, Row]) -> Row:
    word, why, numbers = found
    names = (cell.task, cell.metric, cell.experiment, cell.model, cell.start, cell.protocol.words)
    classes = NAN if cell.protocol.n_classes is None or cell.synthetic else cell.protocol.n_classes
    return (word, why, *names, *numbers, len(cell.values), classes, cell.synthetic)


def _ends(line: Published) -> tuple[float, float, str]:
    unknown = line.low is None or line.high is None
    return (NAN, NAN, "") if unknown else (float(line.low or 0), float(line.high or 0), line.interval)
