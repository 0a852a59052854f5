"""What the command line says about one run."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codeii.schema.amounts import one_amount
from codeii.schema.params import Preprocessing
from codeii.schema.recipe import Recipe


class TrainSettings(BaseModel):
    """One run of an experiment: which network, from where, on how much, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    experiment: str
    task: str
    model: str
    model_settings: dict[str, Any]
    start: str
    init: str  # "random", or the experiment or published weights whose checkpoint is given
    mode: Literal["full", "partial", "linear_probe"]
    trained_stages: int = Field(0, ge=0)  # below the head, where mode is partial
    fraction: float = Field(ge=0, le=1)  # of the training patients, or 0
    per_class: int = Field(ge=0)  # records of each class, or 0
    seed: int = Field(ge=0)
    recipe: Recipe
    preprocessing: Preprocessing

    @model_validator(mode="after")
    def _learns_from_one_amount(self) -> "TrainSettings":
        one_amount(self.fraction, self.per_class)
        return self

    @property
    def learning_rate(self) -> float:
        """The recipe's learning rate of what this run trains."""
        return self.recipe.head_learning_rate if self.mode == "linear_probe" else self.recipe.learning_rate
