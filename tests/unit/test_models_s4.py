"""The state-space network is the state space it says it is: against the recurrence, formulas and its own gradients."""

from collections.abc import Iterator
from math import pi

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.linalg import expm
from torch import Tensor, nn
from torch.nn import functional

from codeii.models import s4
from codeii.models.s4 import Settings, StateSpace, build, initial_frequencies
from codeii.training import adamw


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def nothing_that_varies() -> Iterator[None]:
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode("default")


def space(seed: int, **settings: object) -> StateSpace:
    """A float64 state space that is no longer what it began as."""
    torch.manual_seed(seed)
    made = StateSpace(Settings(**settings)).double()
    with torch.no_grad():
        for value in made.parameters():
            value += 0.2 * torch.randn_like(value)
    return made.eval()


def simulate(made: StateSpace, direction: int, channel: int, inputs: np.ndarray) -> np.ndarray:
    """(T,) states carried from sample to sample and read out at each, in real arithmetic, two states for each pair.

    dx/dt = A x + B u with the input held over a step, solved by the matrix exponential of SciPy.
    """
    values = {name: value.detach().numpy() for name, value in made.named_parameters()}
    pairs = zip(-np.exp(values["log_decay"][channel]), values["frequency"][channel], strict=True)
    size = 2 * values["frequency"].shape[1]
    a, b, c = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for number, (real, imag) in enumerate(pairs):
        of = slice(2 * number, 2 * number + 2)
        a[of, of] = [[real, -imag], [imag, real]]
        b[2 * number] = 1
        c[of] = [
            2 * values["read_real"][direction, channel, number],
            -2 * values["read_imag"][direction, channel, number],
        ]
    step_a = expm(np.exp(values["log_step"][channel]) * a)
    step_b = np.linalg.solve(a, (step_a - np.eye(size)) @ b)
    state, outputs = np.zeros(size), []
    for value in inputs:
        state = step_a @ state + step_b * value
        outputs.append(c @ state)
    return np.array(outputs)


@given(
    seed=st.integers(0, 2**32 - 1),
    channels=st.integers(1, 3),
    states=st.sampled_from([2, 4, 8]),
    samples=st.integers(1, 200),
    initial=st.sampled_from(["lin", "inv"]),
    bidirectional=st.booleans(),
)
def test_the_convolution_is_the_recurrence(
    seed: int, channels: int, states: int, samples: int, initial: str, bidirectional: bool
) -> None:
    made = space(seed, channels=channels, states=states, initial=initial, bidirectional=bidirectional)
    x_TC = np.random.default_rng(seed).standard_normal((samples, channels))
    with torch.inference_mode():
        found = made(torch.from_numpy(x_TC)[None])[0].numpy()
    direct_TC = made.direct.detach().numpy() * x_TC
    for channel in range(channels):
        expected = simulate(made, 0, channel, x_TC[:, channel]) + direct_TC[:, channel]
        if bidirectional:  # from the end, and of what lies strictly ahead, so that no sample counts twice
            expected[:-1] += simulate(made, 1, channel, x_TC[:0:-1, channel])[::-1]
        np.testing.assert_allclose(found[:, channel], expected, rtol=0, atol=1e-9)


def test_the_kernel_of_a_short_recording_is_the_beginning_of_that_of_a_long_one() -> None:
    made = space(0, channels=5, states=8)
    with torch.inference_mode():
        long = made.kernel(4096)
        for samples in (1, 63, 64, 65, 250, 1000, 4095):
            assert made.kernel(samples).shape == (2, 5, samples)
            torch.testing.assert_close(made.kernel(samples), long[..., :samples], rtol=0, atol=1e-12)


