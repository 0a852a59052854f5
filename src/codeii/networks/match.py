"""Refuses networks and tensors that do not belong together."""

from collections.abc import Mapping, Sequence
from typing import Any

from codeii.artifacts.checkpoint import CheckpointCard
from codeii.artifacts.tensor_store import TensorStore
from codeii.schema.leads import LEAD_SETS
from codeii.schema.params import Preprocessing

SHOWN = 3


def preprocessing_of(store: TensorStore) -> Preprocessing:
    """The preprocessing a tensor store was made with."""
    return Preprocessing.model_validate(store.manifest.settings.get("preprocessing"))


def check_card(card: CheckpointCard, store: TensorStore) -> None:
    """Raise ValueError, with both values, when a checkpoint's network has learnt from other inputs than these."""
    made = preprocessing_of(store)
    inputs: dict[str, Any] = {"leads": list(LEAD_SETS[made.leads]), "rate_hz": made.rate_hz, "samples": made.samples}
    inputs |= {"unit": store.manifest.facts["unit"], "preprocessing": made.model_dump()}
    refuse_difference("checkpoint", {name: getattr(card, name) for name in inputs}, "the tensors have", inputs)


def check_needs(needs: Mapping[str, Sequence[Any]], store: TensorStore) -> None:
    """Raise ValueError where tensors are not what published weights ask for; needs : key -> accepted values."""
    made = preprocessing_of(store).model_dump()
    for key, accepted in needs.items():
        if made.get(key) not in accepted:
            wanted = " or ".join(repr(value) for value in accepted)
            raise ValueError(f"published weights need tensors of {key} {wanted}, these have {made.get(key)!r}")


def refuse_difference(of: str, given: dict[str, Any], others: str, expected: dict[str, Any]) -> None:
    """Raise ValueError naming each differing key with both values; a missing key counts as None."""
    names = [name for name in sorted(given.keys() | expected.keys()) if given.get(name) != expected.get(name)]
    if names:
        told = "; ".join(f"{name} is {given.get(name)!r}, {others} {expected.get(name)!r}" for name in names[:SHOWN])
        raise ValueError(f"{of}: {told}" + (f"; and {len(names) - SHOWN} more" if len(names) > SHOWN else ""))
