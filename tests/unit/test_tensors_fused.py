"""The compiled kernel gives the reference's numbers: bit by bit before rounding, count by count after it."""

import platform
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.native.library import VARIABLE
from codeii.schema.leads import LEADS
from codeii.schema.params import Preprocessing
from codeii.schema.units import to_counts_uv
from codeii.tensors import fused
from codeii.tensors.fused import Kernel, kernel
from codeii.tensors.pipeline import Tensors, powerline_hz, prepare, preprocess, row_starts

MAINS_HZ = 50
RATES_HZ = st.one_of(st.sampled_from([100, 240, 250, 257, 300, 360, 400, 500, 600, 1000]), st.integers(100, 1000))


@pytest.fixture(scope="module", autouse=True)
def _needs_a_compiler() -> None:
    if kernel(500, settings_of(), 50) is None:
        pytest.skip("needs a C compiler")


def settings_of(**changes: Any) -> Preprocessing:
    fields = {"rate_hz": 400, "samples": 4096, "baseline": "elliptic", "powerline_hz": "mains"}
    return Preprocessing.model_validate(fields | changes)


def records(count: int, samples: int, seed: int = 0, step: float = 40) -> np.ndarray:
    """(record, 12, sample) int16 random walks; with large steps they stay at the ends of int16 for long."""
    walk = np.random.default_rng(seed).normal(0, step, (count, 12, samples)).cumsum(axis=-1)
    return np.clip(walk, -32_768, 32_767).astype(np.int16)


def by_reference(stack: np.ndarray, rate_hz: int, wanted: Preprocessing) -> Tensors:
    rounded = [to_counts_uv(row) for row in prepare(stack, rate_hz, wanted, MAINS_HZ)]
    per_record = len(rounded) // len(stack)
    return Tensors(
        np.stack([counts for counts, _ in rounded]),
        np.array([clipped for _, clipped in rounded]),
        np.arange(len(rounded)) // per_record,
        np.zeros(len(stack), np.int64),
    )


def assert_same(ours: Tensors, theirs: Tensors) -> None:
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert ours.counts.dtype == np.int16


