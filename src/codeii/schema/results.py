"""Words of results.json: everything a study found and everything it was found with, in one file.

What documents, registries and other programs say of a study, they take from here and from nowhere else. Blocks that a
study does not have are null: whoever reads them asks first.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

FORMAT: Literal["codeii results 1"] = "codeii results 1"
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]  # of params.yaml: it becomes part of a file's name
Cell = str | bool | int | float | None


class Block(BaseModel):
    """What all parts of results.json have in common: no other keys, and nothing is changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Table(Block):
    """Rows of equal length; null where a number is not defined."""

    columns: list[str] = Field(description="names, in the order of a row's cells")
    rows: list[list[Cell]]

    @model_validator(mode="after")
    def _rows_are_as_long_as_the_columns(self) -> "Table":
        odd = next((number for number, row in enumerate(self.rows) if len(row) != len(self.columns)), None)
        if odd is not None:
            raise ValueError(f"row {odd} has {len(self.rows[odd])} cells, expected {len(self.columns)}")
        return self

    def records(self, **values: Cell) -> list[dict[str, Cell]]:
        """The rows whose columns have these values, as mappings."""
        places = {self.columns.index(name): value for name, value in values.items()}
        kept = (row for row in self.rows if all(row[place] == value for place, value in places.items()))
        return [dict(zip(self.columns, row, strict=True)) for row in kept]


class File(Block):
    """One file of an artefact."""

    path: str = Field(description="below the folder the study ran in")
    bytes: int
    sha256: str


class Column(Block):
    """One column of a source's table of records."""

    name: str
    kind: Literal["text", "integer", "number", "boolean"]


class Paper(Block):
    """The publication that the study rebuilds."""

    title: str
    authors: list[str]
    journal: str
    year: int
    doi: str


class Software(Block):
    """The program, as CITATION.cff says it, and the files that say what runs."""

    title: str
    version: str
    licence: str
    authors: list[str]
    date_released: str | None = Field(description="null where CITATION.cff has no date-released")
    papers: list[Paper]
    files: dict[str, str] = Field(description="workflow, licence and citation: path -> sha256")


class Source(Block):
    """One data set as it was read."""

    name: Word
    synthetic: bool
    manifest: str
    card: dict[str, Any] = Field(description="what is known of the data set before it is read")
    facts: dict[str, Any] = Field(description="counts and properties of the records that were kept")
    files: list[File]
    columns: list[Column] = Field(description="of the table of records")
    checks: Table | None = Field(description="questions of the audit and their answers")


class Task(Block):
    """Classes to be told apart, and the exams of each split."""

    name: Word
    source: Word
    synthetic: bool
    manifest: str
    classes: list[str]
    facts: dict[str, Any] = Field(description="exams, patients and positives of each split, records left out")


class Run(Block):
    """One trained network without its weights."""

    experiment: Word
    model: Word
    start: str
    fraction: float
    per_class: int
    seed: int
    task: Word
    synthetic: bool
    manifest: str
    weights_sha256: str
    parameters: int
    trained_on: list[str] = Field(description="its task and those of the networks it started from")
    best_epoch: int
    leads: list[str]
    rate_hz: int
    samples: int
    unit: str
    settings: dict[str, Any] = Field(description="network, preprocessing, recipe and start")
    facts: dict[str, Any] = Field(description="epochs, steps, records and patients it learned from")


class Judged(Block):
    """How one experiment and model were scored; the numbers stand in `scores`."""

    experiment: Word
    model: Word
    synthetic: bool
    manifest: str
    protocol: str
    facts: dict[str, Any] = Field(description="exams, resamples, classes that could not be judged")


class Submission(Block):
    """A predictions file for a blind test."""

    source: Word
    experiment: Word
    model: Word
    synthetic: bool
    manifest: str
    files: list[File]
    facts: dict[str, Any]


class Provenance(Block):
    """Where an artefact comes from."""

    manifest: str
    sha256: str
    kind: str
    code: str
    synthetic: bool
    environment: dict[str, str]
    inputs: dict[str, str] = Field(description="manifest or file -> its sha256")


class Results(Block):
    """A study's results.json."""

    format: Literal["codeii results 1"] = FORMAT
    study: str
    origin: Literal["synthetic", "mixed", "real"]
    warning: str = Field(description="what must be said beside every number; empty on real data")
    software: Software
    environment: dict[str, str]
    counts: dict[str, int] = Field(description="how many sources, records, experiments, runs, scores ... there are")
    settings: dict[str, Any] = Field(description="params.yaml as it was run")
    not_run: list[str] = Field(description="what was declared and wants data or weights, in sentences")
    sources: list[Source]
    tasks: list[Task]
    runs: list[Run]
    judged: list[Judged]
    submissions: list[Submission]
    scores: Table
    comparisons: dict[str, Table] | None = None
    analyses: dict[str, Table] | None = None
    explanations: dict[str, Table] | None = None
    verdicts: dict[str, Table] | None = None
    leakage: dict[str, Table] | None = None
    provenance: list[Provenance]

    @model_validator(mode="after")
    def _synthetic_data_are_named(self) -> "Results":
        if bool(self.warning) == (self.origin == "real"):
            raise ValueError(f"origin is {self.origin!r} and the warning {self.warning!r}")
        return self
