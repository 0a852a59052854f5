"""What others have published on the same tasks: `published.csv` and `claims.csv`, checked as they are read.

`known_as` says how a line is known: stated by a primary source, or second-hand. A protocol that the source does not
state is empty. `ours` names the network of this package that is theirs, `encoder` whose weights it starts from.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FOLDER = Path(__file__).parent
Known = Literal["stated", "second-hand"]
Model = TypeVar("Model", bound=BaseModel)


class Published(BaseModel):
    """One published number."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str = Field(min_length=1)
    model: str = Field(min_length=1)
    ours: str
    encoder: str
    mode: Literal["full", "linear_probe", "attention_probe"]
    data: str
    release: str
    task: str
    metric: str
    value: float = Field(ge=0, le=1)
    low: float | None
    high: float | None
    interval: str
    n_classes: int | None
    split: str
    unlabelled_records: Literal["drop", "keep", ""]
    minimum_seconds: float | None
    crops: Literal["max", "mean", ""]
    known_as: Known

    @field_validator("low", "high", "n_classes", "minimum_seconds", mode="before")
    @classmethod
    def _empty_is_unknown(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _holds_its_value(self) -> "Published":
        if (self.low is None) != (self.high is None) or (self.low is None) != (self.interval == ""):
            raise ValueError("low, high and interval are given together or not at all")
        if self.low is not None and self.high is not None and not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value} is outside its interval {self.low}-{self.high}")
        return self


class Claim(BaseModel):
    """One claim of the paper in words, and what decides it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    claim: str = Field(min_length=1)
    known_as: Known
    source: str = Field(min_length=1)
    kind: Literal["difference", "slope", "blind"]
    tasks: list[str]
    start: str
    versus: list[str]
    amounts: Literal["all", "few", ""]

    @field_validator("tasks", "versus", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value


def read_published(path: Path = FOLDER / "published.csv") -> list[Published]:
    """Every published number. Raises ValueError with file, line and field where one is not as it should be."""
    return [_checked(Published, path, *row) for row in _rows(path)]


def read_claims(path: Path = FOLDER / "claims.csv") -> list[Claim]:
    """Every claim. Raises ValueError as `read_published`."""
    return [_checked(Claim, path, *row) for row in _rows(path)]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from enumerate(csv.DictReader(file), 2)


def _checked(model: type[Model], path: Path, line: int, row: dict[str, str]) -> Model:
    try:
        return model.model_validate(row)
    except ValueError as error:
        raise ValueError(f"{path.name}, line {line}: {error}") from None
