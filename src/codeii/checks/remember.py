"""Check the tree and keep what makes the next check quick: hashes by signature, and a receipt if all is well."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from codeii.artifacts.manifest import IntegrityError
from codeii.checks.hashes import Hashes, remember_hashes, remembered_hashes
from codeii.checks.receipt import Signature, drop_receipts, settled, signature, write_receipt
from codeii.checks.verify import Verdict, verify
from codeii.workflow.awaiting import not_run_words
from codeii.workflow.load import load_params
from codeii.workflow.plugins import PACKAGE

LOCKS = PACKAGE.parents[1] / "envs"


def verified(params: list[Path], stage: str | None, full: bool, words: Sequence[str]) -> str:
    """Check the tree below the working directory and say so.

    full : read every file again, whatever is remembered of it.
    words : the command as a receipt is filed under.

    Raises IntegrityError with one sentence per fault.
    """
    ground = _signatures(_ground_of(params))
    started_ns = time.time_ns()
    hashes = Hashes({}) if full else remembered_hashes()
    study = load_params(params)
    found = verify(study, stage, hashes.of)
    said = "\n".join([_in_words(found), *not_run_words(study)])
    try:
        remember_hashes(hashes)
        if found.faults:
            drop_receipts()
        elif all(hashes.lasting.values()) and all(settled(entry, started_ns) for entry in ground.values()):
            entries = {name: entry for name, (entry, _) in hashes.seen.items()}
            write_receipt(words, f"{said} (no file changed since; --full reads all again)", {**ground, **entries})
    except OSError as error:
        said += f"\nnote: nothing is remembered for the next time: {error}"
    if found.faults:
        raise IntegrityError("\n".join([*found.faults, f"{len(found.faults)} faults"]))
    return said


def _in_words(found: Verdict) -> str:
    said = f"verified: {found.artefacts} artefacts, {found.bytes_listed / 1e6:.0f} MB, all current"
    if found.of_other_environments:
        note = f"note: {found.of_other_environments} artefacts were made in another environment than this one"
        return f"{note}\n{said}"
    return said


def _ground_of(params: list[Path]) -> Iterator[Path]:
    """What a verdict rests on besides the tree: parameters, the package, the locks, the installed packages."""
    import pydantic

    yield from params
    yield Path(pydantic.__file__).parents[1]  # an installation adds or removes a folder here
    yield from (LOCKS, *LOCKS.glob("*.lock"))
    yield from (path for path in (PACKAGE, *PACKAGE.rglob("*")) if "__pycache__" not in path.parts)


def _signatures(paths: Iterator[Path]) -> dict[str, Signature]:
    found = {}
    for path in paths:
        with suppress(OSError):  # what is absent is a fault of its own
            found[str(path)] = signature(str(path))
    return found
