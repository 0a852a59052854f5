"""CODE-II-test: 8,475 exams of 8,475 patients, none of them in CODE-II, annotated by several cardiologists.

The signals are public and the labels are withheld: predictions are handed in for scoring. Tracings are as in
CODE-II-open.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from codeii.formats.declared import read_declared
from codeii.schema.record import Card, Exclusion, Record
from codeii.schema.shard import WHOLE, Shard

CARD = Card(
    title="CODE-II-test",
    version="1.0",
    doi="10.1038/s41746-026-02704-4 (the paper; the data set's own is not known)",
    licence="CC BY-NC-SA 4.0",
    records=8_475,
    patients=8_475,
    rates_hz=(300, 500, 600, 1000),
    mains_hz=60,
    lead_spelling="twelve standard leads; spelling and order as declared",
    unit="as declared, or as the WFDB headers say",
    statements="withheld",
    split_protocol="all of it is a test set; no patient overlaps with CODE-II",
    known_issues=(
        "the public file format and the order of the leads are not documented: the layout is declared in params.yaml",
        "lists in circulation give 500 Hz, 10 s and CC BY 4.0: all three contradict the authors' README",
        "records counts exams: an exam has up to four tracings, and each becomes a record",
    ),
    citation="Abreu PEOGB, Paixao GMM, Li J, et al. CODE-II: a large-scale dataset for artificial intelligence in ECG "
    "analysis. npj Digital Medicine (2026), doi 10.1038/s41746-026-02704-4; arXiv:2511.15632.",
)


def read_records(raw: Path, options: Mapping[str, object], shard: Shard = WHOLE) -> Iterator[Record | Exclusion]:
    """Every tracing of every exam that the declared table names, in its order; record_id is `<exam_id>_<tracing>`.

    options : the declared layout, see `codeii.formats.layout.Layout`. Raises ValueError, naming the key, where a
    declaration is missing, and naming the file where the table is absent.
    """
    return read_declared(raw, options, "code_ii_test", CARD.rates_hz, shard)
