"""Hostile and damaged files: only our own kind of fault, in bounded time and memory, and no file opened elsewhere."""

import ctypes
import json
import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.formats.hdf5 import attribute_number, dataset_of, open_hdf5, read_signal
from codeii.formats.matlab import read_struct
from codeii.formats.wfdb import read_record
from codeii.schema.leads import LEADS
from codeii.schema.record import REASONS, Exclusion, RecordFault
from codeii.sources import code15
from codeii.synthetic.matlab5 import write_matlab5
from codeii.synthetic.wfdb_files import write_challenge, write_wfdb

SLOWEST_S = 1.0  # of one file, in processor time: another process may hold ours up
EXAMPLES = 150
SRC = Path(__file__).parents[2] / "src"

# --- what is watched ---

_OPENED: list[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _OPENED is not None and isinstance(arguments[0], str | bytes):
        _OPENED.append(os.fsdecode(arguments[0]))


sys.addaudithook(_note)  # once for the process: a hook cannot be taken away, so it listens only while it is told to


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Read one good record, so that the readers' own libraries are compiled and loaded before anybody watches."""
    folder = tmp_path_factory.mktemp("good")
    write_wfdb(folder / "r", np.arange(12 * 500, dtype=np.int16).reshape(12, 500), 500)
    read_record(folder / "r")


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Nothing but a RecordFault may come out, within a second, and no file outside `folder` may be opened."""
    global _OPENED
    _OPENED, started = [], time.process_time()
    try:
        yield
    except RecordFault as fault:
        assert fault.reason in REASONS
    finally:
        seconds, opened, _OPENED = time.process_time() - started, _OPENED, None
    assert seconds < SLOWEST_S
    inside = [folder.resolve(), *(Path(root).resolve() for root in (sys.prefix, sys.base_prefix))]  # and Python's own
    assert not [name for name in opened if not any(Path(name).resolve().is_relative_to(root) for root in inside)]


def test_the_watch_sees_a_file_that_is_opened_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").touch()
    with pytest.raises(AssertionError), watched(tmp_path / "in"), (tmp_path / "secret").open():
        pass
    with pytest.raises(ZeroDivisionError), watched(tmp_path):
        _ = 1 / 0


# --- damage ---

WORDS = (b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["set", "drop", "insert", "word"]),
        st.one_of(st.floats(0, 0.02), st.floats(0, 1, exclude_max=True)),  # most of what steers a reader comes first
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=6,
)
CUT = st.one_of(st.just(1.0), st.just(1.0), st.floats(0, 1))


def damaged(raw: bytes, changes: Sequence[tuple[str, float, int]], cut: float) -> bytes:
    changed = bytearray(raw)
    for kind, place, value in changes:
        at = int(place * len(changed))
        if kind == "set":
            changed[at : at + 1] = bytes([value])
        elif kind == "drop":
            del changed[at : at + value]
        elif kind == "insert":
            changed[at:at] = bytes([value]) * (1 + value % 8)
        else:
            changed[at : at + 4] = WORDS[value % len(WORDS)]
    return bytes(changed[: int(cut * len(changed))])


def signal_of(samples: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(-900, 900, (12, samples)).astype(np.int16)


@dataclass(frozen=True)
class Seeds:
    """A folder of whole files; small to print, as hypothesis prints what it was given."""

    folder: Path

    def raw(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


FORMS = ("24", "32", "80")  # that the wfdb package can write
RECORDS = (("a.hea", "a.dat"), ("b.hea", "b.mat"), *((f"f{form}.hea", f"f{form}.dat") for form in FORMS))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    """Whole files of each form, written as the twins are: by their own writers, and the wfdb package's formats."""
    folder = tmp_path_factory.mktemp("seeds")
    write_wfdb(folder / "a", signal_of(), 500)
    write_challenge(folder / "b", signal_of(), 500, ["#Age: 50", "#Sex: Male", "#Dx: 59118001,164889003,"])
    for form in FORMS:
        counts = signal_of().T // 8
        wfdb.wrsamp(
            f"f{form}", 500, ["mV"] * 12, list(LEADS), d_signal=counts, fmt=[form] * 12, adc_gain=[100] * 12,
            baseline=[0] * 12, write_dir=str(folder),
        )  # fmt: skip
    write_matlab5(folder / "c.mat", {"ECG": {"sex": "Female", "age": 50, "data": signal_of() / 1000}})
    tracings = np.random.default_rng(1).normal(size=(2, 4096, 12)).astype(np.float32)
    tracings[1] = 0
    for name, how in (("plain", {}), ("packed", {"chunks": (1, 1024, 12), "compression": "gzip", "fletcher32": True})):
        with h5py.File(folder / f"{name}.hdf5", "w") as file:
            file.create_dataset("tracings", data=np.round(tracings, 1), **how)
            file.create_dataset("exam_id", data=np.array([795649, 0]))
    return Seeds(folder)


# --- WFDB ---

FILES = ("a.dat", "a.dat", "a.dat", "b.dat", "../secret", "/etc/hostname", "~", "-", "", "a/../../secret", "C:\\x", ".")
FORMATS = ("16", "16", "16+24", "16x1", "212", "80", "8", "24", "32", "61", "310", "508", "0", "16+99999999999", "x")
GAINS = ("1000/mV", "1000.0(0)/mV", "1e300/uV", "1e-300(5)/V", "0/mV", "-1/mV", "1000", "nan/mV", "inf/mV", "200/mmHg")
NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "12", "-1", "500", "4000000000", "1e9", "", "x", "9" * 30]), st.just("7")
)


