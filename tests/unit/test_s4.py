"""The state-space network against its definition: a simulation step by step, formulas, causality, repeatability."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from scipy.linalg import expm
from torch import Tensor

from codeii.models.s4 import S4, Settings, StateSpace, build, frequencies
from codeii.training import adamw
from codeii.training.gradients import loss_and_gradients

EXACT = 1e-9
TINY = {"width": 6, "layers": 2, "state_size": 4}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def deterministic() -> Iterator[None]:
    """Operations whose result depends on the order of threads are errors, as in a run."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode(before)


def simulated(space: StateSpace, u_CT: np.ndarray, direction: int) -> np.ndarray:
    """(C, T) answers of the state spaces, one sample after the other; real arithmetic, no network code.

    A complex state p + iq is two real ones. The matrix exponential of the system with its held input beside it gives
    one sample's step.
    """
    step = np.exp(space.log_step.detach().numpy())
    decay, frequency = np.exp(space.log_decay.detach().numpy()), space.frequency.detach().numpy()
    output = space.output.detach().numpy()[direction]
    y_CT = np.zeros_like(u_CT)
    for channel, pair in np.ndindex(decay.shape):
        real, imaginary = -decay[channel, pair], frequency[channel, pair]
        system = np.array([[real, -imaginary, 1.0], [imaginary, real, 0.0], [0.0, 0.0, 0.0]])
        held = expm(system * step[channel])
        state = np.zeros(2)
        for t, u in enumerate(u_CT[channel]):
            state = held[:2, :2] @ state + held[:2, 2] * u
            y_CT[channel, t] += 2 * output[channel, pair] @ (state * [1, -1])
    return y_CT


def shaken(settings: Settings, seed: int) -> StateSpace:
    """State spaces in float64, far from their initial values."""
    torch.manual_seed(seed)
    space = StateSpace(settings).double()
    with torch.no_grad():
        for value in space.parameters():
            value.add_(torch.randn_like(value))
    return space


@given(
    channels=st.integers(1, 3),
    pairs=st.integers(1, 4),
    samples=st.integers(1, 70),
    initialisation=st.sampled_from(["lin", "inv"]),
    seed=st.integers(0, 2**31),
)
def test_one_way_is_the_simulation_step_by_step(
    channels: int, pairs: int, samples: int, initialisation: str, seed: int
) -> None:
    settings = Settings(
        width=channels, state_size=2 * pairs, bidirectional=False, initialisation=initialisation, smallest_step=0.01
    )
    space = shaken(settings, seed)
    u_CT = np.random.default_rng(seed).standard_normal((channels, samples))
    expected = simulated(space, u_CT, 0) + space.through.detach().numpy()[:, None] * u_CT
    with torch.inference_mode():
        found = space(torch.from_numpy(u_CT)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=EXACT)


