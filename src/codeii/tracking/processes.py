"""Whether the process of a run still lives, as far as one machine can tell."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from codeii.artifacts.events import this_process

CLOCK_SLACK_S = 2.0  # the kernel gives the time of its boot in whole seconds
GONE = ("Z", "X")  # states of a process that is dead and not yet reaped


def is_dead(start: Mapping[str, Any]) -> bool:
    """True where the process that wrote an event `start` has surely ended; never for another host's.

    A process of the same number that was started after the event is another one.
    """
    here = this_process()
    if start.get("host") != here["host"]:
        return False
    if start.get("boot_id") and start["boot_id"] != here["boot_id"]:
        return True
    pid = int(start["pid"])
    return not _is_there(pid) or _started_after(pid, datetime.fromisoformat(start["time"]).timestamp())


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _started_after(pid: int, seconds: float) -> bool:
    """Whether the process was started after a time, or is dead already; False where /proc does not say."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text(encoding="ascii").splitlines() if "btime" in line)
    except OSError:
        return False
    started = float(boot.split()[1]) + int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    return after_name[0] in GONE or started > seconds + CLOCK_SLACK_S
