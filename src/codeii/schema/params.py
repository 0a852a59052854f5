"""Everything `params.yaml` may say: names, ranges, defaults, and one sentence for each."""

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from codeii.schema.amounts import Amount
from codeii.schema.preprocessing import Preprocessing as Preprocessing
from codeii.schema.published import Archive, Primary
from codeii.schema.recipe import Recipe as Recipe
from codeii.schema.split_policies import WAYS
from codeii.schema.split_policies import FoldSplit as FoldSplit
from codeii.schema.split_policies import HashedSplit as HashedSplit
from codeii.schema.split_policies import PublishedSplit as PublishedSplit
from codeii.schema.split_policies import Splits as Splits
from codeii.schema.strict import Name, Share, Text
from codeii.schema.strict import Strict as Strict
from codeii.schema.weights import Weights


class Run(Strict):
    """Which part of the study is run."""

    experiments: list[Name] | None = Field(None, description="experiments to run, in order; null for all")


class Twin(Strict):
    """A synthetic twin of a source, written in the source's own format."""

    records: int = Field(gt=0, description="number of exams to synthesise")
    seed: int = Field(0, ge=0, description="the same seed gives the same bytes")
    form: Name | None = Field(
        None, description="on-disk form where the source has several (cpsc2018: contest, challenge)"
    )


class Awaiting(Strict):
    """Why the data of a source cannot be had yet, and what to set once they can (origin: awaiting)."""

    reason: str = Field(min_length=1, description="why, as the end of a sentence: is awaiting release: ...")
    checked: Text | None = Field(None, description="day on which this was last found so, as 2026-08-16")
    what_to_set: str | None = Field(
        None, description="what to write once the data are at hand; null: origin local, path and layout"
    )


class Source(Strict):
    """One data set: which version, where from, how it is laid out."""

    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="version as published")
    origin: Literal["synthetic", "local", "primary", "archive", "awaiting"] = Field(
        description="synthetic: make a twin; local: a copy on this machine, left where it lies; primary: fetched from "
        "the publisher; archive: fetched from a kept copy; awaiting: not to be had yet, what needs it is left out"
    )
    awaiting: Awaiting | None = Field(None, description="why and what to set (origin: awaiting); else without effect")
    twin: Twin | None = Field(None, description="size and seed of the twin (origin: synthetic)")
    path: str | None = Field(None, description="folder of the copy (origin: local), as published")
    primary: Primary | None = Field(None, description="where the publisher gives it out (origin: primary)")
    archive: Archive | None = Field(None, description="where a kept copy lies (origin: archive)")
    layout: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default_factory=dict, description="declared layout, for sources whose format is not fixed; null: none"
    )
    shards: int = Field(
        1, gt=0, le=10_000, description="parts that are read and preprocessed by jobs of their own, side by side"
    )
    max_faulty_share: float = Field(0.05, ge=0, le=1, description="stop when more of the present records are faulty")


class Task(Strict):
    """What is predicted, on which source, on which split."""

    source: Name = Field(description="a name under `sources`")
    label_set: Name = Field(description="a file of src/codeii/label_sets")
    unlabelled_records: Literal["drop", "keep"] = Field("drop", description="records without a class of the task")
    minimum_seconds: float = Field(0.0, ge=0, description="shorter records are left out, named and counted")
    splits: Splits = Field(
        description="the source's folds of each split, our split by patient, or a published list by name"
    )


class Start(Strict):
    """Where a network's weights come from and which of them are trained."""

    init: Name = Field(description="random, the experiment whose checkpoint is taken, or a name under `weights`")
    mode: Literal["full", "partial", "linear_probe"] = Field(
        "full", description="train everything; the last stages and the head (trained_stages); or the head alone"
    )
    trained_stages: int = Field(
        0, ge=0, le=1000, description="stages below the head that are trained (partial); the others stay as they are"
    )

    @model_validator(mode="after")
    def _says_how_much(self) -> "Start":
        if (self.mode == "partial") != (self.trained_stages > 0):
            raise ValueError(f"mode is {self.mode} with trained_stages {self.trained_stages}; partial needs at least 1")
        return self


class Experiment(Strict):
    """One task, one preprocessing, one recipe; several starts, amounts of training data and seeds."""

    task: Name = Field(description="a name under `tasks`")
    preprocessing: Name = Field(description="a name under `preprocessing`")
    models: list[Name] = Field(min_length=1, description="files of src/codeii/models")
    starts: list[Name] = Field(
        min_length=1, description="names under `starts`; the first is the reference of comparisons"
    )
    fractions: list[Share] = Field([1.0], description="shares of the training patients; none where per_class is given")
    per_class: list[Annotated[int, Field(ge=1, le=1_000_000)]] = Field(
        [], description="instead of fractions: so many positive records of each class, and of none"
    )
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1, description="one run for each")
    recipe: Name = Field(description="a name under `recipes`")
    sections: Literal["mean", "max"] = Field(
        "mean", description="how the logits of a record that is cut into sections become one"
    )
    predict: list[Name] = Field(
        default_factory=list, description="sources without public labels to predict for submission"
    )

    @model_validator(mode="before")
    @classmethod
    def _without_the_default(cls, values: Any) -> Any:
        """Fractions are there by default, but not beside counts."""
        return {"fractions": [], **values} if isinstance(values, dict) and values.get("per_class") else values

    @model_validator(mode="after")
    def _says_one_amount(self) -> "Experiment":
        if bool(self.fractions) == bool(self.per_class):
            found = f"fractions are {self.fractions} and per_class is {self.per_class}"
            raise ValueError(f"{found}; an experiment says one or the other ([] takes away what a lower file says)")
        return self

    @property
    def amounts(self) -> list[Amount]:
        """How much its runs learn from, each as `fraction` and `per_class`."""
        return [(share, 0) for share in self.fractions] + [(0.0, count) for count in self.per_class]


class Evaluation(Strict):
    """Which scores are made and how sure they are."""

    metrics: list[Name] = Field(min_length=1, description="files of src/codeii/evaluation/metrics")
    threshold: Literal["f1", "youden", "sensitivity"] = Field(
        "f1", description="what a class's threshold maximises on validation; sensitivity: the highest that reaches it"
    )
    sensitivity: float = Field(0.9, gt=0, le=1, description="share of positives that `threshold: sensitivity` reaches")
    replicates: int = Field(1000, ge=0, le=100_000, description="bootstrap resamples of the test patients")
    level: float = Field(0.95, gt=0.5, lt=1, description="coverage of the intervals")
    seed: int = Field(0, ge=0, description="of the bootstrap")
    few_positives: int = Field(10, ge=1, description="a second macro leaves out classes with fewer test positives")


class Reporting(Strict):
    """What the report shows, in order."""

    tables: list[Name] = Field(min_length=1, description="files of src/codeii/reporting/tables")
    figures: list[Name] = Field(min_length=1, description="files of src/codeii/reporting/figures")


class Analyses(Strict):
    """What is looked at beyond the scores: each start of an experiment at its largest amount of training data."""

    bins: int = Field(10, ge=2, le=100, description="of equal mass, in calibration curves")
    age_bands: list[Annotated[int, Field(gt=0, lt=130)]] = Field(
        [40, 65, 80], description="years in which an age band begins, rising; the first band begins at 0"
    )
    metrics: list[Name] = Field(
        ["auroc", "auprc", "sensitivity", "specificity"], min_length=1, description="of one class, scored in subgroups"
    )
    fewest_exams: int = Field(20, ge=1, description="a smaller subgroup is named and not scored")

    @model_validator(mode="after")
    def _rises(self) -> "Analyses":
        if any(high <= low for low, high in pairwise(self.age_bands)):
            raise ValueError(f"age_bands are {self.age_bands}; each begins later than the one before")
        return self


class Reproduction(Strict):
    """When a number of ours counts as the published one: two one-sided tests over seeds."""

    equivalence_margin: float = Field(0.01, gt=0, lt=0.5, description="distance within which both count as the same")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="level of each of the two tests")


