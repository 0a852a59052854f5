"""Convolution along time whose weight's gradient comes from our kernel where that is faster.

torch computes that gradient on a CPU by copying every window and multiplying matrices, at a fifth to a half of what
the processor can do, and it is the longest part of a training step. Where there is no kernel, torch's is used.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from codeii.native.library import load_library

# Below these torch is as fast: products of a batch, taps, channels of the input.
SMALLEST, FEWEST_TAPS, FEWEST_CHANNELS = 2**24, 5, 16
KINDS = {torch.float32: "floats", torch.bfloat16: "bfloats"}


def convolve(x_BC1T: Tensor, weight_OCK: Tensor, bias: Tensor | None, stride: int, left: int) -> Tensor:
    """Convolution of the last axis with zeros around it, `left` on each side; a layer of `conv2d`, and equal to it.

    In autocast the weight is rounded to bfloat16 and its gradient is not.
    """
    lowered = x_BC1T.device.type == "cpu" and torch.is_autocast_enabled("cpu")  # on a GPU conv2d does it
    x_BC1T = x_BC1T.to(torch.get_autocast_dtype("cpu")) if lowered else x_BC1T
    if (
        bias is None
        and weight_OCK.requires_grad
        and torch.is_grad_enabled()
        and _is_worth_it(x_BC1T, weight_OCK, stride)
    ):
        result: Tensor = _Convolution.apply(x_BC1T, weight_OCK, stride, left)  # type: ignore[no-untyped-call]
        return result
    return functional.conv2d(x_BC1T, weight_OCK[:, :, None], bias, stride=(1, stride), padding=(0, left))


def weight_gradient(x_BC1T: Tensor, gradient_BO1T: Tensor, taps: int, stride: int, left: int) -> Tensor:
    """(O, C, K) float32 gradient of the weight, from the input and the result's gradient, both float32 or bfloat16."""
    x_BTC = x_BC1T[:, :, 0].transpose(1, 2).contiguous()
    gradient_BTO = gradient_BO1T[:, :, 0].transpose(1, 2).contiguous()
    records, times_in, channels_in = x_BTC.shape
    _, times_out, channels_out = gradient_BTO.shape
    sums = torch.zeros(channels_in, taps, -(-channels_out // 32) * 32)
    sizes = (records, times_in, times_out, channels_in, channels_out, taps, stride, left)
    run = getattr(_library(), f"weight_gradient_{KINDS[x_BTC.dtype]}")
    pointers = (ctypes.c_void_p(one.data_ptr()) for one in (x_BTC, gradient_BTO, sums))
    if run(*pointers, (ctypes.c_int64 * len(sizes))(*sizes)):
        raise MemoryError(f"no memory for the gradient of a weight of {channels_out} x {channels_in} x {taps}")
    return sums[:, :, :channels_out].permute(2, 0, 1).contiguous()


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BC1T: Tensor, weight_OCK: Tensor, stride: int, left: int) -> Tensor:
        lowered_OC1K = weight_OCK[:, :, None].to(x_BC1T.dtype)
        ctx.save_for_backward(x_BC1T, lowered_OC1K)
        ctx.stride, ctx.left = stride, left
        return functional.conv2d(x_BC1T, lowered_OC1K, stride=(1, stride), padding=(0, left))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_BO1T: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x_BC1T, weight_OC1K = ctx.saved_tensors
        of_weight = weight_gradient(x_BC1T, gradient_BO1T, weight_OC1K.shape[-1], ctx.stride, ctx.left)
        of_input = None
        if ctx.needs_input_grad[0]:
            steps, around = (1, ctx.stride), (0, ctx.left)
            of_input = torch.ops.aten.convolution_backward(
                gradient_BO1T, x_BC1T, weight_OC1K, None, steps, around, (1, 1), False, (0, 0), 1, (True, False, False)
            )[0]
        return of_input, of_weight, None, None


def _is_worth_it(x_BC1T: Tensor, weight_OCK: Tensor, stride: int) -> bool:
    """Enough work, on one thread of a CPU the kernel is made for."""
    if (
        torch.compiler.is_compiling()
        or x_BC1T.device.type != "cpu"
        or x_BC1T.dtype not in KINDS
        or torch.get_num_threads() != 1
    ):
        return False
    _, channels, taps = weight_OCK.shape
    few = taps < FEWEST_TAPS or channels < FEWEST_CHANNELS
    if few or x_BC1T.numel() // stride * weight_OCK[:, 0].numel() < SMALLEST:
        return False
    library = _library()
    return library is not None and bool(getattr(library, f"has_{KINDS[x_BC1T.dtype]}")())


@cache
def _library() -> ctypes.CDLL | None:
    return load_library(Path(__file__).with_name("weight_gradient.c"))
