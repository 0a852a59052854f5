"""A registered network as MLflow loads it: safetensors and JSON through our own door. Nothing is unpickled."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from codeii.networks.standardise import Standard


@dataclass(frozen=True, slots=True)
class Network:
    """What MLflow calls."""

    network: "nn.Module"
    standard: "Standard"

    def predict(self, signals: "np.ndarray", params: Any = None) -> "np.ndarray":
        """(B, lead, sample) float32 in the unit of the card, not yet standardised -> (B, class) float32 logits."""
        import numpy as np
        import torch

        from codeii.networks.batches import Inputs, read

        rows = np.arange(len(signals))
        seen = read(Inputs(signals, rows, 1.0, rows, self.standard), rows, torch.device("cpu"))
        with torch.inference_mode():
            answered: np.ndarray = self.network(seen).numpy()
        return answered


def _load_pyfunc(path: str) -> Network:
    """The network of a checkpoint's folder, its hashes checked and proven by its probe; MLflow asks for this name."""
    from codeii.artifacts.checkpoint import read_checkpoint
    from codeii.models import rebuild
    from codeii.networks.standardise import standard_of

    checkpoint = read_checkpoint(Path(path) / "manifest.json")
    return Network(rebuild(checkpoint), standard_of(checkpoint.card))
