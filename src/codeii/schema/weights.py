"""What `params.yaml` may say of weights published by others: which file, what it is allowed for, what it has seen."""

from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, model_validator

from codeii.schema.published import Address, Sha256
from codeii.schema.strict import Name, Strict


class PretrainedOn(Strict):
    """One body of data that published weights were trained on."""

    data: str = Field(min_length=1, description="what it is, in words")
    holds: list[Name] = Field(default_factory=list, description="names under `sources` whose records are in it")
    lacks: list[Name] = Field(default_factory=list, description="names under `sources` of which none is in it")
    known: str = Field(min_length=1, description="how that is known; a source not named is undetermined")


class Weights(Strict):
    """A file of weights published by others, which networks may start from (`starts.<start>.init`)."""

    model: Name = Field(description="a file of src/codeii/models that has `load_published`")
    encoder: str | None = Field(
        None, description="a row of src/codeii/reporting/published_encoders.csv, which says what it was pretrained on"
    )
    path: str | None = Field(
        None, description="where your copy of the published file lies; null or no such file: what needs it is not run"
    )
    sha256: Sha256 | None = Field(None, description="of the file; null: any is taken, and the import says what to pin")
    page: Address | None = Field(None, description="where it is published; null: no address is known")
    licence: str = Field(min_length=1, description="of the weights, in words; shown beside every score")
    pretrained_on: list[PretrainedOn] = Field(
        default_factory=list, description="what it has seen, where no row of the table of encoders says so"
    )

    _there: bool = PrivateAttr(False)

    @property
    def there(self) -> bool:
        """Whether the file was there when the parameters were read: looked up once, so that all parts agree."""
        return self._there

    def model_post_init(self, context: Any) -> None:
        """Look for the file, below the folder the study runs in where the path is relative."""
        self._there = self.path is not None and Path(self.path).is_file()

    @model_validator(mode="after")
    def _says_what_it_has_seen(self) -> "Weights":
        if (self.encoder is None) == (not self.pretrained_on):
            raise ValueError("say what it was pretrained on, once: by encoder, or by pretrained_on")
        return self
