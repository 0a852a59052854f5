"""Gates every record passes before it is stored: named exclusions, flags, and a stop when a whole source is wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from codeii.schema.leads import EIGHT, LEADS, largest_limb_lead_gap, limb_lead_residual
from codeii.schema.record import Card, Exclusion, Record
from codeii.schema.units import LARGEST_UV

SHORTEST_S = 1.0  # less holds no heartbeat for certain, and no filter settles in it
AMPLITUDE_FACTOR = 10.0  # one record may leave the range of its source's median so many times
RESIDUAL = 0.25  # of the limb leads: rounding gives below 0.02, two swapped leads above 0.5
GAP_UV = 100  # between a recorded and a derived limb lead: rounding gives up to 12 in published records
OFFSET_UV = 300  # mean of a lead: published PTB-XL and CPSC records stay below 25, CODE-15% keeps the recorder's own
# a lead that stays at its own extreme so long was cut by the recorder; published PTB-XL records repeat their last
# value for 0.11 s, which is none
HELD_S = 0.2
SHOWN = 5  # exclusions told in an error


def peaks_uv(signal_uv: np.ndarray) -> np.ndarray:
    """(lead,) peak-to-peak amplitude of each lead of a (lead, sample) int16 signal, uV."""
    peaks: np.ndarray = signal_uv.max(axis=1).astype(np.int64) - signal_uv.min(axis=1)
    return peaks


def examine(record: Record, card: Card) -> Record | Exclusion:
    """The record with the flags it deserves, or the first reason to leave it out.

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
    peaks = peaks_uv(record.signal_uv)
    if not peaks[[LEADS.index(name) for name in EIGHT]].any():
        return _excluded(record, "flat", "signal", "every independent lead constant", "a signal that changes")
    low, high = card.amplitude_mv[0] / AMPLITUDE_FACTOR, card.amplitude_mv[1] * AMPLITUDE_FACTOR
    largest_mv = peaks.max() / 1e3
    if not low <= largest_mv <= high:
        found = f"{largest_mv:.3f} mV peak to peak"
        return _excluded(record, "wrong_amplitude", "signal", found, f"{low:g} to {high:g} mV")
    flags = (*record.flags, *(flag for flag in notice(record) if flag not in record.flags))
    return replace(record, flags=flags, peak_uv=int(peaks.max()))


def notice(record: Record) -> list[str]:
    """Flags of a record: `flat_lead:X`, `saturated:X`, `clipped`, `limb_leads_inconsistent`, `limb_lead_gap`, `offset`.

    Inconsistent limb leads disagree throughout (leads swapped, wrong order); a gap is a place where they do not
    close, such as an artefact or a fault of the published file.
    """
    signal = record.signal_uv
    flat = peaks_uv(signal) == 0
    saturated = held(signal, HELD_S * record.rate_hz)
    flags = [f"flat_lead:{name}" for name, is_flat in zip(LEADS, flat, strict=True) if is_flat]
    flags += [f"saturated:{name}" for name, is_held in zip(LEADS, saturated & ~flat, strict=True) if is_held]
    if (signal >= LARGEST_UV).any() or (signal <= -LARGEST_UV).any():
        flags.append("clipped")
    if limb_lead_residual(signal) > RESIDUAL:
        flags.append("limb_leads_inconsistent")
    elif largest_limb_lead_gap(signal) > GAP_UV:
        flags.append("limb_lead_gap")
    if np.abs(signal.mean(axis=1)).max() > OFFSET_UV:
        flags.append("offset")
    return flags


def held(signal_uv: np.ndarray, samples: float) -> np.ndarray:
    """(lead,) bool: whether a lead stays at its own largest or smallest value for a run of at least `samples`."""
    found = np.zeros(len(signal_uv), bool)
    for extreme in (signal_uv.max(axis=1), signal_uv.min(axis=1)):
        there = signal_uv == extreme[:, np.newaxis]
        for lead in np.flatnonzero(np.count_nonzero(there, axis=1) >= samples):
            found[lead] |= longest_run(there[lead]) >= samples
    return found


def longest_run(values: np.ndarray) -> int:
    """Length of the longest run of True in a (sample,) bool array, 0 where there is none."""
    edges = np.diff(np.concatenate([[0], values.astype(np.int8), [0]]))
    return int((np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)).max(initial=0))


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
