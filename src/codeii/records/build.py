"""Makes the record store of one source: reads every record its metadata names, and lets it through the gates."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.raw_archive import read_raw_archive
from codeii.artifacts.record_store import write_record_store
from codeii.records.quality import examine, refuse_faulty, refuse_wrong_unit
from codeii.schema.progress import progress
from codeii.schema.record import Card, Exclusion, Record


def build_records(raw: Path, source: str, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Read a source and write its record store to `folder`.

    raw : manifest of the raw archive
    source : a file of `sources/`
    settings : `layout` (passed to the source's reader) and `max_faulty_share`

    Raises ValueError when no record is left, when more than `max_faulty_share` of the records present are faulty, or
    when the amplitudes show that the unit of the whole source is wrong. A single bad record is excluded by name.
    """
    root, manifest = read_raw_archive(raw)
    module = import_module(f"codeii.sources.{source}")
    found = module.read_records(root, settings["layout"])
    facts: dict[str, Any] = {"source": source, "card": asdict(module.CARD)}
    write_record_store(
        folder,
        # adds to `facts` while the records pass; the door reads them after the last
        _judged(found, source, module.CARD, float(settings["max_faulty_share"]), facts),
        settings=settings,
        code=code,
        inputs=[raw],
        facts=facts,
        synthetic=manifest.synthetic,
    )


def _judged(
    found: Iterable[Record | Exclusion], source: str, card: Card, max_faulty_share: float, facts: dict[str, Any]
) -> Iterator[Record | Exclusion]:
    """Every record that passes and every exclusion, in order; after the last, judges the whole and fills `facts`."""
    kept: list[tuple[int, float, float, float, str, tuple[str, ...]]] = []
    exclusions: list[Exclusion] = []
    for item in progress(judge_each(found, card), None, f"records of {source}"):
        if isinstance(item, Exclusion):
            exclusions.append(item)
        else:
            seconds = item.signal_uv.shape[1] / item.rate_hz
            assert item.measures is not None  # `examine` measured it
            largest_mv = item.measures.peak_to_peak_uv / 1e3
            kept.append((item.rate_hz, seconds, largest_mv, item.age_years, item.sex, item.flags))
        yield item
    refuse_faulty(source, len(kept), exclusions, max_faulty_share)
    table = pd.DataFrame(kept, columns=["rate_hz", "seconds", "largest_mv", "age_years", "sex", "flags"])
    refuse_wrong_unit(source, table["largest_mv"].tolist(), card)
    facts.update(summary(table, exclusions))


def judge_each(found: Iterable[Record | Exclusion], card: Card) -> Iterator[Record | Exclusion]:
    """Pass every record through the gates of `quality.examine`; of an id given twice, the first stays."""
    seen: set[str] = set()
    for item in found:
        if isinstance(item, Exclusion):
            yield item
        elif item.record_id in seen:
            yield Exclusion(item.record_id, "duplicate_id", "record_id", "given more than once", "one record per id")
        else:
            seen.add(item.record_id)
            yield examine(item, card)


def summary(table: pd.DataFrame, exclusions: Iterable[Exclusion]) -> dict[str, Any]:
    """Counts and ranges of the records kept, for the manifest and the data card.

    table : one row per record kept: rate_hz, seconds, largest_mv, age_years, sex, flags
    """
    reasons = Counter(exclusion.reason for exclusion in exclusions)
    flags = Counter(flag for of_record in table["flags"] for flag in of_record)
    return {
        "absent": reasons["absent"],
        "faulty": sum(reasons.values()) - reasons["absent"],
        "flags": dict(sorted(flags.items())),
        "rates_hz": {str(rate): int(n) for rate, n in sorted(Counter(table["rate_hz"]).items())},
        "sexes": {str(sex): int(n) for sex, n in sorted(Counter(table["sex"]).items())},
        "length_s": five_numbers(table["seconds"]),
        "largest_peak_to_peak_mv": five_numbers(table["largest_mv"]),
        "age_years": five_numbers(table["age_years"]),
    }


def five_numbers(values: pd.Series) -> dict[str, float | int]:
    """Minimum, quartiles and maximum of the known values, and the number of unknown ones."""
    known = values.dropna().to_numpy(np.float64)
    names = ("minimum", "lower_quartile", "median", "upper_quartile", "maximum")
    quantiles = np.quantile(known, (0, 0.25, 0.5, 0.75, 1)) if len(known) else ()
    return {
        **{name: round(float(value), 6) for name, value in zip(names, quantiles, strict=False)},
        "unknown": int(values.isna().sum()),
    }
