"""What `params.yaml` may say of a split: the source's folds, our own by patient, or a published list."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from codeii.schema.strict import Name, Share, Strict, Text


class HashedSplit(Strict):
    """Our own stratified split by patient, keyed by name, independent of row order."""

    by: Literal["patient"] = "patient"
    shares: dict[Literal["train", "validation", "test"], Share] = Field(description="shares of patients; they sum to 1")
    seed: int = Field(0, ge=0, description="another seed gives another split")
    stratify: Literal["rarest_class", "none"] = Field(
        "rarest_class",
        description="rarest_class: the shares hold within each patient's rarest class, for which patients are ranked "
        "together; none: each patient by name alone, so that nobody moves when patients are added",
    )


class PublishedSplit(Strict):
    """A published list of which record is in which split; other records are in none."""

    by: Literal["published"]
    name: Name = Field(description="a file of src/codeii/splits")


class FoldSplit(Strict):
    """The source's own folds of each split; validation may be drawn from the patients of the training folds."""

    train: list[Text] = Field(min_length=1, description="folds of the source")
    validation: list[Text] = Field(default_factory=list, description="folds of the source; empty: drawn from training")
    test: list[Text] = Field(min_length=1, description="folds of the source")
    validation_share: float = Field(0.1, gt=0, lt=1, description="of the training patients, where validation is empty")
    seed: int = Field(0, ge=0, description="of that draw")


WAYS = {"patient": HashedSplit, "published": PublishedSplit, "folds": FoldSplit}  # of splitting


def _way_of(splits: Any) -> str:
    """Which of the ways to split a `splits` block means: what its `by` says; without it, shares or folds."""
    if not isinstance(splits, dict):
        return next((way for way, model in WAYS.items() if isinstance(splits, model)), "folds")
    return str(splits.get("by", "patient" if "shares" in splits else "folds"))


def _without_nulls(splits: Any) -> Any:
    """Null takes a key of a lower file away, since mappings of several files merge."""
    return {key: value for key, value in splits.items() if value is not None} if isinstance(splits, dict) else splits


Splits = Annotated[
    Annotated[FoldSplit, Tag("folds")]
    | Annotated[HashedSplit, Tag("patient")]
    | Annotated[PublishedSplit, Tag("published")],
    Discriminator(_way_of),
    BeforeValidator(_without_nulls),
]
