"""What a step of training changes and what it goes by: network, moments, running mean, objective, layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from codeii.networks.arithmetic import Arithmetic, Ask, asked_with
from codeii.training import adam, adamw, sgd
from codeii.training.average import average_of, follow
from codeii.training.layers import Layers, freeze, to_train
from codeii.training.objective import Objective, balanced_weights
from codeii.training.schedule import Plan, learning_rate_of, momentum_of

OPTIMISERS = {"adamw": adamw, "adam": adam, "sgd": sgd}  # each with `no_moments` and `update`


@dataclass(frozen=True, slots=True)
class Learner:
    """A network with everything that belongs to its training; the tensors are changed in place."""

    network: nn.Module
    ask: Ask  # what to call on a batch: the network under its arithmetic
    layers: Layers
    objective: Objective
    moments: dict[str, Tensor]
    average: dict[str, Tensor]  # running mean of the weights; empty where none is kept
    update: Callable[..., None]

    def parts(self) -> dict[str, Mapping[str, Tensor]]:
        """All tensors that a continued run needs, by kind and name."""
        return {"network": self.network.state_dict(), "moments": self.moments, "average": self.average}

    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take over the tensors of `parts`, if there are any."""
        if not parts:
            return
        self.network.load_state_dict(dict(parts["network"]), strict=True)
        for mine, theirs in ((self.moments, parts["moments"]), (self.average, parts.get("average", {}))):
            for name, value in mine.items():
                value.copy_(theirs[name])

    def step(self, plan: Plan, step: int, losses: list[float]) -> None:
        """Change the weights by the gradients they have; `step` counts from 0, losses are those of past epochs."""
        rate, momentum = learning_rate_of(plan, step, losses), momentum_of(plan, step)
        decay = plan.recipe.weight_decay
        self.update(self.network, self.moments, step + 1, rate, decay, momentum, self.layers.rates)
        if self.average:
            follow(self.average, self.network, plan.recipe.average_decay, step + 1)


def learner_of(network: nn.Module, layers: Layers, plan: Plan, targets: np.ndarray, device: torch.device) -> Learner:
    """The learner at the start of a run. targets : (input, class) of the training records."""
    recipe = plan.recipe
    network.to(device)
    freeze(network, layers)
    to_train(network, layers)
    weights = None
    if recipe.loss.positive_weights == "balanced":
        weights = torch.from_numpy(balanced_weights(targets, recipe.loss.largest_positive_weight)).to(device)
    objective = Objective(weights, recipe.loss.label_smoothing, recipe.accumulate, recipe.largest_gradient_norm)
    optimiser = OPTIMISERS[recipe.optimiser]
    average = average_of(network) if recipe.average_decay else {}
    ask = asked_with(Arithmetic(recipe.precision, recipe.compile), network, device)
    return Learner(network, ask, layers, objective, optimiser.no_moments(network), average, optimiser.update)
