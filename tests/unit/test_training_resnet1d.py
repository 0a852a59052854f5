"""Shapes and refusals of the CODE ResNet."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from codeii.models.resnet1d import Settings, build, convolve


@settings(deadline=None, max_examples=60)
@given(kernel=st.integers(1, 24), stride=st.integers(1, 6), parts=st.integers(1, 9))
def test_a_convolution_divides_the_length_by_its_stride_exactly(kernel: int, stride: int, parts: int) -> None:
    conv = nn.Conv1d(2, 3, kernel, stride=stride, bias=False)
    with torch.inference_mode():
        assert convolve(conv, torch.zeros(1, 2, 1, stride * parts)).shape == (1, 3, 1, parts)


@pytest.mark.parametrize(("kernel", "left", "right"), [(16, 7, 8), (17, 8, 8)])
def test_a_convolution_sees_as_far_back_as_keras_same_padding(kernel: int, left: int, right: int) -> None:
    conv = nn.Conv1d(1, 1, kernel, bias=False)
    impulse = torch.zeros(1, 1, 1, 64)
    impulse[..., 32] = 1
    with torch.inference_mode():
        seen = np.flatnonzero(convolve(conv, impulse)[0, 0, 0].numpy())
    assert (seen.min(), seen.max()) == (32 - right, 32 + left)


def test_a_length_that_does_not_divide_is_refused_with_the_numbers() -> None:
    network = build(8, 2, Settings(filters=(4, 4), strides=(1, 4), kernel_size=3, head_samples=4))
    assert network(torch.zeros(2, 8, 32)).shape == (2, 2)
    with pytest.raises(ValueError, match=r"24 samples are no multiple of .* = 16"):
        network(torch.zeros(2, 8, 24))


def test_one_stride_is_needed_for_each_filter() -> None:
    with pytest.raises(ValidationError, match="3 filters but 2 strides"):
        Settings(filters=(4, 4, 4), strides=(1, 4))


def test_a_global_mean_head_does_not_depend_on_the_length() -> None:
    network = build(8, 2, Settings(filters=(4, 4), strides=(1, 4), kernel_size=3, head_samples=1)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 8, 64)).shape == network(torch.zeros(1, 8, 4096)).shape == (1, 2)
