"""What the command line says about one run."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    fraction: float = Field(gt=0, le=1)
    seed: int = Field(ge=0)
    recipe: Recipe
    preprocessing: Preprocessing

    @property
    def learning_rate(self) -> float:
        """The recipe's learning rate of what this run trains."""
        return self.recipe.head_learning_rate if self.mode == "linear_probe" else self.recipe.learning_rate
