"""How fast WFDB records are read, against the wfdb package and against the least that a file asks for.

Run: python benchmarks/reading.py [--records 200] [--rounds 7]

Both sides give the same numbers, which is checked before the clock starts. Ours verifies every checksum, which the
package does not, and refuses what the package lets pass. The least is to open, read and close the signal file, its
header left aside. Records are read one after the other and let go, as a job does it, from files that the system
keeps in memory. One process, one thread.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from harness import PROCESSOR, WALL, both_clocks, ratios, report

from codeii.formats.wfdb import read_record
from codeii.schema.leads import LEADS

SAMPLES = 5000  # 10 s at 500 Hz
CHECKED = 20  # records that are compared before the clock starts
PACKAGE, FLOOR = "wfdb.rdrecord", "open, read, close"
FORMS = {  # file, format and gain as PTB-XL and as the PhysioNet Challenge write them, bytes before the samples
    "WFDB format 16, as PTB-XL": (".dat", "16", "1000.0(0)/mV", 0),
    "MATLAB 4 int16, as the Challenge": (".mat", "16+24", "1000/mV", 24),
}
NOTES = "#Age: 74\n#Sex: Male\n#Dx: 59118001\n#Rx: Unknown\n#Hx: Unknown\n#Sx: Unknown\n"


def write_records(folder: Path, count: int, suffix: str, form: str, gain: str, before: int) -> list[Path]:
    """Records of drift and noise, their headers with true checksums."""
    rng = np.random.default_rng(0)
    stems = [folder / f"A{number:05d}" for number in range(count)]
    for stem in stems:
        walk = rng.normal(0, 20, (len(LEADS), SAMPLES)).cumsum(axis=1)
        signal = np.clip(walk, -32_767, 32_767).astype("<i2")
        lines = [f"{stem.name} 12 500 {SAMPLES}"]
        for row, lead in zip(signal, LEADS, strict=True):
            checksum = int(row.astype(np.int64).sum()) & 0xFFFF
            lines.append(f"{stem.name}{suffix} {form} {gain} 16 0 {row[0]} {checksum} 0 {lead}")
        Path(f"{stem}.hea").write_text("\n".join(lines) + "\n" + (NOTES if before else ""))
        Path(f"{stem}{suffix}").write_bytes(bytes(before) + np.ascontiguousarray(signal.T).tobytes())
    return stems


def open_read_close(path: str, room: bytearray) -> None:
    file = os.open(path, os.O_RDONLY)
    os.readv(file, [room])
    os.close(file)


def repeat(read: Callable[[Any], object], paths: Iterable[Any]) -> None:
    for path in paths:
        read(path)


def compare(folder: Path, form: str, records: int, rounds: int) -> str:
    import wfdb

    suffix = FORMS[form][0]
    stems = [str(stem) for stem in write_records(folder, records, *FORMS[form])]
    for stem in stems[:CHECKED]:
        theirs = np.rint(wfdb.rdrecord(stem).p_signal.T * 1000)
        if not np.array_equal(read_record(Path(stem)).signal_uv, theirs):
            raise SystemExit(f"{form}: the two readers differ on {stem}")
    room, paths = bytearray(1 << 20), [Path(stem) for stem in stems]
    contestants = {
        PACKAGE: lambda: repeat(wfdb.rdrecord, stems),
        "ours": lambda: repeat(read_record, paths),
        FLOOR: lambda: repeat(lambda stem: open_read_close(stem + suffix, room), stems),
    }
    wall, processor = both_clocks(contestants, rounds)
    floor = sorted(ratios(processor, "ours", FLOOR))
    said = f"ours takes {median(floor):.2f} ({floor[0]:.2f}, {floor[-1]:.2f}) times as long as {FLOOR}"
    tables = [report(processor, PACKAGE, records, "record", PROCESSOR), report(wall, PACKAGE, records, "record", WALL)]
    return "\n".join([*tables, said])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{form}; {arguments.records} records of 10 s, {arguments.rounds} rounds")
            print(compare(Path(folder), form, arguments.records, arguments.rounds) + "\n")


if __name__ == "__main__":
    main()
