"""Which numbers a network computes with, and whether it is compiled first; off, the exact reference path."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

Ask = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How a network is run. The defaults give the same bits every time; the rest is faster and rounds otherwise."""

    # bfloat16: convolutions and what follows them; weights, moments, head, logits and loss stay float32
    precision: Literal["float32", "bfloat16"] = "float32"
    # torch.compile, on CUDA; max: tuned, with graphs, which need batches of one size
    compile: Literal["none", "default", "max"] = "none"


EXACT = Arithmetic()


def asked_with(arithmetic: Arithmetic, network: nn.Module, device: torch.device) -> Ask:
    """What to call on a batch in place of the network, for training as for answers; logits are float32.

    With `EXACT` it is the network itself. Raises ValueError where the device does not suit, see `check`.
    """
    if arithmetic == EXACT or not hasattr(network, "features"):  # a head alone: too small to gain
        check(arithmetic, device)
        return network
    features, head = features_with(arithmetic, network, device), cast(Ask, network.head)
    # eight bits of mantissa would give thousands of records the same score: the head stays float32
    return lambda x_BLT: head(features(x_BLT))


def features_with(arithmetic: Arithmetic, network: nn.Module, device: torch.device) -> Ask:
    """What gives a batch's (B, C) float32 features. Raises ValueError where the device does not suit, see `check`."""
    check(arithmetic, device)
    plain = cast(Ask, network.features)
    if arithmetic == EXACT:
        return plain
    features, lowered = compiled(plain, arithmetic), arithmetic.precision == "bfloat16"

    def ask(x_BLT: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=lowered):
            features_BC = features(x_BLT)
        return features_BC.float()

    return ask


def compiled(ask: Ask, arithmetic: Arithmetic) -> Ask:
    """`ask` as torch.compile makes it: compiled at its first call, and again for another shape of batch."""
    if arithmetic.compile == "none":
        return ask
    mode = "default" if arithmetic.compile == "default" else "max-autotune"
    return cast(Ask, torch.compile(ask, mode=mode, dynamic=False))


def check(arithmetic: Arithmetic, device: torch.device) -> None:
    """Raise ValueError where the device has no instructions for the precision, or gains nothing by compiling.

    Emulated bfloat16 would be slower than float32, and float32 in its place other numbers than asked for. For a CPU
    compiling takes a minute or more, and the kernels of this package are left out of what is compiled.
    """
    if arithmetic.compile != "none" and device.type != "cuda":
        raise ValueError(f"compile is {arithmetic.compile!r}, but the device is {device.type}; use 'none' there")
    if arithmetic.precision == "bfloat16" and not computes_bfloat16(device):
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else "this processor"
        raise ValueError(
            f"precision is 'bfloat16', but {where} has no instructions for it (avx512_bf16, amx_bf16 or a GPU "
            f"from Ampere on); use 'float32'"
        )


def computes_bfloat16(device: torch.device) -> bool:
    """True where products of bfloat16 are instructions, not emulated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
