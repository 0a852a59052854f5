"""ReLU and dropout in one, with one random byte an element: on a CPU a fraction of the time of torch's own.

torch draws each element's fate on the CPU by a serial generator, a sixth of a bfloat16 training step. A byte decides
as well: an element is kept where its byte is below `kept(rate)`, so the rate is a multiple of 1/256 (0.2 becomes
51/256) and the scale 256 / kept makes the expectation exact. The rate is that of the CPU on every device.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from codeii.native.library import load_library

BYTES = 256
KINDS = {torch.float32: "floats", torch.bfloat16: "bfloats"}  # what the kernel knows


def kept(rate: float) -> int:
    """Of 256 elements, how many are kept on average; at least one. Raises ValueError outside 0 <= rate < 1."""
    if not 0 <= rate < 1:
        raise ValueError(f"dropout rate {rate}, expected 0 <= rate < 1")
    return max(1, round(BYTES * (1 - rate)))


class ReluDropout(nn.Module):
    """ReLU, then dropout while training; randomness from torch's global state, of the device."""

    def __init__(self, rate: float) -> None:
        """`rate` is the probability of dropping; it is taken to the next 1/256."""
        super().__init__()
        self.kept = kept(rate)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, type and layout as `x`."""
        if not self.training or self.kept == BYTES:
            return functional.relu(x)
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            dropped: Tensor = _OnProcessor.apply(x, self.kept)  # type: ignore[no-untyped-call]
            return dropped
        return functional.dropout(functional.relu(x), 1 - self.kept / BYTES)

    def extra_repr(self) -> str:
        """The rate as it is used."""
        return f"rate={BYTES - self.kept}/{BYTES}"


class _OnProcessor(torch.autograd.Function):
    """What is positive in the result was positive before and kept: no mask needs to be stored."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: int) -> Tensor:
        ctx.scale = BYTES / keep
        result = _relu_dropout(x, _random_bytes(x.numel()), keep)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (result,) = ctx.saved_tensors
        through: Tensor = torch.ops.aten.threshold_backward(gradient, result, 0)
        return through.mul_(ctx.scale), None


def _relu_dropout(x: Tensor, random_bytes: Tensor, keep: int) -> Tensor:
    """ReLU, and dropout by a byte for each element in the order of memory: by the kernel, or in several passes."""
    library = _library()
    if library is None or x.dtype not in KINDS or torch.get_num_threads() != 1:
        result = functional.relu(x)  # dense, whatever `x` is
        keeps = random_bytes.as_strided(result.shape, result.stride()) < keep
        return result.mul_(keeps.to(x.dtype)).mul_(BYTES / keep)
    result = torch.empty_like(x)
    if x.stride() != result.stride():
        x = result.copy_(x)
    pointers = (ctypes.c_void_p(one.data_ptr()) for one in (x, random_bytes, result))
    run = getattr(library, f"relu_dropout_{KINDS[x.dtype]}")
    run(*pointers, ctypes.c_int64(x.numel()), ctypes.c_int64(keep), ctypes.c_float(BYTES / keep))
    return result


@cache
def _library() -> ctypes.CDLL | None:
    return load_library(Path(__file__).with_name("dropout.c"))


def _random_bytes(count: int) -> Tensor:
    """At least `count` bytes, all values equally likely; eight are drawn at once."""
    return torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)
