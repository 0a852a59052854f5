"""HDF5 files of tracings: one dataset per tracing, or a block of tracings with their exam ids.

Only data that lies in the file itself is read: links to other places and external or virtual storage are refused,
since they would make a downloaded file read any other file of the machine.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from codeii.formats.tracing import LONGEST, absent, appearance
from codeii.schema.record import RecordFault

BLOCK_BYTES = 64 * 2**20  # of tracings in memory at a time
LARGEST_RATIO = 1100  # of deflate; a larger shape is made of fill values, and reading it would never end
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open for reading. Raises RecordFault where the file is absent, empty, cut or not HDF5."""
    try:
        with path.open("rb") as raw:
            start = raw.read(512)
    except FileNotFoundError as error:
        raise absent(path) from error
    except OSError as error:
        raise RecordFault("unreadable", path.name, error.strerror or "unreadable", "an HDF5 file") from error
    if not start.startswith(_SIGNATURE):
        raise RecordFault("unreadable", path.name, appearance(start), "an HDF5 file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise RecordFault("unreadable", path.name, str(error)[:200], "a whole HDF5 file") from error
    with file:
        yield file


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Whatever the library stumbles over in a damaged file becomes a RecordFault."""
    try:
        yield
    except RecordFault:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError) as error:
        found = f"{type(error).__name__}: {error}"[:200]
        raise RecordFault("unreadable", name, found, "data that can be read to its end") from error


def dataset_of(file: h5py.File, name: str) -> h5py.Dataset:
    """Numeric dataset `name` (`a/b` for one in a group), stored in this file itself.

    Raises RecordFault `absent` where there is none, `unreadable` for a link, external or virtual storage.
    """
    node: Any = file
    with _reading(name):
        for part in name.strip("/").split("/"):
            known = isinstance(node, h5py.Group) and part not in ("", ".", "..")
            link = node.get(part, getlink=True) if known else None
            if link is None:
                raise RecordFault("absent", "dataset", "no such dataset", name)
            if not isinstance(link, h5py.HardLink):
                raise RecordFault("unreadable", name, f"a {type(link).__name__}", "data in the file itself")
            node = node[part]
        if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "fiu":
            raise RecordFault("unreadable", name, type(node).__name__, "a dataset of numbers")
        if node.is_virtual or node.external:
            raise RecordFault("unreadable", name, "virtual or external storage", "data in the file itself")
        if node.chunks and math.prod(node.chunks) * node.dtype.itemsize > 4 * BLOCK_BYTES:
            raise RecordFault("unreadable", name, f"chunks of {node.chunks}", f"chunks below {4 * BLOCK_BYTES} bytes")
    return node


def read_signal(dataset: h5py.Dataset, name: str) -> np.ndarray:
    """A two-dimensional dataset, as stored. Raises RecordFault on another shape, too many samples, or cut data."""
    if dataset.ndim != 2 or not 0 < dataset.size <= 16 * LONGEST:
        raise RecordFault("wrong_length", name, f"shape {dataset.shape}", "leads and samples")
    return _read(dataset, slice(None), name)


def attribute_number(dataset: h5py.Dataset, attribute: str) -> float:
    """A numeric attribute. Raises RecordFault `bad_metadata` where it is absent or not one number."""
    with _reading(f"attribute {attribute}"):
        if attribute not in dataset.attrs:
            raise RecordFault("bad_metadata", f"attribute {attribute}", "no such attribute", "a number")
        kept = dataset.attrs.get_id(attribute)
        if kept.dtype.kind not in "fiu" or kept.shape not in ((), (1,)):
            raise RecordFault("bad_metadata", f"attribute {attribute}", f"{kept.dtype} {kept.shape}", "a number")
        return float(np.asarray(dataset.attrs[attribute]).reshape(-1)[0])


def read_ids(file: h5py.File, name: str, most: int = 10_000_000) -> np.ndarray:
    """(row,) int64 ids that belong to the rows of a block of tracings."""
    dataset = dataset_of(file, name)
    if dataset.ndim != 1 or dataset.dtype.kind not in "iu" or dataset.size > most:
        raise RecordFault("unreadable", name, f"{dataset.dtype} {dataset.shape}", "one integer per tracing")
    return _read(dataset, slice(None), name).astype(np.int64)


def blocks(dataset: h5py.Dataset, name: str) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, block of rows) over the first axis, whole chunks at a time, about 64 MiB each."""
    row_bytes = max(1, dataset.dtype.itemsize * math.prod(dataset.shape[1:]))
    if row_bytes > BLOCK_BYTES:
        raise RecordFault("wrong_length", name, f"shape {dataset.shape}", f"at most {BLOCK_BYTES} bytes a row")
    with _reading(name):
        stored = int(dataset.id.get_storage_size())
    if row_bytes * dataset.shape[0] > LARGEST_RATIO * stored:
        found = f"shape {dataset.shape} in {stored} bytes"
        raise RecordFault("unreadable", name, found, f"at most {LARGEST_RATIO} times what is stored")
    chunk = dataset.chunks[0] if dataset.chunks else 1
    most = BLOCK_BYTES // row_bytes
    rows = most // chunk * chunk or most
    for start in range(0, dataset.shape[0], rows):
        yield start, _read(dataset, slice(start, start + rows), name)


def _read(dataset: h5py.Dataset, rows: slice, name: str) -> np.ndarray:
    with _reading(name):
        return np.asarray(dataset[rows])
