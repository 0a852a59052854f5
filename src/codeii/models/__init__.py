"""Networks, one file each: `Settings`, `build(leads, classes, settings)`, a network.

A network has `.features`, a linear `.head`, and `.stages()`: prefixes of the names of the parameters below the head,
those of the input first.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from codeii.artifacts.checkpoint import Checkpoint, probe_input

if TYPE_CHECKING:
    from torch import nn

# A rebuilt network must answer like the trained one; float32 on another machine may differ by rounding.
PROBE_TOLERANCE = 1e-3


def build(name: str, leads: int, classes: int, settings: dict[str, Any]) -> "nn.Module":
    """A fresh network of `models/<name>.py`. Raises ValueError on settings the file does not know."""
    module = import_module(f"codeii.models.{name}")
    network: nn.Module = module.build(leads=leads, classes=classes, settings=module.Settings(**settings))
    return network


def rebuild(checkpoint: Checkpoint) -> "nn.Module":
    """The trained network of a checkpoint, in eval mode, proven by its probe logits.

    Raises ValueError where keys differ or the probe logits are not reproduced.
    """
    import torch

    card = checkpoint.card
    network = build(card.model, len(card.leads), len(card.classes), card.model_settings)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in checkpoint.weights.items()}, strict=True)
    network.eval()
    with torch.inference_mode():
        found = network(torch.from_numpy(probe_input(len(card.leads), card.samples)))
    difference = float((found - torch.tensor(card.probe_logits)).abs().max())
    if not difference <= PROBE_TOLERANCE:
        raise ValueError(f"{card.model}: rebuilt network answers the probe {difference:.2g} apart from the trained one")
    return network