def doubles_of(stack: np.ndarray, rate_hz: int, wanted: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Filtered and resampled by the kernel, and by the reference."""
    compiled = kernel(rate_hz, wanted, powerline_hz(wanted, MAINS_HZ, rate_hz))
    assert isinstance(compiled, Kernel)
    ours = compiled.doubles(stack, stack.shape[-1])
    whole = wanted.model_copy(update={"samples": ours.shape[-1], "placement": "first", "leads": "eight"})
    return ours, prepare(stack, rate_hz, whole, MAINS_HZ)


@settings(max_examples=150)
@given(
    rate_hz=RATES_HZ,
    target_hz=RATES_HZ,
    samples=st.integers(1, 1500),
    wanted=st.integers(1, 2000),
    count=st.integers(1, 6),
    leads=st.sampled_from(["eight", "twelve"]),
    placement=st.sampled_from(["centre", "first", "sections"]),
    baseline=st.sampled_from(["none", "elliptic"]),
    powerline_hz=st.sampled_from(["none", "mains"]),
    step=st.sampled_from([0, 3, 300, 30_000]),
)
def test_every_rate_length_and_setting_gives_the_references_counts(
    rate_hz: int, target_hz: int, samples: int, wanted: int, count: int, step: float, **changes: str
) -> None:
    chosen = settings_of(rate_hz=target_hz, samples=wanted, **changes)
    stack = records(count, samples, seed=samples, step=step)
    try:
        expected = by_reference(stack, rate_hz, chosen)
    except ValueError as error:
        with pytest.raises(ValueError) as caught:
            preprocess(stack, rate_hz, chosen, MAINS_HZ)
        assert str(caught.value) == str(error)
        return
    assert_same(preprocess(stack, rate_hz, chosen, MAINS_HZ), expected)
    np.testing.assert_allclose(*doubles_of(stack, rate_hz, chosen), rtol=0, atol=1e-7)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="SciPy's packages merge operations there")
@pytest.mark.parametrize("rate_hz", [100, 240, 257, 300, 500, 1000])
@pytest.mark.parametrize("baseline", ["none", "elliptic"])
@pytest.mark.parametrize("powerline", ["none", "mains"])
def test_no_bit_differs_before_rounding(rate_hz: int, baseline: str, powerline: str) -> None:
    chosen = settings_of(baseline=baseline, powerline_hz=powerline)
    ours, theirs = doubles_of(records(5, 3001), rate_hz, chosen)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("samples", [1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 4096, 5000])
def test_nothing_is_lost_at_the_edges_of_tiles(samples: int) -> None:
    chosen = settings_of(rate_hz=500, samples=samples, baseline="none", powerline_hz="none", leads="twelve")
    stack = records(3, samples)
    counts = preprocess(stack, 500, chosen, MAINS_HZ).counts
    np.testing.assert_array_equal(
        counts[:, [0, 1, *range(6, 12)]], np.maximum(stack[:, [0, 1, *range(6, 12)]], -32_767)
    )
    assert_same(preprocess(stack, 500, chosen, MAINS_HZ), by_reference(stack, 500, chosen))


def test_a_long_record_and_many_records_give_the_same_as_one() -> None:
    stack = records(9, 2000)
    together = preprocess(stack, 500, settings_of(samples=1000), MAINS_HZ)
    alone = [preprocess(record[np.newaxis], 500, settings_of(samples=1000), MAINS_HZ) for record in stack]
    np.testing.assert_array_equal(together.counts, np.concatenate([part.counts for part in alone]))
    long = records(2, 90_001)
    assert_same(preprocess(long, 1000, settings_of(), MAINS_HZ), by_reference(long, 1000, settings_of()))


def test_a_record_too_long_for_the_memory_a_thread_keeps_is_done_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = records(5, 3000)
    expected = by_reference(stack, 500, settings_of())
    for vectors in (1, 3100, 6100):
        monkeypatch.setattr(fused, "LARGEST_WORK", 8 * vectors)
        assert_same(preprocess(stack, 500, settings_of(), MAINS_HZ), expected)


def test_a_tie_is_rounded_to_the_even_neighbour_as_numpy_rounds_it() -> None:
    signal = np.zeros((1, 12, 40), np.int16)
    signal[0, 0], signal[0, 1] = np.arange(-20, 20), 1  # aVR, aVL and aVF end in halves
    chosen = settings_of(rate_hz=500, samples=40, leads="twelve", baseline="none", powerline_hz="none")
    found = preprocess(signal, 500, chosen, MAINS_HZ)
    assert_same(found, by_reference(signal, 500, chosen))
    lead_ii = signal[0, 1].astype(float)
    np.testing.assert_array_equal(found.counts[0, LEADS.index("aVL")], np.rint(signal[0, 0] - lead_ii / 2))


def test_clipped_samples_are_counted_by_tensor() -> None:
    stack = np.zeros((3, 12, 400), np.int16)
    stack[1, 0], stack[1, 1], stack[2, 8, 390:] = 32_767, -32_768, -32_768
    chosen = settings_of(
        rate_hz=500, samples=100, placement="sections", leads="twelve", baseline="none", powerline_hz="none"
    )
    found = preprocess(stack, 500, chosen, MAINS_HZ)
    # III = II - I and aVL = I - II/2 and aVF = II - I/2 leave int16, and -32768 itself is never written
    assert found.clipped.tolist() == [0] * 4 + [400] * 4 + [0, 0, 0, 10]
    assert found.record.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert_same(found, by_reference(stack, 500, chosen))


def test_records_may_come_as_a_list_and_tensors_go_into_given_memory() -> None:
    stack = records(5, 1300)
    chosen = settings_of(samples=500, placement="sections")
    expected = preprocess(stack, 500, chosen, MAINS_HZ)
    rows = 5 * len(row_starts(1300, 500, chosen))
    out = np.full((rows, 8, 500), 7, np.int16)
    found = preprocess(list(stack), 500, chosen, MAINS_HZ, out=out)
    assert found.counts is out
    assert_same(found, expected)
    np.testing.assert_array_equal(
        preprocess(stack[:, :, ::-1], 500, chosen, MAINS_HZ).counts[0],
        by_reference(stack[:, :, ::-1], 500, chosen).counts[0],
    )


@pytest.mark.parametrize("shape", [(4, 8, 500), (5, 12, 500), (5, 8, 499)])
def test_memory_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected a contiguous \(5, 8, 500\) of int16"):
        preprocess(records(5, 600), 500, settings_of(samples=500), MAINS_HZ, out=np.empty(shape, np.int16))
    with pytest.raises(ValueError, match="expected a contiguous"):
        preprocess(
            records(5, 600), 500, settings_of(samples=500), MAINS_HZ, out=np.empty((5, 500, 8), np.int16).swapaxes(1, 2)
        )


def test_records_of_several_lengths_are_no_stack() -> None:
    with pytest.raises(ValueError, match=r"signals of shapes \(12, 600\), \(12, 700\); a stack has one"):
        preprocess([records(1, 600)[0], records(1, 700)[0]], 500, settings_of(), MAINS_HZ)


def test_scaling_by_record_takes_the_kernels_doubles() -> None:
    stack = records(4, 1500)
    chosen = settings_of(normalisation="record", leads="twelve", samples=1000)
    assert_same(preprocess(stack, 500, chosen, MAINS_HZ), by_reference(stack, 500, chosen))


@pytest.mark.parametrize(
    "changes",
    [
        {"baseline": "bandpass"},
        {"mode": "benchmark_compatible", "median_baseline_seconds": 0.4},
        {"mode": "benchmark_compatible", "resampling": "decimate_joined", "rate_hz": 100},
        {"leads": "twelve", "limb_leads": "recorded"},
    ],
    ids=str,
)
def test_steps_that_the_kernel_does_not_know_go_through_the_reference(changes: dict[str, Any]) -> None:
    chosen, stack = settings_of(**changes), records(3, 1500)
    assert kernel(500, chosen, MAINS_HZ) is None
    assert_same(preprocess(stack, 500, chosen, MAINS_HZ), by_reference(stack, 500, chosen))


def test_float_records_go_through_the_reference() -> None:
    stack = records(2, 700).astype(np.float64) + 0.25
    assert_same(preprocess(stack, 500, settings_of(), MAINS_HZ), by_reference(stack, 500, settings_of()))


def test_without_records_there_are_no_tensors() -> None:
    assert preprocess(np.empty((0, 12, 700), np.int16), 500, settings_of(), MAINS_HZ).counts.shape == (0, 8, 4096)


def test_threads_do_not_disturb_one_another() -> None:
    stacks = [records(6, 900 + 50 * seed, seed) for seed in range(12)]
    expected = [by_reference(stack, 500, settings_of()) for stack in stacks]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda stack: preprocess(stack, 500, settings_of(), MAINS_HZ), stacks))
    for ours, theirs in zip(found, expected, strict=True):
        assert_same(ours, theirs)


@pytest.fixture
def reference_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    yield lambda: monkeypatch.setenv(VARIABLE, "reference")


@pytest.mark.parametrize(
    "changes", [{}, {"placement": "sections", "samples": 700}, {"normalisation": "record"}], ids=str
)
def test_asked_for_the_reference_it_gives_the_same(reference_only: Callable[[], None], changes: dict[str, Any]) -> None:
    stack, chosen = records(3, 2000), settings_of(**changes)
    expected = preprocess(stack, 500, chosen, MAINS_HZ)
    reference_only()
    assert kernel(500, chosen, MAINS_HZ) is None
    assert_same(preprocess(stack, 500, chosen, MAINS_HZ), expected)
