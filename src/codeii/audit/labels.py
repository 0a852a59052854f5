"""Grammar of the statements: known words, each once, none missing, none that contradict each other."""

from collections import Counter
from collections.abc import Iterator

from codeii.artifacts.audit import Check, Finding
from codeii.audit.subject import Subject, counted, noted, published, rows_of
from codeii.schema.labels import to_targets

UNUSUAL = 0.05  # where fewer records than this share have no statement, those are listed


def label_checks(subject: Subject) -> Iterator[Check]:
    """Do the statements keep to the source's vocabulary and make sense together?"""
    if subject.records.empty:
        return
    yield from _number(subject)
    if subject.label_sets:
        yield _vocabulary(subject)
    yield from _of_flags(subject)
    yield _present(subject)
    yield _contradictions(subject)
    yield from _likelihoods(subject)
    for label_set in subject.label_sets:
        positives = to_targets(label_set, subject.statements).sum(axis=0)
        yield from published(
            subject, f"class {label_set.name}", dict(zip(label_set.classes, map(int, positives), strict=True))
        )


def _ids(subject: Subject) -> list[str]:
    return [str(record_id) for record_id in subject.records["record_id"]]


def _number(subject: Subject) -> Iterator[Check]:
    """How many different words there are, where their number is published."""
    words = {word for statements in subject.statements for word in statements}
    for row in (row for row in rows_of("published", subject.source) if row["quantity"] == "statements"):
        most = int(row["high"])
        found = f"{len(words):,} in {len(subject.statements):,} records"
        verdict = "fault" if len(words) > most else "ok"
        yield Check("number of statements", verdict, f"at most {most:,} different ones", found, row["since"])


def _vocabulary(subject: Subject) -> Check:
    known = {word for label_set in subject.label_sets for word in label_set.classes_of}
    names = ", ".join(label_set.name for label_set in subject.label_sets)
    expected = f"a statement of the label sets {names}"
    findings, odd = [], Counter[str]()
    for record_id, statements in zip(_ids(subject), subject.statements, strict=True):
        for word in statements:
            if word not in known:
                odd[word] += 1
                findings.append(Finding(record_id, word, expected))
    found = f"unknown: {counted(odd)}" if odd else "all are"
    return noted("statements are known", expected, found, "label sets of the study's tasks", tuple(findings))


def _of_flags(subject: Subject) -> Iterator[Check]:
    expected = "each statement once, no empty one"
    findings = subject.flagged("statement_twice", "statement_empty", expected=expected)
    kinds = Counter(subject.flags["kind"])
    told = counted({kind: kinds[kind] for kind in ("statement_twice", "statement_empty")})
    yield noted("statements are given once", expected, told, "grammar of the source", findings)


def _present(subject: Subject) -> Check:
    without = [record_id for record_id, said in zip(_ids(subject), subject.statements, strict=True) if not said]
    share = len(without) / len(subject.records)
    found = f"{len(without):,} records without any ({share:.1%})"
    expected = "a statement of every record" if share < UNUSUAL else "records without any are usual here"
    listed = tuple(Finding(record_id, "none", expected) for record_id in without) if share < UNUSUAL else ()
    return noted("statements are there", expected, found, "metadata of the source", listed)


def _contradictions(subject: Subject) -> Check:
    """Pairs of `contradictions.csv`; `*` stands for any other statement."""
    pairs: dict[str, list[dict[str, str]]] = {}
    for row in rows_of("contradictions", subject.source):
        pairs.setdefault(row["one"], []).append(row)
    findings, kinds = [], Counter[str]()
    for record_id, said in zip(_ids(subject), subject.statements, strict=True):
        for row in (row for word in said for row in pairs.get(word, ())):
            others = set(said) - {row["one"]} if row["other"] == "*" else {row["other"]} & set(said)
            if others:
                found = " and ".join([row["one"], *sorted(others)])
                kinds[found] += 1
                findings.append(Finding(record_id, found, row["why"]))
    expected = "none of the pairs that exclude each other" if pairs else "no pairs are declared"
    return noted("statements agree", expected, counted(kinds), "contradictions.csv", tuple(findings))


def _likelihoods(subject: Subject) -> Iterator[Check]:
    values = [(at, word, value) for at, said in enumerate(subject.statements) for word, value in said.items()]
    given = [(at, word, value) for at, word, value in values if value is not None]
    if not given:
        return
    ids = _ids(subject)
    odd = tuple(
        Finding(ids[at], f"{word}: {value:g}", "0 to 100 percent") for at, word, value in given if not 0 <= value <= 100
    )
    found = f"{len(odd):,} of {len(given):,} outside"
    yield Check("likelihoods", "fault" if odd else "ok", "0 to 100 percent", found, "card of the source", odd)
