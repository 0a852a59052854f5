"""State of an unfinished run, in its scratch folder: written whole, hashed, bound to what the run was made of.

Each run has a folder of its own, named by a hash of its settings, inputs, code and environment; states of other runs
beside it are left as they are. `state-<step>.safetensors` holds the tensors, with position and makings as JSON in its
header; `state-<step>.sha256` beside it is written last. The order of records, dropout and augmentation are functions
of the step, so no random state is kept. Pickle is not used: reading a state runs no code.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from codeii.artifacts.atomic import whole_file, write_text
from codeii.artifacts.manifest import sha256_of
from codeii.training.schedule import EpochRow

KEPT, SHOWN = 2, 5
Parts = Mapping[str, Mapping[str, Tensor]]


@dataclass(slots=True)
class Position:
    """How far a run has come, and the best weights on the way."""

    step: int = 0  # batches done
    loss_sum: float = 0.0  # of the batches of the epoch under way
    history: list[EpochRow] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def folder_of(scratch: Path, made_of: Mapping[str, Any]) -> Path:
    """Where the states of the run with these makings lie: everything its result depends on, as JSON values."""
    return scratch / hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def save(scratch: Path, made_of: Mapping[str, Any], position: Position, parts: Parts) -> None:
    """Write the state of a run and remove all but the newest two. parts : tensors by kind and name."""
    named = {**parts, "best": position.best}
    tensors = {f"{part}/{name}": value for part, of_part in named.items() for name, value in of_part.items()}
    told = {"step": position.step, "loss_sum": position.loss_sum, "history": [asdict(row) for row in position.history]}
    path = folder_of(scratch, made_of) / f"state-{position.step:012d}.safetensors"
    with whole_file(path) as temporary:
        contiguous = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        save_file(contiguous, temporary, {"made_of": json.dumps(made_of), "position": json.dumps(told)})
    write_text(path.with_suffix(".sha256"), sha256_of(path) + "\n")
    for old in _states(path.parent)[:-KEPT]:
        _remove(old)


def load(scratch: Path, made_of: Mapping[str, Any]) -> tuple[Position, Parts]:
    """Position and tensors of the newest sound state; the beginning and no tensors where there is none.

    Standard error says so where a state is torn or changed, which removes it, and where there is none of this run
    but one of another: what differs between the two.
    """
    folder = folder_of(scratch, made_of)
    _sweep(folder)
    for path in reversed(_states(folder)):
        fault = _fault_of(path)
        if fault is None:
            return _read(path)
        print(f"{path}: {fault}; passed over and removed", file=sys.stderr)
        _remove(path)
    for other in sorted({path.parent for path in scratch.glob("*/state-*.safetensors")}):
        _tell_difference(_states(other)[-1], made_of)
    return Position(), {}


def load_again(scratch: Path, made_of: Mapping[str, Any]) -> tuple[Position, Parts]:
    """What `load` found, for another process of the same run; nothing is looked into, said or removed once more."""
    states = _states(folder_of(scratch, made_of))
    return _read(states[-1]) if states else (Position(), {})


def clear(scratch: Path, made_of: Mapping[str, Any]) -> None:
    """Remove the states of a finished run; those of other runs stay."""
    folder = folder_of(scratch, made_of)
    for path in folder.glob("state-*"):
        path.unlink(missing_ok=True)
    _sweep(folder)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def differences(found: Mapping[str, Any], expected: Mapping[str, Any], before: str = "") -> list[str]:
    """One phrase per value that differs between two nested mappings, `settings.seed was 9, is 0`."""
    told: list[str] = []
    for name in sorted(found.keys() | expected.keys()):
        old, new = found.get(name), expected.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            told += differences(old, new, f"{before}{name}.")
        elif old != new:
            told.append(f"{before}{name} was {old}, is {new}")
    return told


def _sweep(folder: Path) -> None:
    """Remove what a killed writer left."""
    for path in folder.glob(".state-*.tmp.*"):
        path.unlink(missing_ok=True)


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"))


def _fault_of(path: Path) -> str | None:
    beside = path.with_suffix(".sha256")
    if not beside.is_file() or beside.read_text(encoding="utf-8").strip() != sha256_of(path):
        return "the state is torn or changed (its sha256 does not fit)"
    return None


def _read(path: Path) -> tuple[Position, Parts]:
    told = json.loads(_header(path)["position"])
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in load_file(path).items():
        part, name = key.split("/", 1)
        parts.setdefault(part, {})[name] = value
    best = parts.pop("best", {})
    return Position(told["step"], told["loss_sum"], [EpochRow(**row) for row in told["history"]], best), parts


def _tell_difference(path: Path, made_of: Mapping[str, Any]) -> None:
    try:
        told = differences(json.loads(_header(path)["made_of"]), made_of)
    except (SafetensorError, KeyError):  # torn, and none of ours
        return
    shown = "; ".join(told[:SHOWN]) + (f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else "")
    print(f"{path}: the state of another run ({shown}); it stays, and this run starts anew", file=sys.stderr)


def _header(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_suffix(".sha256").unlink(missing_ok=True)
