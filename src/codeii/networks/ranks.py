"""Several processes that train one network together, one GPU each: who this one is, and what they tell each other.

torchrun starts them and says so in the environment. A process alone is rank 0 of 1: it meets nobody, and every
function here gives back what it was given.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch import distributed as group

PATIENCE = timedelta(seconds=120)  # how long a process waits for the others before it gives up
ROWS = 4096  # sent at a time


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among all of a training. What they tell each other is the same bits on every rank."""

    rank: int = 0
    count: int = 1
    local: int = 0  # number among those of its machine, which is that of its GPU
    parent: int = 0  # process that started it

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    @property
    def orphaned(self) -> bool:
        """Whether the launcher is gone: nobody would stop this process when another one dies."""
        return self.count > 1 and os.getppid() != self.parent

    def device(self, found: torch.device) -> torch.device:
        """This rank's own device of the kind found. Raises ValueError where the machine has too few GPUs."""
        if self.count == 1 or found.type == "cpu":
            return found
        if self.local >= torch.cuda.device_count():
            told = f"process {self.local + 1} on this machine has no GPU, there are {torch.cuda.device_count()}"
            raise ValueError(f"{told}; start as many processes as GPUs (torchrun --nproc-per-node)")
        torch.cuda.set_device(self.local)
        return torch.device("cuda", self.local)

    def shares(self, count: int) -> list[slice]:
        """So many things in a row, dealt out to the ranks: no two shares differ by more than one."""
        ends = [rank * count // self.count for rank in range(self.count + 1)]
        return [slice(begin, end) for begin, end in pairwise(ends)]

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the ranks, in place. Raises ConnectionError where another rank is gone."""
        if self.count > 1:
            with self._meeting():
                group.all_reduce(values)
        return values

    def each(self, *values: float) -> np.ndarray:
        """(rank, value) float64 what each of them says."""
        said = torch.zeros(self.count, len(values), dtype=torch.float64)
        said[self.rank] = torch.tensor(values, dtype=torch.float64)
        table: np.ndarray = self.sum(self._to_send(said)).cpu().numpy()
        return table

    def meet(self) -> None:
        """Wait until every rank is here."""
        self.each(0)

    def gathered(self, mine: np.ndarray, rows: Sequence[int]) -> np.ndarray:
        """(all rows, ...) those of every rank, in the order of the ranks. rows : of each rank; mine are its own."""
        if self.count == 1:
            return mine
        whole = np.empty((sum(rows), *mine.shape[1:]), mine.dtype)
        ends = np.cumsum(rows)
        whole[ends[self.rank] - rows[self.rank] : ends[self.rank]] = mine
        for source, (end, number) in enumerate(zip(ends, rows, strict=True)):
            for begin in range(end - number, end, ROWS):
                part = torch.from_numpy(whole[begin : min(begin + ROWS, end)])
                sent = self._to_send(part)
                with self._meeting():
                    group.broadcast(sent, source)
                part.copy_(sent)
        return whole

    def _to_send(self, values: Tensor) -> Tensor:
        """The values where the ranks can exchange them; no copy on a CPU."""
        return values.to("cuda") if self.count > 1 and group.get_backend() == "nccl" else values

    @contextmanager
    def _meeting(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            told = f"process {self.rank + 1} of {self.count}: another process of this training is gone or silent"
            first_sentence = str(error).partition(". ")[0]
            raise ConnectionError(f"{told} ({first_sentence}); run the same again to go on") from error


ALONE = Ranks()


def ranks_of(environment: Mapping[str, str]) -> Ranks:
    """Who torchrun says this process is. Raises ValueError where it says only part of it."""
    if environment.get("WORLD_SIZE", "1") == "1":
        return ALONE
    missing = [name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in environment]
    if missing:
        raise ValueError(f"WORLD_SIZE is set but not {', '.join(missing)}; start several processes with torchrun")
    rank, count, local = (int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return Ranks(rank, count, local, os.getppid())


@contextmanager
def together(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """The ranks can meet inside the block."""
    if ranks.count == 1:
        yield
        return
    cuda = device.type == "cuda"
    group.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE, device_id=device if cuda else None)
    try:
        yield
    except Exception:  # the others may be waiting in a meeting, and to take leave would be to wait for them
        raise
    except BaseException:
        group.destroy_process_group()
        raise
    group.destroy_process_group()
