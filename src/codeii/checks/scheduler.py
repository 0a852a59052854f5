"""Ask Snakemake what it would make, and tell it what is current. Nothing here lets it run a job."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from codeii.workflow.rules import ROOT


def touch(targets: Sequence[str], params: Sequence[Path]) -> None:
    """Mark exactly these files, which exist, as made just now by the present rules, settings and code.

    Raises ValueError with Snakemake's own words where it refuses, for instance because another one runs here.
    """
    _snakemake(params, "--quiet", "host", "--touch", "--force", "--", *targets)


def planned(targets: Sequence[str], params: Sequence[Path]) -> dict[str, int]:
    """Jobs by rule that Snakemake would run for the targets (none given: the whole study); runs none of them."""
    output = _snakemake(params, "--dry-run", "--quiet", "host", "--", *targets)
    if "Nothing to be done" in output:
        return {}
    _, found, table = output.partition("Job stats:")
    if not found:
        raise ValueError(f"Snakemake's dry run is not understood:\n{output[-2000:]}")
    jobs = re.findall(r"^(\w+) +(\d+)$", table.partition("\ntotal")[0], re.MULTILINE)
    return {rule: int(count) for rule, count in jobs if not rule.startswith("all")}


def _snakemake(params: Sequence[Path], *arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
    command += ["--configfile", *map(str, params), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"Snakemake ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr
