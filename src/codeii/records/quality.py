"""Gates every record passes before it is stored: named exclusions, flags, and a stop when a whole source is wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from codeii.records.electrodes import suspicions
from codeii.records.measure import Look, look_at, measures_of
from codeii.schema.leads import EIGHT, LEADS, derive
from codeii.schema.record import Card, Exclusion, Record
from codeii.schema.units import LARGEST_UV

SHORTEST_S = 1.0  # less holds no heartbeat for certain, and no filter settles in it
AMPLITUDE_FACTOR = 10.0  # one record may leave the range of its source's median so many times

# From here on a record is flagged, not left out. What published records reach is in docs/audit.md.
RESIDUAL = 0.25  # of the limb leads: rounding gives below 0.02, two swapped leads above 0.5
GAP_UV = 100  # between a recorded and a derived limb lead: rounding gives up to 12 in published records
OFFSET_UV = 300  # mean of a lead: published PTB-XL and CPSC records stay below 25, CODE-15% keeps the recorder's own
WANDER_UV = 2000  # range of the means of seconds: one published PTB-XL record in thirty
MAINS_UV = 50  # amplitude of the line; half a millimetre of paper, as much as a small P wave
STEP_UV, STEP_FROM_HZ = 2500, 250  # in one sample; slower rates step so far within a QRS complex
STILL_S = 1.0  # a lead without a change; published records stay below 0.4
# a lead that stays at its own extreme so long was cut by the recorder; published PTB-XL records repeat their last
# value for 0.11 s, which is none
HELD_S = 0.2
REPEATED_S = 2.0  # a stretch that occurs twice, sample by sample
SHOWN = 5  # exclusions told in an error
_INDEPENDENT = [LEADS.index(name) for name in EIGHT]


def examine(record: Record, card: Card) -> Record | Exclusion:
    """The record with its measures and the flags it deserves, or the first reason to leave it out.

    A record is left out when its rate is none of the card's, when it is shorter than a second, when its eight
    independent leads are all constant, or when its largest peak-to-peak amplitude is ten times outside the card's
    range. What could be a finding of the patient is flagged, never dropped.
    """
    if record.rate_hz not in card.rates_hz:
        return _excluded(record, "wrong_rate", "rate_hz", record.rate_hz, " or ".join(map(str, card.rates_hz)))
    samples = record.signal_uv.shape[1]
    if samples < SHORTEST_S * record.rate_hz:
        at_least = f"at least {SHORTEST_S * record.rate_hz:.0f}"
        return _excluded(record, "wrong_length", "samples", samples, at_least)
    look = look_at(record.signal_uv, record.rate_hz)
    peaks = look.peaks_uv
    if not any(peaks[lead] for lead in _INDEPENDENT):
        return _excluded(record, "flat", "signal", "every independent lead constant", "a signal that changes")
    low, high = card.amplitude_mv[0] / AMPLITUDE_FACTOR, card.amplitude_mv[1] * AMPLITUDE_FACTOR
    largest_mv = max(peaks) / 1e3
    if not low <= largest_mv <= high:
        found = f"{largest_mv:.3f} mV peak to peak"
        return _excluded(record, "wrong_amplitude", "signal", found, f"{low:g} to {high:g} mV")
    noticed, clipped_share = notice(look)
    flags = dict.fromkeys((*record.flags, *noticed))
    return replace(record, flags=tuple(flags), measures=measures_of(look, clipped_share))


def notice(look: Look) -> tuple[list[str], float]:
    """Flags of a signal, by lead where they end in `:X` (docs/audit.md lists them), and its share of clipped samples.

    Inconsistent limb leads disagree throughout (leads swapped, wrong order); a gap is a place where they do not
    close, such as an artefact or a fault of the published file.
    """
    flags = [f"flat_lead:{name}" for name, peak_uv in zip(LEADS, look.peaks_uv, strict=True) if not peak_uv]
    stopped, clipped_share = _stopped(look)
    flags += stopped
    for flag, found in (
        ("clipped", _at_limit(look)),
        ("limb_leads_inconsistent", look.residual > RESIDUAL),
        ("limb_lead_gap", look.residual <= RESIDUAL and look.gap_uv > GAP_UV),
        ("offset", look.mean_uv > OFFSET_UV),
        ("wander", look.wander_uv > WANDER_UV),
        ("mains", max(look.mains_uv) > MAINS_UV),  # NaN is not larger
        ("step", look.rate_hz >= STEP_FROM_HZ and look.step_uv > STEP_UV),
        ("repeated_stretch", look.repeats >= REPEATED_S * look.rate_hz and repeated_s(look) >= REPEATED_S),
    ):
        if found:
            flags.append(flag)
    flags += [f"identical_leads:{one}={other}" for one, other in identical(look)]
    # leads in a wrong order are no electrodes in a wrong place
    return flags + (suspicions(look) if look.residual <= RESIDUAL else []), clipped_share


def _at_limit(look: Look) -> bool:
    return max(look.high) >= LARGEST_UV or min(look.low) <= -LARGEST_UV


def _stopped(look: Look) -> tuple[list[str], float]:
    """`saturated:X` and `still:X` of leads that move, and the share of samples cut at a limit or held at an extreme."""
    signal = look.signal_uv
    cut = (signal >= LARGEST_UV) | (signal <= -LARGEST_UV) if _at_limit(look) else np.zeros(0, bool)
    if look.still < HELD_S * look.rate_hz or not any(look.peaks_uv):
        return [], int(np.count_nonzero(cut)) / signal.size
    flat = np.array(look.peaks_uv) == 0
    at = held(signal, HELD_S * look.rate_hz) & ~flat[:, None]
    saturated = at.any(axis=1)
    flags = [f"saturated:{name}" for name, is_held in zip(LEADS, saturated, strict=True) if is_held]
    if look.still >= STILL_S * look.rate_hz:
        for lead in np.flatnonzero(~flat & ~saturated):
            if longest_run(signal[lead, 1:] == signal[lead, :-1]) + 1 >= STILL_S * look.rate_hz:
                flags.append(f"still:{LEADS[lead]}")
    return flags, int(np.count_nonzero(at | cut if cut.size else at)) / signal.size


def held(signal_uv: np.ndarray, samples: float) -> np.ndarray:
    """(lead, sample) bool: samples at an extreme of their lead, where it stays there for a run of `samples` or more."""
    found = np.zeros(signal_uv.shape, bool)
    for extreme in (signal_uv.max(axis=1), signal_uv.min(axis=1)):
        there = signal_uv == extreme[:, np.newaxis]
        for lead in np.flatnonzero(np.count_nonzero(there, axis=1) >= samples):
            if longest_run(there[lead]) >= samples:
                found[lead] |= there[lead]
    return found


def longest_run(values: np.ndarray) -> int:
    """Length of the longest run of True in a (sample,) bool array, 0 where there is none."""
    edges = np.diff(np.concatenate([[0], values.astype(np.int8), [0]]))
    return int((np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)).max(initial=0))


def identical(look: Look) -> list[tuple[str, str]]:
    """Pairs of leads that are equal in every sample, though their place in the limb-lead arithmetic does not make them.

    Where I and II are equal, aVL and aVF follow: only the first pair is told. Constant leads are flat, not equal.
    """
    marks = list(zip(look.low, look.high, strict=True))
    if len(set(marks)) == len(marks):
        return []
    signal = look.signal_uv
    pairs = [
        (one, other)
        for one in range(len(LEADS))
        for other in range(one + 1, len(LEADS))
        if marks[one] == marks[other]
        and marks[one][0] < marks[one][1]
        and np.array_equal(signal[one], signal[other])
        and not _follows(signal, one, other)
    ]
    return [(LEADS[one], LEADS[other]) for one, other in pairs]


def _follows(signal: np.ndarray, one: int, other: int) -> bool:
    """Whether two limb leads would be equal within rounding if both were derived from I and II, and one of them is."""
    if other >= 6 or other < 2:
        return False
    lead_i, lead_ii = signal[0].astype(np.float64), signal[1].astype(np.float64)
    of_one, of_other = (signal[lead] if lead < 2 else derive(LEADS[lead], lead_i, lead_ii) for lead in (one, other))
    return bool(np.abs(of_one - of_other).max() <= 1)


def repeated_s(look: Look) -> float:
    """Seconds of the longest stretch that occurs a second time, equal in every lead; still stretches do not count."""
    signal = np.ascontiguousarray(look.signal_uv.T)
    moving = (signal[1:] != signal[:-1]).any(axis=1)
    values = signal[:-1][moving].view([("", signal.dtype)] * signal.shape[1]).ravel()
    place = np.flatnonzero(moving)
    order = np.argsort(values, kind="stable")
    same = values[order][1:] == values[order][:-1]
    lags = place[order][1:][same] - place[order][:-1][same]
    if not len(lags):
        return 0.0
    lag = int(np.bincount(lags).argmax())
    return longest_run((signal[lag:] == signal[:-lag]).all(axis=1)) / look.rate_hz


def refuse_faulty(source: str, kept: int, exclusions: Sequence[Exclusion], max_faulty_share: float) -> None:
    """Raise ValueError when no record is left, or when too many of those present are faulty.

    kept : number of records that passed; exclusions : all others. An absent record is not a fault.
    """
    faults = [exclusion for exclusion in exclusions if exclusion.reason != "absent"]
    absent = len(exclusions) - len(faults)
    told = "; ".join(f"{x.record_id}: {x.field} found {x.found}, expected {x.expected}" for x in faults[:SHOWN])
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(x.reason for x in faults).items()))
    if kept == 0:
        raise ValueError(
            f"source {source}: no record is left; {absent} of those its metadata names are absent, "
            f"{len(faults)} are faulty ({reasons or 'none'}). {told or 'Check that the folder holds the signals'}"
        )
    share = len(faults) / (kept + len(faults))
    if share > max_faulty_share:
        raise ValueError(
            f"source {source}: {len(faults)} of {kept + len(faults)} records present are faulty ({share:.1%}, at most "
            f"{max_faulty_share:.1%} are accepted): {reasons}. First: {told}. Check version and completeness of the "
            f"copy; if the records are truly so, raise sources.{source}.max_faulty_share"
        )


def refuse_wrong_unit(source: str, largest_mv: Sequence[float], card: Card) -> None:
    """Raise ValueError when the median over records of the largest peak-to-peak amplitude is implausible."""
    median, (low, high) = float(np.median(largest_mv)), card.amplitude_mv
    if not low <= median <= high:
        raise ValueError(
            f"source {source}: the median record spans {median:.3g} mV peak to peak, expected {low:g} to {high:g} mV; "
            f"the unit or gain of the whole source is wrong (stated: {card.unit})"
        )


def _excluded(record: Record, reason: str, field: str, found: object, expected: str) -> Exclusion:
    return Exclusion(record.record_id, reason, field, str(found), expected)
