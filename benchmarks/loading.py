"""How fast shuffled batches come from the tensor store, against PyTorch's DataLoader over the HDF5 form of CODE.

Run: python benchmarks/loading.py [--records 4096] [--rounds 7]

Warm: everything is in memory; batches of 64 in random order. The peer reads float32 HDF5 (record, 4096, 12), the form
in which CODE-15% is published, record by record, without worker processes; the same with eight leads is shown too.
Floors: a copy of the same bytes inside memory, and, cold, the disk's own rate for random blocks of a record's size,
eight in flight, past the page cache. Cold means that this file's pages were dropped before each round.
"""

import argparse
import mmap
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import h5py
import numpy as np
import pandas as pd
import torch
from harness import as_a_job, report, rounds_of
from torch.utils.data import DataLoader, Dataset

from codeii.artifacts.tensor_store import SIGNALS, Signals, write_tensor_shard
from codeii.networks.batches import Inputs, announced, read

LEADS, SAMPLES, BATCH = 8, 4096, 64
BYTES = LEADS * SAMPLES * 2
CPU = torch.device("cpu")


class Hdf5Records(Dataset[torch.Tensor]):
    """One record at a time, as the field's loaders read CODE's files."""

    def __init__(self, path: Path) -> None:
        self.tracings = h5py.File(path, "r")["tracings"]

    def __len__(self) -> int:
        return len(self.tracings)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self.tracings[index])


def written(folder: Path, records: int) -> Path:
    """A shard of a tensor store with noise of an ECG's size; the file of its signals."""
    generator = np.random.default_rng(0)
    parts = (generator.integers(-2000, 2000, (256, LEADS, SAMPLES), np.int16) for _ in range(records // 256))
    names = [f"r{n}" for n in range(records)]
    index = pd.DataFrame({"record_id": names, "exam_id": names, "patient_id": names, "section": 0})
    write_tensor_shard(
        folder, parts, index, leads=LEADS, samples=SAMPLES, rows=records, settings={}, code="", inputs=[], facts={},
        synthetic=True,
    )  # fmt: skip
    return folder / SIGNALS


def as_hdf5(signals: Path, path: Path, leads: int) -> Path:
    """The same records as contiguous float32 (record, sample, lead); with twelve leads the first four come twice."""
    stored = np.load(signals, mmap_mode="r")
    with h5py.File(path, "w") as file:
        tracings = file.create_dataset("tracings", (len(stored), SAMPLES, leads), "f4")
        for start in range(0, len(stored), 256):
            block = stored[start : start + 256].astype(np.float32).transpose(0, 2, 1) / 1000
            tracings[start : start + 256] = np.concatenate([block, block], axis=2)[..., :leads]
    return path


def batches_of(records: int, seed: int) -> list[np.ndarray]:
    order = np.random.default_rng(seed).permutation(records)
    return [order[start : start + BATCH] for start in range(0, records, BATCH)]


def inputs_over(path: Path) -> Inputs:
    signals = Signals([np.load(path, mmap_mode="r")])
    rows = np.arange(len(signals))
    return Inputs(signals, rows, 1e-3, rows)


def ours(inputs: Inputs, batches: list[np.ndarray]) -> Iterator[torch.Tensor]:
    """int16 batches, as they go to the device: what scales them to millivolts runs there."""
    for picks in announced(inputs, batches):
        yield torch.from_numpy(inputs.values[inputs.rows[picks]])


def ours_in_mv(inputs: Inputs, batches: list[np.ndarray]) -> Iterator[torch.Tensor]:
    for picks in announced(inputs, batches):
        yield read(inputs, picks, CPU)


def consumed(batches: Iterator[torch.Tensor]) -> int:
    return sum(len(batch) for batch in batches)


def warm(signals: Path, folder: Path, rounds: int) -> None:
    inputs = inputs_over(signals)
    records = len(inputs)
    peers = {leads: Hdf5Records(as_hdf5(signals, folder / f"{leads}.hdf5", leads)) for leads in (12, 8)}
    from_memory = np.array(inputs.values[inputs.rows])
    target = np.empty((BATCH, LEADS, SAMPLES), np.int16)
    one, other = (
        np.sort(peers[8][7].numpy().ravel()),
        np.sort(next(ours_in_mv(inputs, [np.array([7])])).numpy().ravel()),
    )
    if not np.allclose(one, other, atol=1e-6):
        raise SystemExit("the two ways give different records")
    batches = batches_of(records, 1)

    def loader(leads: int) -> object:
        return consumed(iter(DataLoader(peers[leads], BATCH, shuffle=True, num_workers=0)))

    def copied() -> None:
        for start in range(0, records // BATCH * BATCH, BATCH):
            np.copyto(target, from_memory[start : start + BATCH])

    seconds = rounds_of(
        {
            "DataLoader, HDF5 f4 12 leads": lambda: loader(12),
            "DataLoader, HDF5 f4 8 leads": lambda: loader(8),
            "tensor store, int16": lambda: consumed(ours(inputs, batches)),
            "tensor store, float32 mV": lambda: consumed(ours_in_mv(inputs, batches)),
            "floor: copy in memory": copied,
        },
        rounds,
    )
    print(
        f"warm: {records} records of {LEADS} x {SAMPLES}, batches of {BATCH}, {rounds} rounds, {BYTES} bytes a record"
    )
    print(report(seconds, "DataLoader, HDF5 f4 12 leads", records, "record"))
    floor = [a / b for a, b in zip(seconds["tensor store, int16"], seconds["floor: copy in memory"], strict=True)]
    print(f"int16 batches take {median(floor):.2f} times the copy ({min(floor):.2f}, {max(floor):.2f})\n")


def dropped(path: Path) -> None:
    """Take the file's pages out of memory."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def disk_seconds(path: Path, batches: list[np.ndarray]) -> float:
    """Seconds of the disk itself: the same number of blocks at random places, eight at a time, past the page cache."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    places = np.concatenate(batches).tolist()
    buffers = [mmap.mmap(-1, BYTES) for _ in range(8)]

    def some(worker: int) -> None:
        for place in places[worker::8]:
            os.preadv(descriptor, [buffers[worker]], place * BYTES)

    start = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(8)))
    os.close(descriptor)
    return time.perf_counter() - start


def cold(signals: Path, rounds: int) -> None:
    records = len(np.load(signals, mmap_mode="r"))
    shares, rates = [], []
    for number in range(rounds):
        batches = batches_of(records, number)
        dropped(signals)
        start = time.perf_counter()
        consumed(ours(inputs_over(signals), batches))
        seconds = time.perf_counter() - start
        dropped(signals)
        shares.append(disk_seconds(signals, batches) / seconds)
        rates.append(records / seconds)
    print(f"cold: {median(rates):,.0f} records a second, {median(shares):.2f} of the disk's own rate for random blocks")
    print(f"({min(shares):.2f}, {max(shares):.2f}; {rounds} rounds)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="on which disk (default: the one of temporary files)")
    arguments = parser.parse_args()
    as_a_job()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        signals = written(Path(name) / "store", arguments.records)
        warm(signals, Path(name), arguments.rounds)
        cold(signals, arguments.rounds)


if __name__ == "__main__":
    main()
