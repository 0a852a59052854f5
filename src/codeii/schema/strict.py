"""What every model of `params.yaml` builds on."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, BeforeValidator(str)]  # 1 and "1" name the same fold
Share = Annotated[float, Field(gt=0, le=1)]


class Strict(BaseModel):
    """Unknown keys are errors; values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
