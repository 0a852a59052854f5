"""The declared layout: how a source whose published format is not known yet lies on disk, said in params.yaml."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from codeii.schema.leads import standard_name
from codeii.schema.params import Strict, sentence_of
from codeii.schema.units import microvolts_per

Model = TypeVar("Model", bound=BaseModel)
Sex = Literal["female", "male", "unknown"]


class Columns(Strict):
    """Which column of the table holds what."""

    exam_id: str = Field(description="name the column of the table that holds the exam id")
    patient_id: str | None = Field(description="name the column that holds the patient id, or null: a patient per exam")
    age: str | None = Field(description="name the column that holds the age in years, or null")
    exam_date: str | None = Field(None, description="with birth_date: the column of the exam's day, as 2021-05-31")
    birth_date: str | None = Field(None, description="where there is no age: the column of the day of birth")
    sex: str | None = Field(description="name the column that holds the sex, or null")
    split: str | None = Field(description="name the column that holds the published split or fold, or null")
    tracings: str | None = Field(
        None, description="the column with the number of tracings of the exam (a row per exam)"
    )
    tracing: str | None = Field(None, description="the column with the tracing's own number (a row per tracing)")

    @model_validator(mode="after")
    def _one_way_to_age(self) -> "Columns":
        if (self.exam_date is None) != (self.birth_date is None) or (
            self.age is not None and self.birth_date is not None
        ):
            raise ValueError("declare either age, or exam_date and birth_date together with age: null")
        return self

    @model_validator(mode="after")
    def _one_way_to_count(self) -> "Columns":
        if (self.tracings is None) == (self.tracing is None):
            raise ValueError(
                "declare either tracings (the column that counts an exam's tracings, one row per exam) "
                "or tracing (the column that numbers them, one row per tracing)"
            )
        return self


class Statements(Strict):
    """Where a row's statements are: one way of three; `after` with `columns` allows no other column to its right."""

    columns: list[str] | None = Field(None, min_length=1, description="names of the 0/1 columns")
    after: str | None = Field(None, description="every column to the right of this one is a 0/1 column")
    column: str | None = Field(None, description="one column that lists the statements as text")
    separator: str = Field(";", min_length=1, description="what stands between two statements of `column`")

    @model_validator(mode="after")
    def _one_way(self) -> "Statements":
        by_column = self.columns is not None or self.after is not None
        if by_column == (self.column is not None):
            raise ValueError(
                "declare one of columns, after (both together where the columns right of it must be exactly these) "
                "and column (or statements: null where labels are withheld)"
            )
        return self


class WfdbSignals(Strict):
    """One WFDB record per tracing."""

    format: Literal["wfdb"]
    path: str = Field(description="path of a tracing without suffix, such as records/{exam_id}_{tracing}")


class Hdf5Signals(Strict):
    """One HDF5 dataset per tracing."""

    format: Literal["hdf5"]
    path: str = Field(description="path of the HDF5 file, such as exams.hdf5")
    dataset: str = Field(description='dataset of a tracing inside it, such as "{exam_id}/{tracing}"')
    rate_attribute: str = Field(description="attribute of the dataset that holds the sampling rate in Hz")
    axes: Literal["lead_sample", "sample_lead"] = Field(description="order of the dataset's axes")
    leads: list[str] = Field(description="names of the leads in stored order")
    unit: str = Field(description="unit of the signal: nV, uV, mV or V")
    counts_per_unit: float = Field(
        gt=0, allow_inf_nan=False, description="stored value of one unit; 1 if it is the unit"
    )

    @field_validator("leads")
    @classmethod
    def _known_leads(cls, names: list[str]) -> list[str]:
        for name in names:
            standard_name(name)
        return names

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str) -> str:
        microvolts_per(unit)
        return unit


class Layout(Strict):
    """Where the metadata and the signals of a source are."""

    table: str = Field(description="name the CSV file of the exams, such as exams.csv")
    columns: Columns = Field(description="say which column of the table holds what")
    sex_values: dict[str, Sex] = Field(
        default_factory=dict, description="the sex column's words -> female, male, unknown"
    )
    statements: Statements | None = Field(description="say where the statements are; null where labels are withheld")
    signals: Annotated[WfdbSignals | Hdf5Signals, Field(discriminator="format")] = Field(
        description="say in which format the signals are (format: wfdb or hdf5) and where"
    )

    @model_validator(mode="after")
    def _sex_is_explained(self) -> "Layout":
        if self.columns.sex is not None and not self.sex_values:
            raise ValueError("columns.sex is declared, so sex_values must say what its words mean, such as {F: female}")
        return self


class Fixed(Strict):
    """Layout of a source whose published form is known: there is nothing to say."""


_BLOCKS: dict[str, type[BaseModel]] = {
    "columns": Columns,
    "statements": Statements,
    "wfdb": WfdbSignals,
    "hdf5": Hdf5Signals,
}


def options_of(model: type[Model], options: Mapping[str, object], source: str) -> Model:
    """The `layout` block of `sources.<source>` as a checked value.

    Raises ValueError: one sentence per fault, with its dotted path; what is not declared is said with what to write.
    """
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        where = f"sources.{source}.layout"
        raise ValueError("; ".join(_sentence(model, dict(one), where) for one in error.errors())) from None


def _sentence(model: type[BaseModel], error: dict[str, object], where: str) -> str:
    loc = [str(part) for part in error["loc"]]  # type: ignore[attr-defined]
    path = ".".join([where, *(part for part in loc if part not in ("wfdb", "hdf5"))])
    if error["type"] == "missing":
        owner = _BLOCKS.get(loc[-2], model) if len(loc) > 1 else model
        return f"{path} is not declared: {owner.model_fields[loc[-1]].description}"
    if error["type"] == "union_tag_not_found":
        return f"{path}.format is not declared: say wfdb or hdf5"
    if error["type"] == "value_error":
        return f"{path}: {re.sub('^Value error, ', '', str(error['msg']))}"
    return sentence_of({**error, "loc": path.split(".")})
