"""State of an unfinished run, in its scratch folder: written whole, hashed, bound to what the run was made of.

`state-<step>.safetensors` holds weights, best weights and AdamW's moments, with the position as JSON in its
header; `state-<step>.sha256` beside it is written last. The order of records and dropout are functions of the step,
so no random state is kept. Pickle is not used: reading a state runs no code.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from codeii.artifacts.atomic import whole_file, write_text
from codeii.artifacts.manifest import sha256_of
from codeii.training.schedule import EpochRow

KEPT = 2


@dataclass(slots=True)
class Position:
    """How far a run has come, and the best weights on the way."""

    step: int = 0  # batches done
    loss_sum: float = 0.0  # of the batches of the epoch under way
    history: list[EpochRow] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def fingerprint_of(parts: Mapping[str, object]) -> str:
    """Hash of everything a run's result depends on; a state with another one is foreign."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def save(folder: Path, fingerprint: str, position: Position, network: nn.Module, moments: Mapping[str, Tensor]) -> None:
    """Write the state of a run and remove all but the newest two."""
    parts = {"network": network.state_dict(), "best": position.best, "moments": moments}
    tensors = {f"{part}/{name}": value for part, named in parts.items() for name, value in named.items()}
    told = {"step": position.step, "loss_sum": position.loss_sum, "history": [asdict(row) for row in position.history]}
    path = folder / f"state-{position.step:012d}.safetensors"
    with whole_file(path) as temporary:
        contiguous = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        save_file(contiguous, temporary, {"fingerprint": fingerprint, "position": json.dumps(told)})
    write_text(path.with_suffix(".sha256"), sha256_of(path) + "\n")
    for old in sorted(folder.glob("state-*.safetensors"))[:-KEPT]:
        _remove(old)


def load(folder: Path, fingerprint: str, network: nn.Module, moments: dict[str, Tensor]) -> Position:
    """Put network and moments where the newest sound state left them; the beginning where there is none.

    A state that is torn, changed or of another run is passed over with a sentence on standard error.
    """
    for path in sorted(folder.glob("state-*.safetensors"), reverse=True):
        fault = _fault_of(path, fingerprint)
        if fault is None:
            return _restore(path, network, moments)
        print(f"{path}: {fault}; passed over", file=sys.stderr)
    return Position()


def clear(folder: Path) -> None:
    """Remove the states of a finished run, and what a killed writer left."""
    for path in folder.glob("state-*.safetensors"):
        _remove(path)
    for path in folder.glob(".state-*.tmp.*"):
        path.unlink(missing_ok=True)


def _fault_of(path: Path, fingerprint: str) -> str | None:
    beside = path.with_suffix(".sha256")
    if not beside.is_file() or beside.read_text(encoding="utf-8").strip() != sha256_of(path):
        return "the state is torn or changed (its sha256 does not fit)"
    try:
        with safe_open(path, "pt") as file:
            found = (file.metadata() or {}).get("fingerprint")
    except SafetensorError as error:
        return f"the state cannot be read ({error})"
    return None if found == fingerprint else "the state is of another run (settings, inputs or code differ)"


def _restore(path: Path, network: nn.Module, moments: dict[str, Tensor]) -> Position:
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["position"])
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "moments": {}}
    for key, value in load_file(path).items():
        part, name = key.split("/", 1)
        parts[part][name] = value
    network.load_state_dict(parts["network"], strict=True)
    moments.update({name: value.to(moments[name].device) for name, value in parts["moments"].items()})
    history = [EpochRow(**row) for row in told["history"]]
    return Position(told["step"], told["loss_sum"], history, parts["best"])


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_suffix(".sha256").unlink(missing_ok=True)
