"""What a network starts with: its weights, and how its inputs are standardised.

Weights are drawn at random, or those of a checkpoint under a new head. A checkpoint is one of this study, or weights
published by others.
"""

import torch
from torch import nn

from codeii.artifacts.checkpoint import Checkpoint
from codeii.artifacts.tensor_store import Signals, TensorStore
from codeii.models import build, rebuild
from codeii.networks.batches import Inputs
from codeii.networks.match import check_card, check_needs, preprocessing_of, refuse_difference
from codeii.networks.standardise import AS_STORED, Standard, standard_of, standard_over
from codeii.schema.leads import LEAD_SETS
from codeii.training.settings import TrainSettings

HEAD = "head."


def fresh(settings: TrainSettings, classes: int) -> nn.Module:
    """A network with random weights that depend on the seed alone."""
    torch.manual_seed(settings.seed)
    return build(settings.model, len(LEAD_SETS[settings.preprocessing.leads]), classes, settings.model_settings)


def initialise(settings: TrainSettings, store: TensorStore, classes: int, checkpoint: Checkpoint | None) -> nn.Module:
    """The network a run starts with. Raises ValueError where checkpoint, tensors and settings do not fit together."""
    wanted = settings.preprocessing.model_dump()
    refuse_difference("tensors", preprocessing_of(store).model_dump(), "this run asks for", wanted)
    if (checkpoint is None) != (settings.init == "random"):
        given = "no checkpoint is given" if checkpoint is None else "a checkpoint is given"
        raise ValueError(f"init is {settings.init!r} but {given}; a checkpoint belongs to every init except 'random'")
    network = fresh(settings, classes)
    if checkpoint is not None:
        refuse_difference("checkpoint", {"model": checkpoint.card.model}, "this run's is", {"model": settings.model})
        if checkpoint.imported:
            check_needs(checkpoint.card.preprocessing, store)
        else:
            check_card(checkpoint.card, store)
        take_features(network, rebuild(checkpoint))
    return network


def standard_for(settings: TrainSettings, training: Inputs, checkpoint: Checkpoint | None) -> Standard:
    """How the inputs of a run are standardised: as those of its checkpoint were, else as its recipe says.

    training : all training records of the run and nothing else.
    Raises ValueError where published weights, which have a preprocessing of their own, would be standardised besides.
    """
    wanted = settings.recipe.standardise
    if checkpoint is None:
        if wanted == "none":
            return AS_STORED
        assert isinstance(training.values, Signals)  # features are made later
        return standard_over(training.values, training.rows, training.scale)
    if checkpoint.imported and wanted != "none":
        told = f"recipe.standardise is {wanted!r}, but {settings.init} are weights published by others"
        raise ValueError(f"{told}: they keep the preprocessing they were trained with; say none")
    return standard_of(checkpoint.card)


def take_features(network: nn.Module, trained: nn.Module) -> None:
    """Copy everything but the head. Raises ValueError when keys or shapes differ by so much as one."""
    new, old = network.state_dict(), trained.state_dict()
    kept = {name: value for name, value in old.items() if not name.startswith(HEAD)}
    expected = {name: tuple(value.shape) for name, value in new.items() if not name.startswith(HEAD)}
    shapes = {name: tuple(value.shape) for name, value in kept.items()}
    refuse_difference("checkpoint", shapes, "this run's network has", expected)
    network.load_state_dict({**new, **kept}, strict=True)
