"""Which parts of a network are trained, and how fast each of them learns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

HEAD = "head."


@dataclass(frozen=True, slots=True)
class Layers:
    """By names of parameters; the default trains everything alike."""

    frozen: tuple[str, ...] = ()  # beginnings of the names of what stays as it is
    rates: Mapping[str, float] = field(default_factory=dict)  # what multiplies the learning rate; else 1


def layers_of(network: nn.Module, trained_stages: int | None, decay: float) -> Layers:
    """The last `trained_stages` stages and the head are trained (None: all); the head fastest.

    decay : factor of the learning rate from each stage to the one below it; 1 for the head.
    Raises ValueError where the network has fewer stages, or where its stages are not its parameters.
    """
    if trained_stages is None and decay == 1:
        return Layers()
    stages = _stages_of(network)
    trained = len(stages) if trained_stages is None else trained_stages
    if trained > len(stages):
        raise ValueError(f"trained_stages is {trained}, but the network has {len(stages)} stages below its head")
    rates = {
        name: decay ** (len(stages) - depth)
        for depth, stage in enumerate(stages)
        for name, _ in network.named_parameters()
        if name.startswith(tuple(stage))
    }
    return Layers(tuple(begin for stage in stages[: len(stages) - trained] for begin in stage), rates)


def freeze(network: nn.Module, layers: Layers) -> None:
    """Take what stays as it is out of training."""
    for name, value in network.named_parameters():
        value.requires_grad_(not name.startswith(layers.frozen) if layers.frozen else True)


def to_train(network: nn.Module, layers: Layers) -> None:
    """Training mode, but for what stays as it is: its batch norms keep their statistics, and it drops nothing.

    What a model drops outside its stages goes on: the skipped layers of HuBERT, the dropout between layers of ECG-FM.
    """
    network.train()
    for name, module in network.named_modules():
        if layers.frozen and f"{name}.".startswith(layers.frozen):
            module.eval()


def _stages_of(network: nn.Module) -> list[list[str]]:
    stages: list[list[str]] = network.stages()  # type: ignore[operator]
    for name, _ in network.named_parameters():
        of = sum(name.startswith(tuple(stage)) for stage in stages)
        if of != (0 if name.startswith(HEAD) else 1):
            raise ValueError(f"parameter {name} is in {of} stages of {type(network).__name__}.stages()")
    return stages
