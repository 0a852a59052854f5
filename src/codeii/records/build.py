"""Makes the record store of one source: reads its records shard by shard, lets them through the gates, gathers them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codeii.artifacts.manifest import load_manifest
from codeii.artifacts.raw_archive import read_raw_archive
from codeii.artifacts.record_store import gathered, write_record_shard, write_record_store
from codeii.records.quality import examine, refuse_faulty, refuse_wrong_unit
from codeii.schema.leads import LEADS
from codeii.schema.progress import progress
from codeii.schema.record import Card, Exclusion, Record
from codeii.schema.shard import Shard


def build_record_shard(raw: Path, source: str, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Read one shard of a source and write its records to `folder`. A bad record is excluded by name.

    raw : manifest of the raw archive; the shard's share of its files is verified, all shards together verify all
    source : a file of `sources/`
    settings : `layout` (passed to the source's reader) and `shard` (index and count)
    """
    shard = Shard(**settings["shard"])
    root, manifest = read_raw_archive(raw, shard)
    module = import_module(f"codeii.sources.{source}")
    found = judge_each(module.read_records(root, settings["layout"], shard), module.CARD)
    words = f"records of {source}" + (f", shard {shard.index}" if shard.count > 1 else "")
    write_record_shard(
        folder,
        progress(found, None, words),
        settings=settings,
        code=code,
        inputs=[raw],
        facts={"source": source, "card": asdict(module.CARD)},
        synthetic=manifest.synthetic,
    )


def gather_records(shards: Sequence[Path], source: str, settings: Mapping[str, Any], code: str, folder: Path) -> None:
    """Judge the shards of a source as a whole and write its record store to `folder`.

    shards : manifests, in their order; settings : `max_faulty_share`

    Raises ValueError when no record is left, when more than `max_faulty_share` of the records present are faulty, or
    when the amplitudes show that the unit of the whole source is wrong.
    """
    card: Card = import_module(f"codeii.sources.{source}").CARD
    records, excluded = gathered(shards)
    exclusions = [Exclusion(*row) for row in excluded.itertuples(index=False, name=None)]
    refuse_faulty(source, len(records), exclusions, float(settings["max_faulty_share"]))
    refuse_wrong_unit(source, (records["peak_to_peak_uv"] / 1e3).tolist(), card)
    write_record_store(
        folder,
        shards,
        settings=settings,
        code=code,
        facts={"source": source, "card": asdict(card), **summary(records, exclusions)},
        synthetic=any(load_manifest(path, "record_shard").synthetic for path in shards),
    )


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


def summary(records: pd.DataFrame, exclusions: Iterable[Exclusion]) -> dict[str, Any]:
    """Counts and ranges of the records kept, for the manifest and the data card.

    records : rows of the record store
    """
    reasons = Counter(exclusion.reason for exclusion in exclusions)
    flags = Counter(flag for of_record in records["flags"] for flag in of_record.split())
    seconds = (records["stop"] - records["start"]) / len(LEADS) / records["rate_hz"]
    return {
        "absent": reasons["absent"],
        "faulty": sum(reasons.values()) - reasons["absent"],
        "flags": dict(sorted(flags.items())),
        "rates_hz": {str(rate): int(n) for rate, n in sorted(Counter(records["rate_hz"]).items())},
        "sexes": {str(sex): int(n) for sex, n in sorted(Counter(records["sex"]).items())},
        "length_s": five_numbers(seconds),
        "largest_peak_to_peak_mv": five_numbers(records["peak_to_peak_uv"] / 1e3),
        "age_years": five_numbers(records["age_years"]),
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
