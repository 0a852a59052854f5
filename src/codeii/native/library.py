"""From a C source to a loaded shared library, or to None where there is none: then the caller's reference path runs.

The library is made by `cc` (or `$CC`) at first use and kept beside Python's own compiled files, under a name that
tells source, flags, compiler and processor apart, so that it is never wrong and needs no cleaning. Where that folder
cannot be written or run from, a folder of the user takes it. It is written whole or not at all: processes that
compile at once each make their own and the last rename wins, with the same content.
"""

import ctypes
import hashlib
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

VARIABLE = "CODEII_KERNEL"  # of the environment: `reference` keeps to Python
CHOICES = ("native", "reference")
# No two operations merged into one: rounding stays that of the Python path. Nothing here may reorder arithmetic.
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC")
HEADERS = Path(__file__).parent


def load_library(source: Path) -> ctypes.CDLL | None:
    """The library of one C file, compiled where that was not done yet; None where the reference path is to run.

    That is where `CODEII_KERNEL=reference` asks for it, and where no compiler is found or it fails: the latter are
    told once on standard error. Raises ValueError on another value of the variable.
    """
    wanted = os.environ.get(VARIABLE) or CHOICES[0]
    if wanted not in CHOICES:
        raise ValueError(f"{VARIABLE} of the environment is {wanted!r}; accepted are {', '.join(CHOICES)}")
    return None if wanted == "reference" else _load(source, os.environ.get("CC") or "cc")


@cache
def _load(source: Path, compiler: str) -> ctypes.CDLL | None:
    command = shlex.split(compiler)
    try:
        version = subprocess.run([*command, "--version"], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return _without(f"no C compiler: {compiler!r} does not run")
    name = f"{source.stem}.{_key(source, version)}.so"
    refusals = []
    for folder in (source.parent / "__pycache__", _folder_of_the_user()):
        try:
            return _from_folder(folder / name, source, command)
        except OSError as error:
            refusals.append(f"{folder}: {error.strerror or error}")
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            return _without(f"{compiler!r} cannot compile {source.name}: {said[0] if said else 'no message'}")
    return _without(f"no folder for the compiled {source.name} ({'; '.join(refusals)})")


def _from_folder(path: Path, source: Path, command: list[str]) -> ctypes.CDLL:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as scratch:
            made = Path(scratch) / path.name
            subprocess.run(
                [*command, *FLAGS, f"-I{HEADERS}", "-o", str(made), str(source)], capture_output=True, check=True
            )
            made.replace(path)
    return ctypes.CDLL(str(path))


def _key(source: Path, version: bytes) -> str:
    headers = [path.read_bytes() for folder in (HEADERS, source.parent) for path in sorted(folder.glob("*.h"))]
    parts = (source.read_bytes(), *headers, " ".join(FLAGS).encode(), version, _processor())
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def _processor() -> bytes:
    """What `-march=native` looks at: the first processor's description, or the architecture where there is none."""
    try:
        with Path("/proc/cpuinfo").open("rb") as file:
            lines = file.read(8192).split(b"\n\n")[0].splitlines()
    except OSError:
        lines = []
    telling = (b"vendor_id", b"model name", b"cpu family", b"model\t", b"stepping", b"flags", b"CPU ", b"Features")
    said = b"\n".join(line for line in lines if line.startswith(telling))
    return said or f"{platform.machine()} {platform.processor()}".encode()


def _folder_of_the_user() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "codeii"


@cache
def _without(reason: str) -> None:
    print(f"{reason}; going on in Python: the same values, slower", file=sys.stderr)