@given(samples=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_both_ways_is_the_simulation_and_that_of_the_reversed_record(samples: int, seed: int) -> None:
    """Back in time, the answer at a sample is to the samples after it: the simulation's of one sample later."""
    space = shaken(Settings(width=2, state_size=4), seed)
    u_CT = np.random.default_rng(seed).standard_normal((2, samples))
    backward = simulated(space, u_CT[:, ::-1], 1)[:, ::-1]
    expected = simulated(space, u_CT, 0) + space.through.detach().numpy()[:, None] * u_CT
    expected[:, :-1] += backward[:, 1:]
    with torch.inference_mode():
        found = space(torch.from_numpy(u_CT)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("samples", [1, 2, 97, 250, 1000, 2500])
def test_a_long_record_is_the_simulation_in_single_precision_too(samples: int) -> None:
    torch.manual_seed(samples)
    space = StateSpace(Settings(width=2, state_size=8, bidirectional=False))
    u_CT = np.random.default_rng(samples).standard_normal((2, samples)).astype(np.float32)
    with torch.inference_mode():
        single = space(torch.from_numpy(u_CT)[None])[0].numpy()
    expected = simulated(space.double(), u_CT.astype(float), 0)
    expected += space.through.detach().numpy()[:, None] * u_CT
    np.testing.assert_allclose(single, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_eigenvalues_start_as_published() -> None:
    """arXiv:2206.11893: -1/2 + i pi n, and -1/2 + i (S / pi) (S / (2n + 1) - 1) worked out for eight states."""
    np.testing.assert_allclose(frequencies("lin", 8), [0, 3.1415927, 6.2831853, 9.4247780], rtol=1e-6)
    np.testing.assert_allclose(
        frequencies("inv", 8), [56 / np.pi, 40 / 3 / np.pi, 24 / 5 / np.pi, 8 / 7 / np.pi], rtol=1e-6
    )
    for name in ("lin", "inv"):
        space = StateSpace(Settings(width=3, state_size=8, initialisation=name))
        assert torch.equal(space.frequency, frequencies(name, 8).expand(3, 4))
        torch.testing.assert_close(space.log_decay.exp(), torch.full((3, 4), 0.5))


@pytest.mark.parametrize(("size", "tolerance"), [(64, 0.02), (256, 0.005)])
def test_s4d_inv_tends_to_the_largest_eigenvalue_of_s4(size: int, tolerance: float) -> None:
    """S4's normal matrix is HiPPO-LegS without its low rank; its real parts are S4D's -1/2."""
    root = np.sqrt(2 * np.arange(size) + 1)
    outer = np.outer(root, root) / 2
    exact = np.linalg.eigvals(np.triu(outer, 1) - np.tril(outer, -1) - np.eye(size) / 2)
    np.testing.assert_allclose(exact.real, -0.5, atol=1e-9)
    assert frequencies("inv", size)[0].item() == pytest.approx(exact.imag.max(), rel=tolerance)


def test_steps_start_between_the_two_given() -> None:
    torch.manual_seed(0)
    steps = StateSpace(Settings(width=4096, smallest_step=0.002, largest_step=0.2)).log_step.exp()
    assert 0.002 <= steps.min() < 0.00202
    assert 0.198 < steps.max() <= 0.2
    assert 0.018 < steps.median() < 0.022  # their geometric mean is 0.02


def settled(network: S4) -> S4:
    return network.double().eval()


@given(samples=st.integers(2, 90), at=st.integers(0, 88), seed=st.integers(0, 2**31))
def test_one_way_no_sample_sees_a_later_one(samples: int, at: int, seed: int) -> None:
    at %= samples - 1
    torch.manual_seed(seed)
    network = settled(build(3, 2, Settings(bidirectional=False, **TINY)))
    before = torch.randn(1, 3, samples, dtype=torch.float64)
    after = before.clone()
    after[..., at + 1 :] += 10
    with torch.inference_mode():
        apart = (network.sequence(before) - network.sequence(after)).abs()[0].amax(0)
    assert apart[: at + 1].max() < EXACT
    assert apart[at + 1] > 1e-4


def test_both_ways_every_sample_sees_every_other() -> None:
    torch.manual_seed(0)
    network = settled(build(3, 2, Settings(**TINY)))
    x_BLT = torch.randn(1, 3, 40, dtype=torch.float64)
    for at in (0, 20, 39):
        other = x_BLT.clone()
        other[..., at] += 10
        with torch.inference_mode():
            apart = (network.sequence(x_BLT) - network.sequence(other)).abs()[0].amax(0)
        assert apart.min() > 1e-6


@pytest.mark.parametrize("samples", [1, 3, 97, 250, 1001])
def test_one_way_a_shorter_record_is_the_beginning_of_a_longer_one(samples: int) -> None:
    torch.manual_seed(0)
    network = settled(build(3, 2, Settings(bidirectional=False, **TINY)))
    x_BLT = torch.randn(2, 3, 1013, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(
            network.sequence(x_BLT[..., :samples]), network.sequence(x_BLT)[..., :samples], rtol=0, atol=EXACT
        )


@given(seed=st.integers(0, 2**31))
def test_answers_stay_bounded_whatever_is_trained(seed: int) -> None:
    """A decaying state moves by at most its step: no answer is above 2 step sum |C|, and none is not a number."""
    torch.manual_seed(seed)
    space = StateSpace(Settings(width=8, state_size=4))
    with torch.no_grad():
        for value in (space.log_decay, space.frequency):
            value.copy_(5 * torch.randn_like(value))
        bound_DC = 2 * space.log_step.exp() * space.output.norm(dim=-1).sum(-1)
        assert (space.kernels(2000).abs() <= 1.0001 * bound_DC[..., None]).all()


def trained(steps: int) -> tuple[S4, list[float]]:
    torch.manual_seed(5)
    network = build(4, 3, Settings(width=16, layers=2, dropout_rate=0.1)).train()
    rng = np.random.default_rng(5)
    targets = torch.from_numpy((rng.random((16, 3)) < 0.5).astype(np.float32))
    waves = np.sin(np.arange(250) * np.array([[0.1], [0.3], [0.9]])).astype(np.float32)  # one for each class
    mixed = (targets @ torch.from_numpy(waves))[:, None].expand(16, 4, 250)
    signals = mixed + torch.from_numpy(0.1 * rng.standard_normal(mixed.shape).astype(np.float32))
    moments, losses = adamw.no_moments(network), []
    for step in range(steps):
        losses.append(loss_and_gradients(network, signals, targets))
        adamw.update(network, moments, step + 1, learning_rate=2e-2, weight_decay=1e-3)
    return network, losses


@pytest.mark.usefixtures("deterministic")
def test_training_repeats_itself_to_the_last_bit_and_learns() -> None:
    (first, losses), (second, again) = trained(30), trained(30)
    assert losses == again
    states: list[dict[str, Tensor]] = [first.state_dict(), second.state_dict()]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert losses[-1] < losses[0] / 2


def test_all_weights_are_real_and_pass_through_a_file(tmp_path: Path) -> None:
    network = build(8, 2, Settings(**TINY))
    state = network.state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32}
    save_file(state, tmp_path / "weights.safetensors")
    again = load_file(tmp_path / "weights.safetensors")
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_every_parameter_is_in_one_stage() -> None:
    network = build(8, 2, Settings(**TINY))
    assert network.stages() == [["encoder."], ["layers.0."], ["layers.1."]]
    for name, _ in network.named_parameters():
        of = sum(name.startswith(tuple(stage)) for stage in network.stages())
        assert of == (0 if name.startswith("head.") else 1)


def test_steps_out_of_order_and_odd_state_sizes_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"smallest_step 0\.2 is above largest_step 0\.1"):
        Settings(smallest_step=0.2)
    with pytest.raises(ValidationError, match="multiple of 2"):
        Settings(state_size=7)
