"""Records that are documented as faulty: is each one seen, if it is there? Expectations are data, `known_faults.csv`.

A word of `expected`: `flag:X` a flag of that kind; `excluded:X` left out for that reason; `not_named` the release does
not hold it; `measure:X` a measure between low and high; `unseen` listed, though no check of ours can see it.
"""

import re
from collections.abc import Iterator

from codeii.artifacts.audit import Check, Finding, Known
from codeii.audit.subject import Subject, counted, rows_of

README_LINE = re.compile(r"^  (\S+): (\w+): ", re.MULTILINE)


def known_faults(subject: Subject) -> list[Known]:
    """What became of every documented fault: of a real source those of the literature, of a twin those planted."""
    if subject.synthetic:
        return [_planted(subject, name, kind) for name, kind in subject.planted.items()]
    return [known for row in rows_of("known_faults", subject.source) for known in _documented(subject, row)]


def known_check(known: list[Known], synthetic: bool) -> Iterator[Check]:
    """One check over all of them: a fault that is there and not seen is a fault of the audit."""
    if not known:
        return
    missing = tuple(Finding(item.record_id, item.found, item.expected) for item in known if item.state == "missing")
    states = {state: sum(item.state == state for item in known) for state in ("found", "missing", "unseen", "absent")}
    expected = "every planted fault is found" if synthetic else "every documented fault that is there is found"
    since = "README.txt of the twin" if synthetic else "known_faults.csv"
    yield Check("known faults", "fault" if missing else "ok", expected, counted(states), since, missing)


def planted_in(readme: str) -> dict[str, str]:
    """Name of a record -> kind of fault, as a twin's README.txt lists them."""
    return dict(README_LINE.findall(readme.partition("Planted faults (")[2]))


def _documented(subject: Subject, row: dict[str, str]) -> Iterator[Known]:
    record_id, kind, word = row["record_id"], *row["expected"].partition(":")[::2]
    at = subject.records.index[subject.records["record_id"] == record_id]
    kept = subject.records.loc[at[0]] if len(at) else None
    reasons = subject.excluded["reason"][subject.excluded["record_id"] == record_id].tolist()
    if row["rate_hz"] and kept is not None and int(row["rate_hz"]) != kept["rate_hz"]:
        return
    flags = "no such record" if kept is None else f"flags: {kept['flags'] or 'none'}"
    expected, found = row["expected"], ", ".join(reasons) or flags
    if kind == "not_named":
        yield _known(row, "missing" if kept is not None or reasons else "found", "not named", found)
        return
    if kept is None and reasons in ([], ["absent"]):
        state = "absent"
    elif kind == "unseen":
        state, expected = "unseen", "no check sees it"
    elif kind == "excluded":
        state = "found" if word in reasons else "missing"
    elif kept is None:
        state = "missing"
    elif kind == "measure":
        expected, found = f"{word} {row['low']} to {row['high']}", f"{word} {kept[word]:g}"
        state = "found" if float(row["low"]) <= kept[word] <= float(row["high"]) else "missing"
    else:
        state = "found" if word in {flag.split(":")[0] for flag in kept["flags"].split()} else "missing"
    yield _known(row, state, expected, found)


def _known(row: dict[str, str], state: str, expected: str, found: str) -> Known:
    return Known(row["record_id"], state, expected, found, row["what"], row["since"])


def _planted(subject: Subject, name: str, kind: str) -> Known:
    """A planted fault is found where its record was left out for a reason that fits its kind."""
    fitting = [row["reason"] for row in rows_of("planted_faults", subject.source) if row["kind"] == kind]
    ids = ids_of(name)
    reasons = subject.excluded["reason"][subject.excluded["record_id"].isin(ids)].tolist()
    state = "found" if set(reasons) & set(fitting) else "missing"
    record_id = next((one for one in ids if one in set(subject.excluded["record_id"])), name)
    expected, found = f"excluded: {' or '.join(fitting)}", ", ".join(reasons) or "kept, or not named"
    return Known(record_id, state, expected, found, f"planted: {kind}", "README.txt of the twin")


def ids_of(name: str) -> list[str]:
    """Record ids that a twin's name of a record may mean: `A0001`, `7_1`, or 7 for `records500/00000/00007_hr`."""
    stem = name.rsplit("/", 1)[-1]
    number = re.fullmatch(r"0*(\d+)_[hl]r", stem)
    return [name, number[1]] if number else [name]
