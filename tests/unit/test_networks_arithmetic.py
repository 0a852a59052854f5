"""Precision, folding and the update over lists, each against the exact path."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from codeii.models import build
from codeii.networks import arithmetic
from codeii.networks.arithmetic import EXACT, Arithmetic, asked_with, compiled
from codeii.networks.device import keep_freed_memory
from codeii.networks.inference import folded

CPU = torch.device("cpu")
LOWERED = Arithmetic(precision="bfloat16")
SETTINGS = {"filters": [16, 24, 32], "strides": [1, 4, 4], "kernel_size": 9, "head_samples": 2}
bfloat16 = pytest.mark.skipif(
    not arithmetic.computes_bfloat16(CPU), reason="this processor has no bfloat16 instructions"
)


def network() -> nn.Module:
    """A network whose batch norms have seen records."""
    torch.manual_seed(0)
    made = build("resnet1d", 8, 5, SETTINGS).train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.randn(8, 8, 128))
    return made.eval()


def test_exact_is_the_network_itself() -> None:
    made = network()
    assert asked_with(EXACT, made, CPU) is made


@bfloat16
def test_bfloat16_gives_float32_logits_and_gradients_near_those_of_float32() -> None:
    made, inputs = network(), torch.randn(16, 8, 128)
    logits, exact = asked_with(LOWERED, made, CPU)(inputs), made(inputs)
    scale = float(exact.detach().abs().max())
    assert logits.dtype == torch.float32
    assert 0 < float((logits - exact).detach().abs().max()) < 0.03 * scale
    made.zero_grad()
    logits.square().mean().backward()
    lowered = [value.grad.clone() for value in made.parameters()]
    made.zero_grad()
    exact.square().mean().backward()
    for found, value in zip(lowered, made.parameters(), strict=True):
        assert found.dtype == torch.float32
        assert float((found - value.grad).norm()) < 0.1 * float(value.grad.norm())


@bfloat16
def test_bfloat16_logits_are_not_rounded_to_bfloat16() -> None:
    logits = asked_with(LOWERED, network(), CPU)(torch.randn(64, 8, 128))
    assert float((logits == logits.bfloat16().float()).float().mean()) < 0.1


def test_bfloat16_without_instructions_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "computes_bfloat16", lambda device: False)
    with pytest.raises(ValueError, match=r"this processor has no instructions for it.*use 'float32'"):
        asked_with(LOWERED, network(), CPU)


def test_compiling_for_a_processor_is_refused() -> None:
    with pytest.raises(ValueError, match="compile is 'default', but the device is cpu"):
        asked_with(Arithmetic(compile="default"), network(), CPU)


@bfloat16
def test_a_head_alone_stays_exact() -> None:
    head = nn.Linear(4, 2)
    assert asked_with(LOWERED, head, CPU) is head


def test_compiling_is_asked_of_torch_with_the_wanted_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(torch, "compile", lambda call, **options: asked.append(options["mode"]) or call)
    for wanted in ("none", "default", "max"):
        assert compiled(torch.relu, Arithmetic(compile=wanted)) is torch.relu
    assert asked == ["default", "max-autotune"]


def test_folded_answers_are_as_near_to_float64_as_the_exact_ones() -> None:
    made, inputs = network(), torch.randn(16, 8, 128)
    with torch.inference_mode():
        truth = deepcopy(made).double()(inputs.double())
        off = [float((one(inputs) - truth).abs().max() / truth.abs().max()) for one in (made, folded(made))]
    assert off[1] < max(1e-6, 2 * off[0])


def test_folding_removes_the_named_norms_and_leaves_the_network() -> None:
    made = network()
    before = deepcopy(made.state_dict())
    quick = folded(made)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in quick.modules()) == 2  # bn2 of two blocks
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_folding_something_else_than_a_batch_norm_is_refused() -> None:
    made = network()
    made.bn1 = nn.Identity()
    with pytest.raises(TypeError, match="FOLDS names Identity"):
        folded(made)


def test_keeping_freed_memory_is_safe_to_ask_twice() -> None:
    assert keep_freed_memory() == keep_freed_memory()