@st.composite
def headers(draw: st.DrawFn) -> str:
    """A header of the grammar, or nearly: each field is right, odd, or hostile."""
    count = draw(st.one_of(st.just(12), st.integers(0, 14)))
    record = [draw(st.sampled_from(["a", "a.mat", "a/3", "../a", "é"])), draw(st.one_of(st.just(str(count)), NUMBERS))]
    record += [draw(st.one_of(st.just("500"), NUMBERS)), draw(st.one_of(st.just("7"), NUMBERS))]
    record += draw(st.sampled_from([[], [], ["12-May-2020", "12:33:59"], ["0:0:0"]]))
    lines = [" ".join(record[: draw(st.integers(2, 6))])]
    same = draw(st.booleans())
    form, gain, file = (draw(st.sampled_from(words)) for words in (FORMATS, GAINS, FILES))
    for row in range(count):
        if not same:
            form, gain, file = (draw(st.sampled_from(words)) for words in (FORMATS, GAINS, FILES))
        name = LEADS[row] if row < 12 and draw(st.integers(0, 9)) else draw(st.sampled_from(["vx", "V1", "", "X" * 99]))
        lines.append(f"{file} {form} {gain} 16 0 {draw(NUMBERS)} {draw(NUMBERS)} 0 {name}")
    lines += draw(st.lists(st.sampled_from(["#Age: NaN", "# Dx: 1,,1", "#", "# :", "garbage"]), max_size=3))
    return draw(st.sampled_from(["\n", "\r\n", "\n\n"])).join(lines)


@settings(max_examples=EXAMPLES)
@given(header=headers(), size=st.integers(0, 400))
def test_any_header_gives_a_tracing_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, header: str, size: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "grammar"
    folder.mkdir(exist_ok=True)
    (folder.parent / "secret").write_bytes(bytes(400))
    (folder / "a.hea").write_bytes(header.encode())
    (folder / "a.dat").write_bytes(bytes(range(256)) * 2 if size == 400 else bytes(size))
    with watched(folder):
        tracing = read_record(folder / "a")
        assert tracing.signal_uv.shape[0] == 12 and tracing.signal_uv.dtype == np.int16


