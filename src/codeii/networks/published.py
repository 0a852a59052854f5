"""Tensors of a published checkpoint, taken over whole or refused: no key is guessed, none is passed over in silence."""

from collections.abc import Callable, Mapping

import numpy as np
from torch import nn

SHOWN = 5


def encoder_tensors(
    published: Mapping[str, np.ndarray], network: nn.Module, name_here: Callable[[str], str | None]
) -> dict[str, np.ndarray]:
    """The network's state without its head, taken from a published checkpoint.

    Parameters
    ----------
    published : tensors under the names they are published with
    network : the network they belong to; only names, shapes and types of its state are read
    name_here : the network's name of a published tensor, None for one that is known to lie beside the encoder;
        any name the network does not have, such as "", makes the tensor an unexpected one

    Returns
    -------
    Every tensor of `network.state_dict()` but those of `head.`, in its order, with its name, shape and type.

    Raises
    ------
    ValueError
        A tensor is missing, is there that nobody expects, or has another shape; the first five of each are named.
    """
    wanted = {name: value for name, value in network.state_dict().items() if not name.startswith("head.")}
    met: dict[str, np.ndarray] = {}
    unexpected, misshapen = [], []
    for key, value in published.items():
        name = name_here(key)
        if name is None:
            continue
        if name not in wanted or name in met:
            unexpected.append(key)
            continue
        met[name] = value
        if value.shape != tuple(wanted[name].shape):
            misshapen.append(f"{key} {value.shape}, expected {tuple(wanted[name].shape)}")
    missing = [name for name in wanted if name not in met]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    if any(faults.values()):
        told = "; ".join(f"{len(names)} {fault}: {_first(names)}" for fault, names in faults.items() if names)
        raise ValueError(
            f"published weights do not fit {type(network).__name__}: {told}. "
            "Is it the file of this model, and are the model's settings those of the published network?"
        )
    return {
        name: met[name].astype(str(value.dtype).removeprefix("torch."), copy=False) for name, value in wanted.items()
    }


def _first(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def weight_norm_name(key: str) -> str:
    """Today's name of the two tensors of a weight-normalised convolution, which PyTorch called otherwise before 2.0."""
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        if key.endswith(f".{old}"):
            return f"{key.removesuffix(old)}parametrizations.weight.{new}"
    return key