class Explanation(Strict):
    """Whose mistakes are drawn, and on which samples its answers rest."""

    experiments: list[Name] = Field([], description="explained with the last start, all data, first seed of each model")
    cases: int = Field(3, ge=1, le=50, description="of each kind: missed, called wrongly, called rightly")
    steps: int = Field(32, ge=8, le=1000, description="of integrated gradients; more leave a smaller gap")
    bound: float = Field(0.7, gt=0, le=1, description="largest mean correlation with a network of random weights")


class Waiver(Strict):
    """One kind of leak that is accepted, in a task or between two records, and why."""

    kind: Literal[
        "patient_in_two_splits", "recording_in_two_splits", "pretraining_on_held_out", "training_on_blind_test"
    ] = Field(description="as the refused leak is called")
    task: Name | None = Field(None, description="the task whose scores it touches; null: whichever")
    records: tuple[str, str] | None = Field(None, description="the two records, each as source/record_id; null: all")
    reason: str = Field(min_length=1, description="shown in the report")

    @model_validator(mode="after")
    def _names_something(self) -> "Waiver":
        if self.task is None and self.records is None:
            raise ValueError("name the task or the two records that it is for")
        return self


class Leakage(Strict):
    """Leaks between splits, pretraining and test sets: the study stops at each that is not waived."""

    waive: list[Waiver] = Field(default_factory=list, description="leaks that are accepted, each with its reason")


class Tracking(Strict):
    """Where MLflow keeps what it receives."""

    uri: Annotated[str, StringConstraints(pattern=r"^[^@]*$|^[a-z0-9+]+://[^:@/]*(:\$\{?\w+\}?)?@[^@]*$")] = Field(
        "sqlite:///results/tracking/mlflow.db",
        description="SQLite file or PostgreSQL address; a password only as ${VARIABLE} of the environment",
    )


class Params(Strict):
    """The whole of `params.yaml`."""

    study: str = Field(min_length=1, max_length=120, description="title of the report")
    run: Run = Field(Run(), description="which part of the study is run")
    sources: dict[Name, Source] = Field(
        min_length=1, description="data sets; each name is a file of src/codeii/sources"
    )
    preprocessing: dict[Name, Preprocessing] = Field(min_length=1, description="named pipelines from record to tensor")
    tasks: dict[Name, Task] = Field(min_length=1, description="what is predicted, on which source and split")
    models: dict[Name, dict[str, Any]] = Field(
        default_factory=dict, description="what differs from the model file's Settings"
    )
    weights: dict[Name, Weights] = Field(default_factory=dict, description="published by others; starts may name them")
    starts: dict[Name, Start] = Field(min_length=1, description="where weights come from and which are trained")
    recipes: dict[Name, Recipe] = Field(min_length=1, description="how networks are trained")
    experiments: dict[Name, Experiment] = Field(
        min_length=1, description="tasks under recipes, starts, amounts of training data, seeds"
    )
    evaluation: Evaluation = Field(description="which scores are made")
    explanation: Explanation = Field(Explanation(), description="whose mistakes are drawn")
    reproduction: Reproduction = Field(Reproduction(), description="when a published number is met")
    analyses: Analyses = Field(Analyses(), description="what is looked at beyond the scores")
    reporting: Reporting = Field(description="what the report shows")
    leakage: Leakage = Field(Leakage(), description="which leaks are accepted")
    tracking: Tracking = Field(Tracking(), description="where MLflow keeps what it receives")


def sentence_of(error: dict[str, Any]) -> str:
    """One pydantic error as a sentence with the dotted path, what was found and what is accepted."""
    loc = [str(part) for part in error["loc"]]
    path = ".".join(part for at, part in enumerate(loc) if not (part in WAYS and loc[at - 1] == "splits"))
    if error["type"] == "union_tag_invalid" and loc[-1] == "splits":
        found, known = error["input"].get("by"), " or ".join(way for way in WAYS if way != "folds")
        return f"{path}.by: found {found!r}; expected {known}, or no `by` and the source's folds of each split"
    if error["type"] == "extra_forbidden":
        return f"{path}: this key is not known"
    if error["type"] == "missing":
        return f"{path}: this key is missing"
    said = error["msg"].removeprefix("Value error, ")
    return f"{path}: found {error['input']!r}; {said[:1].lower()}{said[1:]}"
