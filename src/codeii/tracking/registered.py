"""A registered network as MLflow loads it: safetensors and JSON through our own door. Nothing is unpickled."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


@dataclass(frozen=True, slots=True)
class Network:
    """What MLflow calls."""

    network: "nn.Module"

    def predict(self, signals: "np.ndarray", params: Any = None) -> "np.ndarray":
        """(B, lead, sample) float32 in the unit of the checkpoint's card -> (B, class) float32 logits."""
        import torch

        with torch.inference_mode():
            answered: np.ndarray = self.network(torch.from_numpy(signals)).numpy()
        return answered


def _load_pyfunc(path: str) -> Network:
    """The network of a checkpoint's folder, its hashes checked and proven by its probe; MLflow asks for this name."""
    from codeii.artifacts.checkpoint import read_checkpoint
    from codeii.models import rebuild

    return Network(rebuild(read_checkpoint(Path(path) / "manifest.json")))
