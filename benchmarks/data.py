"""The data engine, stage by stage, each against the field's usual way: every part of docs/benchmarks.md in one command.

Run: python benchmarks/data.py [--scale]

Each part is a program of its own and can be run alone; they run one after the other, as nothing else should run
beside them. About a quarter of an hour on two cores; `--scale` adds releases of up to 100,000 records (45 GB of disk
for a while, a quarter of an hour more).
"""

import argparse
import subprocess
import sys
from pathlib import Path

from harness import ROOT

PARTS = (
    ("reading.py",),
    ("preprocessing.py",),
    ("conversion.py", "--records", "6000"),
    ("conversion.py", "--records", "20000"),
    ("loading.py",),
    ("duplicates.py",),
    ("verify.py",),
)
SCALE = (("scale.py",),)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", action="store_true", help="also the releases of up to 100,000 records")
    for part in (*PARTS, *(SCALE if parser.parse_args().scale else ())):
        print(f"\n## {' '.join(part)}\n", flush=True)
        subprocess.run([sys.executable, str(Path("benchmarks") / part[0]), *part[1:]], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
