"""Names of files that come from outside, from a publisher's list or an archive: none may leave its folder."""

import re
import unicodedata
from collections.abc import Iterable

from codeii.artifacts.manifest import NAME
from codeii.artifacts.raw_archive import FETCHED, SUMS

_LONGEST = 220  # bytes of one component: file systems have 255, and temporary names beside are longer
_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # surrogates stand for bytes that are no text


def safe_name(name: str, where: str) -> str:
    """`name` as a path below its folder, with forward slashes and without `.` components.

    Raises ValueError, naming `where` it comes from, for a path that is absolute, climbs out with `..`, has a drive
    letter, a backslash, a control character, an empty or overlong component, or nothing left.
    """
    parts = [part for part in name.removesuffix("/").split("/") if part != "."]
    fault = _fault_of(name, parts)
    if fault:
        raise ValueError(f"{where}: refused, the file name {name[:120]!r} {fault}")
    return "/".join(parts)


def _fault_of(name: str, parts: list[str]) -> str:
    if name.startswith("/"):
        return "is absolute"
    if ".." in parts:
        return "climbs out of its folder"
    if _DRIVE.match(name):
        return "has a drive letter"
    if "\\" in name:
        return "has a backslash"
    if _CONTROL.search(name):
        return "has a control character or bytes that are no text"
    if not parts or "" in parts:
        return "is empty or has an empty component"
    if any(len(part.encode()) > _LONGEST for part in parts):
        return f"has a component of more than {_LONGEST} bytes"
    return ""


def refuse_clashes(names: Iterable[str], where: str) -> None:
    """Raise ValueError where two names are one file on some disk: equal, by case alone, or a file and a folder."""
    seen: dict[str, str] = {}
    for name in names:
        key = _as_on_any_disk(name)
        if key in seen:
            said = "occurs twice" if seen[key] == name else f"differs from {seen[key]!r} by case alone"
            raise ValueError(f"{where}: refused, the file name {name!r} {said}")
        seen[key] = name
    for key, name in seen.items():
        parts = key.split("/")
        above = next((seen["/".join(parts[:n])] for n in range(1, len(parts)) if "/".join(parts[:n]) in seen), None)
        if above is not None:
            raise ValueError(f"{where}: refused, {above!r} is a file and the folder of {name!r}")


def refuse_ours(names: Iterable[str], where: str) -> None:
    """Raise ValueError where a published file has the name of one that the study writes itself."""
    ours = {_as_on_any_disk(name) for name in (NAME, SUMS, FETCHED)}
    for name in names:
        if _as_on_any_disk(name).split("/")[0] in ours:
            raise ValueError(f"{where}: refused, the file name {name!r} is one the study writes beside the data")


def _as_on_any_disk(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
