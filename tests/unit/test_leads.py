"""The twelve leads: names, order, arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.schema.leads import EIGHT, LEADS, in_standard_order, limb_lead_residual, standard_name


def eight_leads(seed: int, samples: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(8, samples))


@pytest.mark.parametrize(
    ("spelling", "name"), [("AVR", "aVR"), ("avl", "aVL"), ("DI", "I"), (" v1 ", "V1"), ("DIII", "III")]
)
def test_spellings_of_the_field_are_understood(spelling: str, name: str) -> None:
    assert standard_name(spelling) == name


@pytest.mark.parametrize("spelling", ["", "V7", "MLII", "X", "aVX"])
def test_an_unknown_lead_is_refused_by_name(spelling: str) -> None:
    with pytest.raises(ValueError, match="not one of the twelve"):
        standard_name(spelling)


@given(st.permutations(range(8)), st.integers(0, 10))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_does_not_matter(order: list[int], seed: int) -> None:
    signal = eight_leads(seed)
    expected = in_standard_order(signal, EIGHT)
    shuffled = in_standard_order(signal[order], [EIGHT[index] for index in order])
    np.testing.assert_array_equal(shuffled, expected)


@given(st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_derived_leads_obey_einthoven_and_goldberger(seed: int) -> None:
    lead = dict(zip(LEADS, in_standard_order(eight_leads(seed), EIGHT), strict=True))
    np.testing.assert_allclose(lead["I"] + lead["III"], lead["II"], atol=1e-12)
    np.testing.assert_allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0, atol=1e-12)
    np.testing.assert_allclose(lead["aVL"], (lead["I"] - lead["III"]) / 2, atol=1e-12)


def test_a_recorded_limb_lead_is_kept_as_recorded() -> None:
    signal = np.vstack([eight_leads(0), np.full((1, 50), 7.0)])
    ordered = in_standard_order(signal, [*EIGHT, "III"])
    assert (ordered[LEADS.index("III")] == 7.0).all()


def test_integer_leads_are_rounded_not_truncated() -> None:
    signal = np.zeros((8, 1), np.int16)
    signal[0], signal[1] = 3, 0
    ordered = in_standard_order(signal, EIGHT)
    assert ordered.dtype == np.int16
    assert ordered[LEADS.index("aVR"), 0] == -2  # -1.5 to even


def test_a_lead_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="V5 is given more than once"):
        in_standard_order(np.zeros((9, 5)), [*EIGHT, "v5"])


def test_a_missing_chest_lead_is_refused_never_zero() -> None:
    with pytest.raises(ValueError, match="V6 is missing"):
        in_standard_order(np.zeros((7, 5)), EIGHT[:-1])


def test_the_residual_tells_swapped_limb_leads() -> None:
    signal = in_standard_order(eight_leads(1, 500), EIGHT)
    assert limb_lead_residual(signal) < 1e-12
    swapped = signal[[0, 1, 2, 4, 3, 5, *range(6, 12)]]
    assert limb_lead_residual(swapped) > 0.5
    assert limb_lead_residual(np.zeros((12, 10))) == 0
