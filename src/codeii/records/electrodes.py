"""Electrodes and cables that are suspected to be exchanged, from the shapes of the leads. A suspicion, never a fault.

What is compared are slopes over 20 ms, so that baseline wander does not count, as correlations between leads
(an idea of Jekova, Krasteva et al., Comput Methods Programs Biomed 134:31-41, 2016; rules and limits are ours and are
stated in docs/audit.md with what they find and miss on published records).
"""

from functools import cache
from itertools import combinations

import numpy as np

from codeii.records.measure import Look
from codeii.schema.leads import LEADS

CHEST = LEADS[6:]
# Seen from the left chest (V6) lead I and lead II rise together with it and aVR falls, also with a deviated axis. Arms
# exchanged turn I over, right arm and leg exchanged turn II over: the whole of it, not the QRS complex alone.
OPPOSED, AVR_FALLS, SLOWLY_OPPOSED = -0.7, -0.5, -0.5
SILENT = {"RA-RL": ("II", 0.1), "LA-RL": ("III", 0.05), "arms-legs": ("I", 0.05)}  # the lead that sees no heart, share
SHORTER = 0.75  # the way from V1 to V6, lead to lead, in another order, over that in the recorded one
LOUD, QUIET_S = 0.05, 0.12  # share of the steep slopes that makes a QRS complex; margin left out around it
FEWEST = 100  # moments (of 100 a second) outside QRS complexes that a comparison needs
_ROW = {name: index for index, name in enumerate(LEADS)}


def suspicions(look: Look) -> list[str]:
    """One flag at most: `swap_suspected:LA-RA` (or another pair) or `inversion_suspected:V3`."""
    size = np.sqrt(look.products.diagonal())
    alike = look.products / (size[:, None] * size + 1e-9)
    # limbs are judged by V6, which is in doubt itself where the chest is
    sizes = size.tolist()
    return (_chest(alike) if all(sizes[6:]) else []) or _limbs(look, alike, sizes)


def _limbs(look: Look, alike: np.ndarray, sizes: list[float]) -> list[str]:
    of_i, of_ii, _, of_avr = alike[_ROW["V6"], :4].tolist()
    name, pair = ("I", "LA-RA") if of_i < of_ii else ("II", "RA-LL")
    if min(of_i, of_ii) < OPPOSED and of_avr > AVR_FALLS and _slowly_opposed(look, name):
        return [f"swap_suspected:{pair}"]
    for pair, (name, share) in SILENT.items():
        if 0 < sizes[_ROW[name]] < share * max(sizes[:3]):
            return [f"swap_suspected:{pair}"]
    return []


def _slowly_opposed(look: Look, name: str) -> bool:
    """Whether P and T waves of a limb lead go against those of V6 too; an axis far to the left turns over QRS alone."""
    slopes, coarse_hz = look.slopes.astype(np.float64), look.slopes_hz
    energy = (slopes * slopes).sum(axis=0)
    loud = energy > LOUD * np.quantile(energy, 0.99)
    margin = round(QUIET_S * coarse_hz)
    quiet = np.convolve(loud, np.ones(2 * margin + 1), "same") == 0
    # slopes over a tenth of a second, of smoothed leads: sums of the short ones, each of which must be quiet
    span = max(2, round(0.1 * coarse_hz))
    pair = np.stack([np.convolve(slopes[_ROW[lead]], np.ones(span), "valid") for lead in (name, "V6")])
    pair = pair[:, np.convolve(~quiet, np.ones(span), "valid") == 0]
    if pair.shape[1] < FEWEST:
        return False
    inner, one, other = (pair[0] * pair[1]).sum(), (pair[0] ** 2).sum(), (pair[1] ** 2).sum()
    return bool(inner < SLOWLY_OPPOSED * np.sqrt(one * other))


@cache
def _ways() -> tuple[list[str], np.ndarray, np.ndarray]:
    """Other ways from V1 to V6: their flags; for each its five steps as places in a (12, 12) array, and twice the sign
    of what they compare.

    Two leads exchanged, or one turned over. V1 and V6 are never called turned over: the zero line of the potential may
    run beside an end of the row, but not on both sides of a lead inside it.
    """
    pairs, inner = list(combinations(range(6), 2)), range(1, 5)
    flags = ["", *(f"swap_suspected:{CHEST[one]}-{CHEST[other]}" for one, other in pairs)]
    flags += [f"inversion_suspected:{CHEST[lead]}" for lead in inner]
    order, sign = np.tile(np.arange(6), (len(flags), 1)), np.ones((len(flags), 6))
    for row, (one, other) in enumerate(pairs, start=1):
        order[row, [one, other]] = other, one
    for row, lead in enumerate(inner, start=1 + len(pairs)):
        sign[row, lead] = -1
    places = np.ravel_multi_index((order[:, :-1] + 6, order[:, 1:] + 6), (len(LEADS), len(LEADS)))
    return flags, places, 2 * sign[:, :-1] * sign[:, 1:]


def _chest(alike: np.ndarray) -> list[str]:
    """The one exchange or inversion that makes neighbours on the chest much more alike, if there is one."""
    flags, places, twice_sign = _ways()
    # distances of unit vectors; rounding may make them a little more alike than they can be
    ways = np.add.reduce(np.sqrt(np.maximum(0.0, 2 - twice_sign * alike.take(places))), axis=1)
    best = int(ways.argmin())
    return [flags[best]] if ways[best] < SHORTER * ways[0] else []
