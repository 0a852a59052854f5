"""The kernel for the gradient of a convolution's weight, against torch in float64; and when it is used."""

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from codeii.networks import convolution
from codeii.networks.convolution import KINDS, convolve, weight_gradient

LIBRARY = convolution._library()
kernel = pytest.mark.skipif(
    LIBRARY is None or not LIBRARY.has_bfloats(), reason="no compiler, or no such instructions on this processor"
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


def reference(x: Tensor, upstream: Tensor, taps: int, stride: int, left: int) -> Tensor:
    """(O, C, K) in float64, by torch."""
    shape = (upstream.shape[1], x.shape[1], 1, taps)
    return torch.nn.grad.conv2d_weight(x.double(), shape, upstream.double(), (1, stride), (0, left))[:, :, 0]


@kernel
@pytest.mark.parametrize("dtype", list(KINDS))
@examples(max_examples=60)
@given(
    channels=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    taps=st.integers(1, 24),
    stride=st.integers(1, 5),
    times=st.integers(1, 600),
    records=st.integers(1, 3),
    layout=st.sampled_from([torch.channels_last, torch.contiguous_format]),
)
def test_the_gradient_is_that_of_float64(
    dtype: torch.dtype, channels: tuple[int, int], taps: int, stride: int, times: int, records: int,
    layout: torch.memory_format,
) -> None:  # fmt: skip
    torch.manual_seed(0)
    left = max(0, (taps - stride + taps % 2) // 2)
    if times + 2 * left < taps:
        return
    x = random(records, channels[0], 1, times).to(dtype).contiguous(memory_format=layout)
    made = (times + 2 * left - taps) // stride + 1
    upstream = random(records, channels[1], 1, made).to(dtype).contiguous(memory_format=layout)
    found = weight_gradient(x, upstream, taps, stride, left)
    expected = reference(x, upstream, taps, stride, left)
    assert found.dtype == torch.float32 and found.shape == expected.shape
    scale = (records * made) ** 0.5  # products of bfloat16 are exact in float32: both types round only in their sums
    torch.testing.assert_close(found.double(), expected, rtol=5e-6, atol=5e-6 * scale)


@kernel
def test_a_hundred_thousand_terms_round_no_more_than_in_torch() -> None:
    torch.manual_seed(0)
    x, upstream = random(32, 16, 1, 4096), random(32, 16, 1, 4096)
    truth = reference(x, upstream, 5, 1, 2)
    theirs = torch.nn.grad.conv2d_weight(x, (16, 16, 1, 5), upstream, 1, (0, 2))[:, :, 0]
    ours = weight_gradient(x, upstream, 5, 1, 2)
    assert float((ours - truth).abs().max()) < 2 * float((theirs - truth).abs().max())


@kernel
def test_gradients_through_a_layer_are_torchs_and_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    x, weight = random(4, 32, 1, 512).requires_grad_(), torch.randn(40, 32, 9, requires_grad=True)
    found = []
    for smallest in (0, 0, 2**60):  # the kernel, again, and torch
        monkeypatch.setattr(convolution, "SMALLEST", smallest)
        result = convolve(x, weight, None, 2, 4)
        found.append([result, *torch.autograd.grad(result.square().sum(), (x, weight))])
    for one, again, theirs in zip(*found, strict=True):
        assert torch.equal(one, again)
        torch.testing.assert_close(one, theirs, rtol=1e-4, atol=1e-5 * float(theirs.detach().abs().max()))


@kernel
def test_in_autocast_the_gradient_of_the_weight_is_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "SMALLEST", 0)
    x, weight = random(4, 32, 1, 512), torch.randn(40, 32, 9, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        result = convolve(x, weight, None, 1, 4)
    assert result.dtype == torch.bfloat16
    result.float().square().sum().backward()
    assert weight.grad is not None and weight.grad.dtype == torch.float32
    assert not torch.equal(weight.grad, weight.grad.bfloat16().float())


@pytest.mark.parametrize("case", ["two threads", "no kernel", "few taps", "few channels", "little work", "no gradient"])
def test_elsewhere_torch_does_it(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    taps, channels = (3 if case == "few taps" else 9), (8 if case == "few channels" else 32)
    if case != "little work":
        monkeypatch.setattr(convolution, "SMALLEST", 0)
    if case == "two threads":
        torch.set_num_threads(2)
    if case == "no kernel":
        monkeypatch.setattr(convolution, "_library", lambda: None)
    x, weight = random(2, channels, 1, 64), torch.randn(8, channels, taps, requires_grad=case != "no gradient")
    result = convolve(x, weight, None, 1, taps // 2)
    assert torch.equal(result, functional.conv2d(x, weight[:, :, None], padding=(0, taps // 2)))
    assert "_Convolution" not in type(result.grad_fn).__name__
    torch.set_num_threads(1)
