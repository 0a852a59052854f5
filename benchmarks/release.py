"""A release in the form of PTB-XL for benchmarks: as many 500 Hz records as wanted, quickly made and all different.

The heartbeats are those of a few simulated exams; every record adds its own small noise, so that no two files are
equal and none compresses better than a real one.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from codeii.synthetic.population import population
from codeii.synthetic.wfdb_files import to_counts, write_wfdb

DIFFERENT = 100
LEAD_NAMES = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
HEADER = "ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_hr"


def signals(count: int) -> Iterator[np.ndarray]:
    """(12, 5000) int16 in uV of `count` records."""
    hearts = [to_counts(exam.tracings_mv[0]) for exam in population("ptbxl", min(DIFFERENT, count), 0)]
    generator = np.random.default_rng(0)
    for number in range(count):
        heart = hearts[number % len(hearts)]
        yield heart + generator.integers(-4, 5, heart.shape, np.int16)


def write_release(folder: Path, count: int) -> list[str]:
    """Write the records and their table. Returns the names of the 500 Hz records, without suffix."""
    lines, names = [HEADER], []
    for number, counts in enumerate(signals(count), start=1):
        name = f"records500/{number // 1000 * 1000:05d}/{number:05d}_hr"
        stem = folder / name
        stem.parent.mkdir(parents=True, exist_ok=True)
        write_wfdb(stem, counts, 500, LEAD_NAMES)
        names.append(name)
        lines.append(f"{number},{number}.0,60.0,0,\"{{'NORM': 100.0}}\",{number % 10 + 1},{name}")
    (folder / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    return names