@settings(max_examples=EXAMPLES)
@given(pick=st.integers(0, len(RECORDS) - 1), header=CHANGES, signal=CHANGES, cut=CUT, both=st.integers(0, 2))
def test_a_damaged_record_gives_a_tracing_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory,
    seeds: Seeds,
    pick: int,
    header: list[tuple[str, float, int]],
    signal: list[tuple[str, float, int]],
    cut: float,
    both: int,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "record"
    folder.mkdir(exist_ok=True)
    of_header, name = RECORDS[pick]
    text, samples = seeds.raw(of_header), seeds.raw(name)
    (folder / "r.hea").write_bytes(damaged(text, header, cut if both == 1 else 1.0) if both else text)
    (folder / name).write_bytes(damaged(samples, signal, cut) if both != 1 else samples)
    with watched(folder):
        assert read_record(folder / "r").signal_uv.shape[0] == 12


# --- MATLAB ---


@settings(max_examples=EXAMPLES)
@given(changes=CHANGES, cut=CUT, packed=st.booleans())
def test_a_damaged_struct_gives_a_tracing_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory,
    seeds: Seeds,
    changes: list[tuple[str, float, int]],
    cut: float,
    packed: bool,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "mat"
    folder.mkdir(exist_ok=True)
    raw = seeds.raw("c.mat")
    if packed:  # damage below the compression: the bytes inflate, and mean something else
        body = zlib.compress(damaged(inner_of(raw), changes, cut))
        raw = raw[:128] + struct.pack("<II", 15, len(body)) + body
    else:
        raw = damaged(raw, changes, cut)
    (folder / "c.mat").write_bytes(raw)
    with watched(folder):
        assert read_struct(folder / "c.mat", 500).signal_uv.shape[0] == 12


def inner_of(raw: bytes) -> bytes:
    """The matrix of a level-5 file, inflated where it is compressed."""
    kind, size = struct.unpack_from("<II", raw, 128)
    return zlib.decompress(raw[136 : 136 + size]) if kind == 15 else raw[128:]


def test_a_struct_whose_compressed_part_is_empty_is_unreadable(tmp_path: Path, seeds: Seeds) -> None:
    body = zlib.compress(b"")
    (tmp_path / "c.mat").write_bytes(seeds.raw("c.mat")[:128] + struct.pack("<II", 15, len(body)) + body)
    with pytest.raises(RecordFault) as caught:
        read_struct(tmp_path / "c.mat", 500)
    assert caught.value.reason == "unreadable"


# --- HDF5 ---

TABLE = "exam_id,age,is_male,1dAVb,RBBB,LBBB,SB,ST,AF,patient_id,trace_file\n"
TABLE += "795649,75,True,False,False,False,False,True,False,618483,exams_part0.hdf5\n"


