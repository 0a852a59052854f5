"""Dropout by bytes: its rate, its expectation, its gradient, and that it repeats."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codeii.networks import dropout
from codeii.networks.dropout import BYTES, ReluDropout, kept


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 256), (0.1, 230), (0.2, 205), (0.5, 128), (0.999, 1)])
def test_the_rate_is_taken_to_the_next_256th(rate: float, expected: int) -> None:
    assert kept(rate) == expected


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="expected 0 <= rate < 1"):
        ReluDropout(rate)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_as_many_are_kept_as_said_and_the_mean_stays(rate: float) -> None:
    torch.manual_seed(0)
    ones = torch.ones(1_000_000)
    result = ReluDropout(rate).train()(ones)
    share = kept(rate) / BYTES
    deviation = (share * (1 - share) / len(ones)) ** 0.5
    assert abs(float((result > 0).float().mean()) - share) < 5 * deviation
    assert torch.equal(result.unique(), torch.tensor([0.0, BYTES / kept(rate)]))


def test_neighbours_fall_independently() -> None:
    torch.manual_seed(0)
    dropped = (ReluDropout(0.5).train()(torch.ones(1_000_000)) == 0).double() - 0.5
    for lag in (1, 2, 4, 8, 16, 64):
        assert abs(float((dropped[lag:] * dropped[:-lag]).mean())) < 5 * 0.25 / 1000


@given(st.sampled_from([torch.float32, torch.bfloat16]), st.booleans(), st.integers(0, 9))
def test_result_and_gradient_are_those_of_relu_and_one_mask(dtype: torch.dtype, last: bool, seed: int) -> None:
    torch.manual_seed(seed)
    layout = torch.channels_last if last else torch.contiguous_format
    x = torch.randn(3, 5, 1, 7).to(dtype).contiguous(memory_format=layout).requires_grad_()
    result = ReluDropout(0.3).train()(x)
    upstream = torch.randn_like(x)
    result.backward(upstream)
    factor = BYTES / kept(0.3)
    survived = (result > 0).to(dtype)
    assert result.stride() == x.stride() and result.dtype == dtype
    assert torch.equal(result, x.detach().relu() * survived * factor)
    torch.testing.assert_close(
        x.grad, upstream * survived * factor, rtol=1e-2 if dtype == torch.bfloat16 else 1e-6, atol=0
    )


def test_it_repeats_for_a_seed_and_differs_for_another() -> None:
    layer, x = ReluDropout(0.2).train(), torch.ones(64, 9)
    drawn = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        drawn.append(layer(x))
    assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])


def test_answers_drop_nothing_and_draw_nothing() -> None:
    before = torch.get_rng_state()
    x = torch.randn(4, 4)
    assert torch.equal(ReluDropout(0.2).eval()(x), x.relu())
    assert torch.equal(ReluDropout(0.0).train()(x), x.relu())
    torch.set_rng_state(before)
    assert torch.equal(torch.randn(4, 4), x)


def test_an_input_with_holes_in_memory_is_dropped_too() -> None:
    x = torch.ones(6, 8)[:, ::2].requires_grad_()
    ReluDropout(0.5).train()(x).sum().backward()
    assert x.grad is not None and set(x.grad.unique().tolist()) <= {0.0, 2.0}


@given(st.sampled_from([torch.float32, torch.bfloat16]), st.integers(1, 300), st.integers(1, 255))
def test_the_kernel_gives_the_bits_of_the_reference(dtype: torch.dtype, count: int, keep: int) -> None:
    torch.manual_seed(count)
    torch.set_num_threads(1)
    x = torch.randn(2, count).to(dtype)
    x[0, 0], x[1, 0] = float("nan"), float("inf")
    drawn = dropout._random_bytes(x.numel())
    found = dropout._relu_dropout(x, drawn, keep)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dropout, "_library", lambda: None)
        expected = dropout._relu_dropout(x, drawn, keep)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
