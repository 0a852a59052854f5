"""Runs: one experiment x model x start x amount x seed, and which run another starts from."""

from dataclasses import dataclass
from typing import Any

from codeii.schema.amounts import ALL, AMOUNT, amount_word
from codeii.schema.params import Experiment, Params
from codeii.workflow.load import RANDOM


@dataclass(frozen=True, slots=True)
class RunKey:
    """One experiment x model x start x amount x seed."""

    experiment: str
    model: str
    start: str
    fraction: float  # of the training patients, or 0
    per_class: int  # records of each class, or 0
    seed: int

    @property
    def variant(self) -> str:
        """Start and amount of training data as one word of a path."""
        return f"{self.start}-{amount_word(self.fraction, self.per_class)}"

    @property
    def path(self) -> str:
        """The run's own part of a path."""
        return f"{self.experiment}/{self.model}/{self.variant}/seed{self.seed}"

    @property
    def wildcards(self) -> dict[str, str]:
        """What the rules call it."""
        return {"experiment": self.experiment, "model": self.model, "variant": self.variant, "seed": str(self.seed)}

    @property
    def facts(self) -> dict[str, Any]:
        """As it stands in the settings of predictions."""
        names = ("experiment", "model", "start", *AMOUNT, "seed")
        return {name: getattr(self, name) for name in names}


def chosen_experiments(params: Params) -> dict[str, Experiment]:
    """The experiments of `run.experiments` and those whose checkpoints they need, in the order declared."""
    wanted = set(params.run.experiments or params.experiments)
    for name in tuple(wanted):
        wanted |= {params.starts[start].init for start in params.experiments[name].starts}
    return {name: experiment for name, experiment in params.experiments.items() if name in wanted}


def runs_of(name: str, experiment: Experiment, model: str | None = None) -> list[RunKey]:
    """Every run of an experiment, or those of one of its models."""
    return [
        RunKey(name, one, start, *amount, seed)
        for one in experiment.models
        if model in (None, one)
        for start in experiment.starts
        for amount in experiment.amounts
        for seed in experiment.seeds
    ]


def initial_run(params: Params, run: RunKey) -> RunKey | None:
    """The run whose checkpoint a run starts from: same model, same seed where it has it.

    None for random weights and for those published by others."""
    init = params.starts[run.start].init
    if init == RANDOM or init in params.weights:
        return None
    given = params.experiments[init]
    seed = run.seed if run.seed in given.seeds else given.seeds[0]
    return RunKey(init, run.model, given.starts[0], *ALL, seed)
