"""A licence is shown before the first fetch and accepted once; the acceptance is a file of the person's own tree."""

import json
import sys
from datetime import date
from pathlib import Path

from codeii.artifacts.atomic import write_json
from codeii.schema.published import Primary

FOLDER = Path("data/licences")  # outside data/raw: whoever pulls the data accepts for themselves


def accept(source: str, version: str, primary: Primary, said_yes: bool) -> None:
    """Return where the licence is accepted: on the command line, at the terminal, or in a recorded acceptance.

    Raises ValueError that says what to add where nobody can be asked, or the answer is no.
    """
    record = FOLDER / f"{source}.json"
    asked = {"source": source, "version": version, "licence": primary.licence.name}
    if record.is_file() and _without_date(record) == asked:
        return
    text = licence_text(source, version, primary)
    print(text, file=sys.stderr, flush=True)
    if not said_yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ValueError(
            f"the licence of {source} {version} ({primary.licence.name}, above) is not accepted yet; to accept it, run "
            f"once, in the project's folder and with the --params of your study: codeii fetch {source} "
            f"--accept-licence --directory {Path.cwd()}"
        )
    if not said_yes and input("Accept? [y/N] ").strip().lower() not in ("y", "yes"):
        raise ValueError(f"the licence of {source} {version} was not accepted; nothing was fetched")
    write_json(record, {**asked, "accepted": date.today().isoformat()})


def licence_text(source: str, version: str, primary: Primary) -> str:
    """What is shown: the licence, where its text is, what it asks, and whose data these are."""
    licence = primary.licence
    return f"{source} {version}, from {primary.page}\nLicence: {licence.name}, {licence.address}\n{licence.terms}"


def _without_date(record: Path) -> dict[str, str]:
    try:
        found = dict(json.loads(record.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{record}: not a recorded acceptance; remove it and accept again") from error
    found.pop("accepted", None)
    return found
