"""What a run says about itself while it goes on: to the log of its events and to whoever looks on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from codeii.artifacts import events
from codeii.training.resume import Position
from codeii.training.schedule import Plan

STATUS = Path("/proc/self/status")


@dataclass(slots=True)
class Watch:
    """Measures one epoch after the other."""

    began: float = field(default_factory=time.monotonic)
    waited_s: float = 0.0  # for batches
    records: int = 0

    @contextmanager
    def waiting(self, records: int) -> Iterator[None]:
        """Count the time of the block as waiting for so many records."""
        began = time.monotonic()
        yield
        self.waited_s += time.monotonic() - began
        self.records += records

    def lap(self) -> dict[str, float | None]:
        """Facts of the epoch that ends now, as far as this process ran it, validation included."""
        now = time.monotonic()
        seconds = max(now - self.began, 1e-9)
        told = {"seconds": seconds, "records_per_s": self.records / seconds, "loader_share": self.waited_s / seconds}
        self.began, self.waited_s, self.records = now, 0.0, 0
        return {**told, "memory_mb": peak_memory_mb(), "gpu_memory_mb": peak_gpu_memory_mb()}


@contextmanager
def faults_told(scratch: Path) -> Iterator[None]:
    """Add an event "stopped" with the reason when the block ends with an error, which goes on."""
    try:
        yield
    except Exception as error:
        events.append(scratch, "stopped", reason=f"{type(error).__name__}: {error}")
        raise


def peak_memory_mb() -> float | None:
    """Most memory this process ever held; None where the system does not say."""
    if not STATUS.is_file():
        return None
    held = [line.split()[1] for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:")]
    return int(held[0]) * 1024 / 1e6 if held else None


def peak_gpu_memory_mb() -> float | None:
    """Most memory this process ever held on its GPU; None without one."""
    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else None


def words(plan: Plan, position: Position) -> str:
    """How far a run is and how well it does: `epoch 2 of 7, loss 0.412, AUROC 0.861; records`.

    The loss is the mean of the epoch so far, the AUROC that of the last validation.
    """
    history, steps, epochs = position.history, position.step % plan.steps_per_epoch, plan.recipe.epochs
    parts = [f"epoch {min(position.step // plan.steps_per_epoch + 1, epochs)} of {epochs}"]
    if steps or history:
        parts.append(f"loss {position.loss_sum / steps if steps else history[-1].train_loss:.3f}")
    if history:
        auroc, loss = history[-1].validation_auroc, history[-1].validation_loss
        parts.append(f"validation loss {loss:.3f}" if auroc is None else f"AUROC {auroc:.3f}")
    return ", ".join(parts) + "; records"
