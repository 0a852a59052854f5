"""Units, rates, lengths, leads and everything that flags say of the signals."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pandas as pd

from codeii.artifacts.audit import Check
from codeii.audit.subject import Subject, counted, noted, rows_of

LEADS_OF_ANOTHER_ORDER = 0.1  # share of records whose limb leads disagree: above it, the source's order is wrong
LIMITS = "limits of this project, docs/audit.md"
# name of the check, kinds of flag, what is expected, who says so
OF_FLAGS = (
    ("limb leads close everywhere", ("limb_lead_gap",), "no gap above 0.1 mV", "Einthoven, Goldberger"),
    ("leads are twelve different ones", ("identical_leads",), "no two leads equal in every sample", LIMITS),
    ("electrodes in their places", ("swap_suspected", "inversion_suspected"), "no exchange suspected", LIMITS),
    ("leads are connected", ("flat_lead", "still"), "no lead without a change for a second", LIMITS),
    ("nothing is cut off", ("clipped", "saturated"), "no sample at a limit, no lead held at its extreme", LIMITS),
    ("baseline", ("offset", "wander"), "means of leads below 0.3 mV, of seconds within 2 mV", LIMITS),
    ("mains", ("mains",), "less than 0.05 mV at 50 and 60 Hz", LIMITS),
    ("steps", ("step",), "less than 2.5 mV from one sample to the next (from 250 Hz on)", LIMITS),
    ("no stretch occurs twice", ("repeated_stretch",), "no two seconds repeated sample by sample", LIMITS),
)


def signal_checks(subject: Subject) -> Iterator[Check]:
    """Is the signal what the card says, and what is wrong with single records?"""
    if subject.records.empty:
        return
    yield _unit(subject)
    yield _rates(subject)
    yield from _lengths(subject)
    yield _lead_order(subject)
    for check, kinds, expected, since in OF_FLAGS:
        findings = subject.flagged(*kinds, expected=expected)
        told = Counter(subject.flags[subject.flags["kind"].isin(kinds)].drop_duplicates(["record_id", "kind"])["kind"])
        yield noted(check, expected, counted(told), since, findings)
    yield from _mains_hz(subject)


def _unit(subject: Subject) -> Check:
    """The gate that stopped nothing, with its number. It cannot see a factor of two: the reader's factor is pinned."""
    low, high = subject.card["amplitude_mv"]
    median = float(subject.records["peak_to_peak_uv"].median()) / 1e3
    return Check(
        "unit",
        "ok" if low <= median <= high else "fault",
        f"{subject.card['unit']}; the median record spans {low:g} to {high:g} mV",
        f"median {median:.2f} mV peak to peak",
        "card of the source",
    )


def _rates(subject: Subject) -> Check:
    found = Counter(subject.records["rate_hz"])
    odd = sorted(set(found) - set(subject.card["rates_hz"]))
    told = ", ".join(f"{count:,} at {rate} Hz" for rate, count in sorted(found.items()))
    expected = "one of " + ", ".join(map(str, subject.card["rates_hz"])) + " Hz"
    return Check("sampling rate", "fault" if odd else "ok", expected, told, "card of the source")


def _lengths(subject: Subject) -> Iterator[Check]:
    seconds = seconds_of(subject.records)
    told = f"{seconds.min():.2f} to {seconds.max():.2f} s, median {seconds.median():.2f} s"
    rows = [row for row in rows_of("published", subject.source) if row["quantity"] == "length_s"]
    if not rows:
        yield Check("length", "ok", "a second or more", told, "the gates of the records")
    for row in rows:
        low, high = float(row["low"]), float(row["high"])
        outside = ~seconds.between(low - 1e-9, high + 1e-9)
        expected = f"{low:g} s" if low == high else f"{low:g} to {high:g} s"
        odd = f"; {int(outside.sum()):,} outside" if outside.any() else ""
        yield Check("length", "noted" if odd else "ok", expected, told + odd, row["since"])


def seconds_of(records: pd.DataFrame) -> pd.Series:
    """Length of each record in seconds."""
    return (records["stop"] - records["start"]) / 12 / records["rate_hz"]


def _lead_order(subject: Subject) -> Check:
    """Order of the limb leads by their arithmetic, over the whole source; derived leads fit by construction."""
    expected = "limb leads follow from I and II: residual below 0.25"
    findings = subject.flagged("limb_leads_inconsistent", expected=expected)
    share = len(findings) / len(subject.records)
    derived = int((subject.flags["kind"] == "leads_derived").sum())
    residual = subject.records["limb_residual"]
    told = f"median residual {residual.median():.4f}, largest {residual.max():.4f}; {len(findings):,} records disagree"
    told += f"; leads of {derived:,} records were derived" if derived else ""
    verdict = "fault" if share > LEADS_OF_ANOTHER_ORDER else "noted" if findings or derived else "ok"
    return Check("order of the limb leads", verdict, expected, told, "Einthoven, Goldberger", findings)


def _mains_hz(subject: Subject) -> Iterator[Check]:
    """Whether the mains that the card names are those heard: the notch filter is set by them."""
    heard: Mapping[int, float] = {hz: float(subject.records[f"mains_{hz}_uv"].median()) for hz in (50, 60)}
    stated = int(subject.card["mains_hz"])
    if stated not in heard or any(pd.isna(level) for level in heard.values()):
        return
    other = max(level for hz, level in heard.items() if hz != stated)
    verdict = "noted" if other > max(1.0, 2 * heard[stated]) else "ok"
    told = ", ".join(f"{level:.1f} uV at {hz} Hz" for hz, level in heard.items())
    yield Check("mains frequency", verdict, f"{stated} Hz, if any", f"medians {told}", "card of the source")