@pytest.mark.parametrize("split", [1, 7, 5000])
def test_how_the_exponentials_are_shared_out_does_not_matter(split: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = space(1, channels=3, states=8)
    with torch.inference_mode():
        expected = made.kernel(1000)
        monkeypatch.setattr(s4, "SPLIT", split)
        torch.testing.assert_close(made.kernel(1000), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("initial", "states"), [("lin", 8), ("lin", 64), ("inv", 8), ("inv", 64)])
def test_single_precision_is_enough_for_4096_samples(initial: str, states: int) -> None:
    torch.manual_seed(0)
    made = StateSpace(Settings(channels=64, states=states, initial=initial))
    with torch.inference_mode():
        single = made.kernel(4096).double()
        double = made.double().kernel(4096)
    assert (single - double).norm() < 2e-5 * double.norm()


def test_eigenvalues_begin_as_s4d_lin() -> None:
    made = StateSpace(Settings(channels=2, states=6, initial="lin"))
    torch.testing.assert_close(-made.log_decay.exp(), torch.full((2, 3), -0.5))
    torch.testing.assert_close(made.frequency, torch.tensor([[0, pi, 2 * pi]] * 2))


def test_eigenvalues_begin_as_s4d_inv() -> None:
    """For 6 states, 6/pi (6/(2n+1) - 1): 30/pi, 6/pi, 6/(5 pi)."""
    made = StateSpace(Settings(channels=2, states=6, initial="inv"))
    torch.testing.assert_close(-made.log_decay.exp(), torch.full((2, 3), -0.5))
    torch.testing.assert_close(made.frequency, torch.tensor([[30 / pi, 6 / pi, 1.2 / pi]] * 2))


def test_the_fastest_of_s4d_inv_are_those_of_hippo_legs() -> None:
    """S4D-Inv is meant to follow the normal part of HiPPO-LegS, whose eigenvalues all have real part -1/2."""
    states = 64
    n = np.arange(states)
    root = np.sqrt(2 * n + 1)
    legs = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0)
    values = np.linalg.eigvals(legs + np.outer(root, root) / 2)
    np.testing.assert_allclose(values.real, -0.5, atol=1e-9)
    fastest = np.sort(values.imag)[::-1][:3]
    np.testing.assert_allclose(initial_frequencies(states, "inv")[:3], fastest, rtol=0.08)


def test_steps_begin_between_their_bounds_and_reach_for_both() -> None:
    torch.manual_seed(0)
    steps = StateSpace(Settings(channels=4096)).log_step.exp()
    assert 1e-3 <= steps.min() < 1.1e-3
    assert 0.09 < steps.max() <= 1e-1
    assert steps.median().item() == pytest.approx(1e-2, rel=0.2)


def changed_by(network: nn.Module, moved: int) -> np.ndarray:
    """Numbers of the time points of a layer's output that depend on sample `moved` of its input."""
    x_BTC = torch.zeros(2, 100, 4, dtype=torch.float64)
    x_BTC[1, moved] = 1
    with torch.inference_mode():
        out_BTC = network(x_BTC)
    return np.flatnonzero((out_BTC[0] - out_BTC[1]).abs().amax(-1) > 1e-9)


def test_one_direction_looks_back_only_and_neither_end_sees_the_other() -> None:
    both, one = (space(2, channels=4, bidirectional=choice) for choice in (True, False))
    assert changed_by(one, 60).tolist() == list(range(60, 100))
    assert changed_by(one, 99).tolist() == [99]
    assert changed_by(both, 60).tolist() == list(range(100))


def test_gradients_are_those_of_finite_differences() -> None:
    made = space(3, channels=2, states=4)
    x_BTC = torch.randn(1, 9, 2, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in made.named_parameters()]

    def answer(x_BTC: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(made, dict(zip(names, values, strict=True)), (x_BTC,))

    assert torch.autograd.gradcheck(answer, (x_BTC, *made.parameters()))


@pytest.mark.parametrize("samples", [1, 7, 250, 997, 1000])
@pytest.mark.usefixtures("nothing_that_varies")
def test_any_length_trains(samples: int) -> None:
    torch.manual_seed(0)
    network = build(8, 3, Settings(channels=8, layers=2)).train()
    network(torch.randn(2, 8, samples)).square().sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in network.parameters())


def losses() -> list[float]:
    """Of thirty steps of a tiny network with dropout on signals whose class is their rate."""
    torch.manual_seed(4)
    network = build(8, 1, Settings(channels=8, layers=2, states=4)).train()
    targets_BK = (torch.arange(16) % 2).float()[:, None]
    time_s = torch.arange(250) / 100
    x_BLT = torch.sin(2 * pi * (1 + 2 * targets_BK) * time_s)[:, None].repeat(1, 8, 1) + 0.3 * torch.randn(16, 8, 250)
    moments, found = adamw.no_moments(network), []
    for step in range(30):
        network.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(network(x_BLT), targets_BK)
        loss.backward()
        adamw.update(network, moments, step + 1, learning_rate=1e-2, weight_decay=0)
        found.append(loss.item())
    return found


@pytest.mark.usefixtures("nothing_that_varies")
def test_training_learns_and_repeats_itself_bit_by_bit() -> None:
    first = losses()
    assert first == losses()
    assert first[-1] < 0.5 * first[0]


@pytest.mark.parametrize("states", [1, 3, 7])
def test_states_come_in_pairs(states: int) -> None:
    with pytest.raises(ValidationError, match="states"):
        Settings(states=states)