@settings(max_examples=EXAMPLES)
@given(name=st.sampled_from(["plain.hdf5", "packed.hdf5"]), changes=CHANGES, cut=CUT)
def test_a_damaged_part_gives_exams_or_named_exclusions(
    tmp_path_factory: pytest.TempPathFactory,
    seeds: Seeds,
    name: str,
    changes: list[tuple[str, float, int]],
    cut: float,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "code15"
    folder.mkdir(exist_ok=True)
    (folder / "exams.csv").write_text(TABLE)
    (folder / "exams_part0.hdf5").write_bytes(damaged(seeds.raw(name), changes, cut))
    with watched(folder):
        found = list(code15.read_records(folder, {}))
        assert "795649" in {item.record_id for item in found}
        assert {item.reason for item in found if isinstance(item, Exclusion)} <= set(REASONS)


def test_storage_and_links_that_point_outside_are_not_opened_by_the_library_either(tmp_path: Path) -> None:
    """The library opens files past Python, where no hook sees it: the kernel tells who opened the secret."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret").write_bytes(bytes(480))
    with h5py.File(outside / "other.hdf5", "w") as file:
        file["x"] = np.zeros((12, 5))
    layout = h5py.VirtualLayout((12, 5), np.float64)
    layout[:] = h5py.VirtualSource(outside / "other.hdf5", "x", (12, 5))
    with h5py.File(inside / "a.hdf5", "w") as file:
        file.create_dataset("storage", (12, 5), np.float64, external=[(str(outside / "secret"), 0, 480)])
        file["link"] = h5py.ExternalLink(str(outside / "other.hdf5"), "x")
        file.create_virtual_dataset("virtual", layout)
    with opened_in(outside) as opened:
        for name in ("storage", "link", "virtual"):
            with watched(inside), open_hdf5(inside / "a.hdf5") as file:
                read_signal(dataset_of(file, name), name)
        assert opened() == []
        (outside / "secret").read_bytes()
        assert opened() == ["secret"]


@contextmanager
def opened_in(folder: Path) -> Iterator[Callable[[], list[str]]]:
    """A function that tells which files of a folder were opened since it was last asked (inotify(7), IN_OPEN)."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "inotify_init1"):
        pytest.skip("needs inotify, which this system does not have")
    descriptor = library.inotify_init1(os.O_NONBLOCK)
    assert library.inotify_add_watch(descriptor, os.fsencode(folder), 0x20) >= 0

    def names() -> list[str]:
        try:
            raw = os.read(descriptor, 65_536)
        except BlockingIOError:
            return []
        found = []
        while raw:
            length = struct.unpack_from("iIII", raw)[3]
            found.append(raw[16 : 16 + length].rstrip(b"\0").decode())
            raw = raw[16 + length :]
        return found

    try:
        yield names
    finally:
        os.close(descriptor)


def test_an_attribute_of_a_damaged_dataset_is_a_number_or_a_fault(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["7/1"] = np.zeros((12, 20))
        file["7/1"].attrs["rate_hz"] = 300
    raw = (tmp_path / "a.hdf5").read_bytes()
    for place in range(0, len(raw), 7):
        (tmp_path / "a.hdf5").write_bytes(raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :])
        with watched(tmp_path), open_hdf5(tmp_path / "a.hdf5") as file:
            attribute_number(dataset_of(file, "7/1"), "rate_hz")


# --- real files, damaged ---


def test_published_files_damaged_at_random_give_a_result_or_a_fault(shared: Path, tmp_path: Path) -> None:
    data, rng = shared / "data", np.random.default_rng(0)
    header = next((data / "ptbxl/records500/00000").glob("*.hea"))
    parts = [header, header.with_suffix(".dat"), data / "cpsc2018/TrainingSet1/A1980.mat"]
    parts += [data / "code15/exams_part0.hdf5"]
    whole = [path.read_bytes() for path in parts]
    (tmp_path / "exams.csv").write_text(TABLE)
    for _ in range(60):
        hurt = []
        for raw in whole:
            changes = [
                (str(rng.choice(["set", "drop", "insert", "word"])), float(place), int(rng.integers(256)))
                for place in rng.choice([rng.random() * 0.01, rng.random()], 3)
            ]
            hurt.append(damaged(raw, changes, 1.0 if rng.random() < 0.8 else rng.random()))
        for name, raw in zip((header.name, parts[1].name, "A.mat", "exams_part0.hdf5"), hurt, strict=True):
            (tmp_path / name).write_bytes(raw)
        with watched(tmp_path):
            read_record(tmp_path / header.stem)
        with watched(tmp_path):
            read_struct(tmp_path / "A.mat", 500)
        with watched(tmp_path):
            assert list(code15.read_records(tmp_path, {}))


# --- small files that announce much ---

BOMB = """
import json, resource, sys
from pathlib import Path
import wfdb
from codeii.formats.hdf5 import blocks, dataset_of, open_hdf5, read_ids, read_signal
from codeii.formats.matlab import read_struct
from codeii.formats.wfdb import read_record
from codeii.schema.record import RecordFault

folder, room = Path(sys.argv[1]), int(sys.argv[2])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))


def part(path):
    with open_hdf5(path) as file:
        read_ids(file, "exam_id")
        for _ in blocks(dataset_of(file, "tracings"), "tracings"):
            pass


def dataset(path):
    with open_hdf5(path) as file:
        read_signal(dataset_of(file, "x"), "x")


readers = {".hea": lambda path: read_record(path.with_suffix("")), ".mat": lambda path: read_struct(path, 500)}
readers |= {".part": part, ".hdf5": dataset}
found = {}
for path in sorted(folder.iterdir()):
    if path.suffix in readers:
        try:
            readers[path.suffix](path)
            found[path.name] = "read"
        except RecordFault as fault:
            found[path.name] = fault.reason
        except BaseException as error:
            found[path.name] = repr(error)
# Not ru_maxrss: that starts at what the process which started this one held at the time.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
found["megabytes"] = int(peak.split()[1]) / 1024
print(json.dumps(found))
"""


def bombs(folder: Path) -> dict[str, set[str]]:
    """Write small files that announce very much; the reasons each may be refused for."""
    good = [f"{{0}}.dat 16 1000/mV 16 0 0 0 0 {lead}" for lead in LEADS]
    lines = {"long": "long 12 500 4000000000", "sparse": "sparse 12 500 200000000", "wide": "wide 4000000000 500 10"}
    for name, first in lines.items():
        (folder / f"{name}.hea").write_text("\n".join([first, *(line.format(name) for line in good)]))
        (folder / f"{name}.dat").touch()
    os.truncate(folder / "sparse.dat", 24 * 200_000_000)  # as long as its header says, and no block of the disk
    packed = [line.format("packed").replace(" 16 1000", " 212 1000") for line in good]
    (folder / "packed.hea").write_text("\n".join(["packed 12 500 1900000000", *packed]))
    (folder / "packed.dat").touch()
    os.truncate(folder / "packed.dat", 18 * 1_900_000_000)
    (folder / "endless.hea").write_bytes(b"# nothing\n" * 2_000_000)
    head = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM"
    much = zlib.compressobj(9)
    body = b"".join(much.compress(bytes(2**24)) for _ in range(24)) + much.flush()
    (folder / "inflating.mat").write_bytes(head + struct.pack("<II", 15, len(body)) + body)
    (folder / "announcing.mat").write_bytes(head + struct.pack("<IIII", 14, 0xFFFFFFF0, 6, 8))
    with h5py.File(folder / "rows.part", "w") as file:  # fill values without end
        file.create_dataset("tracings", (9_000_000, 4096, 12), np.float32, chunks=(1, 4096, 12))
        file.create_dataset("exam_id", (9_000_000,), np.int64, chunks=(100_000,))
    with h5py.File(folder / "ids.part", "w") as file:
        file.create_dataset("tracings", (2, 4096, 12), np.float32)
        file.create_dataset("exam_id", (10**12,), np.int64, chunks=(100_000,))
    with h5py.File(folder / "chunk.hdf5", "w") as file:
        file.create_dataset("x", (12, 2_000_000), np.float64, chunks=(12, 2_000_000), compression="gzip")
        file.create_dataset("y", (12, 50_000_000), np.int64, chunks=(12, 40_000_000), compression="gzip")
    with h5py.File(folder / "signal.hdf5", "w") as file:
        file.create_dataset("x", (12, 10**12), np.float64, chunks=(12, 1000))
    return {
        "long.hea": {"wrong_length"},
        "sparse.hea": {"wrong_length"},
        "wide.hea": {"wrong_leads"},
        "packed.hea": {"wrong_length"},
        "endless.hea": {"unreadable"},
        "inflating.mat": {"unreadable"},
        "announcing.mat": {"unreadable"},
        "rows.part": {"unreadable"},
        "ids.part": {"unreadable"},
        "chunk.hdf5": {"read", "unreadable"},
        "signal.hdf5": {"wrong_length"},
    }


def test_files_that_announce_much_are_refused_within_little_memory(tmp_path: Path) -> None:
    expected = bombs(tmp_path)
    room = 700 * 2**20
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BOMB, str(tmp_path), str(room)],
        env={**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found.pop("megabytes") < 1000
    assert {name: found[name] for name in expected if found[name] not in expected[name]} == {}
    assert found.keys() == expected.keys()
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - started < 3 + len(expected) * SLOWEST_S
