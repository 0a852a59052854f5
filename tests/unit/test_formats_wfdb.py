"""The WFDB reader: what it accepts, and every bad input of its table as one named fault."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from codeii.formats import wfdb as reader
from codeii.formats import wfdb_header
from codeii.formats.wfdb import read_record
from codeii.formats.wfdb_header import parse_header, read_header
from codeii.schema.leads import LEADS
from codeii.schema.record import REASONS, RecordFault

SAMPLES = 50


def signal_of(seed: int = 0, samples: int = SAMPLES) -> np.ndarray:
    eight = np.random.default_rng(seed).integers(-2000, 2000, (12, samples)).astype(np.int16)
    eight[2] = eight[1] - eight[0]
    return eight


def header_text(signal: np.ndarray, name: str = "a", **other: str) -> str:
    said = {"first": f"{name} {len(signal)} 500 {signal.shape[1]}", "format": "16", "gain": "1000.0(0)/mV"} | other
    lines = [said["first"]]
    for row, lead in zip(signal, LEADS, strict=False):
        checksum = int(row.astype(np.int64).sum()) % 65536
        file = said.get("file", f"{name}.dat")
        lines.append(f"{file} {said['format']} {said['gain']} 16 0 {row[0]} {checksum} 0 {lead}")
    return "\n".join(lines) + "\n" + said.get("comments", "")


def write_record(folder: Path, signal: np.ndarray, *, offset: int = 0, **other: str) -> Path:
    (folder / "a.hea").write_text(header_text(signal, **other), encoding="utf-8")
    (folder / "a.dat").write_bytes(bytes(offset) + np.ascontiguousarray(signal.T, "<i2").tobytes())
    return folder / "a"


def fault_of(stem: Path) -> RecordFault:
    with pytest.raises(RecordFault) as caught:
        read_record(stem)
    assert caught.value.reason in REASONS
    return caught.value


def test_counts_of_a_thousand_per_millivolt_pass_unchanged(tmp_path: Path) -> None:
    signal = signal_of()
    tracing = read_record(write_record(tmp_path, signal))
    np.testing.assert_array_equal(tracing.signal_uv, signal)
    assert tracing.signal_uv.dtype == np.int16
    assert (tracing.rate_hz, tracing.flags, dict(tracing.notes)) == (500, (), {})


@pytest.mark.parametrize("form", ["16+24", "16x1+24"])
def test_bytes_before_the_signal_are_skipped(tmp_path: Path, form: str) -> None:
    signal = signal_of()
    stem = write_record(tmp_path, signal, offset=24, format=form)
    np.testing.assert_array_equal(read_record(stem).signal_uv, signal)


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        ("1000/mV", lambda x: x),
        ("1000/mv", lambda x: x),
        ("1.0(0)/uV", lambda x: x),
        ("200(0)/mV", lambda x: np.rint(x * 5.0)),
        ("2000(100)/mV", lambda x: np.rint((x - 100.0) / 2)),
        ("1e6(0)/V", lambda x: x),
    ],
)
def test_units_gains_and_baselines_become_microvolts(
    tmp_path: Path, gain: str, expected: Callable[[np.ndarray], np.ndarray]
) -> None:
    signal = signal_of()
    tracing = read_record(write_record(tmp_path, signal, gain=gain))
    np.testing.assert_array_equal(tracing.signal_uv, expected(signal.astype(np.float64)))


def test_the_adc_zero_is_the_baseline_where_the_gain_names_none(tmp_path: Path) -> None:
    signal = signal_of()
    stem = write_record(tmp_path, signal, gain="1000/mV")
    header = stem.with_suffix(".hea")
    header.write_text(header.read_text().replace("/mV 16 0 ", "/mV 16 7 "))
    np.testing.assert_array_equal(read_record(stem).signal_uv, signal - 7)


def test_a_value_beyond_the_integers_is_clipped_and_flagged(tmp_path: Path) -> None:
    tracing = read_record(write_record(tmp_path, signal_of() * 10, gain="100/mV"))
    assert tracing.flags == ("clipped",)
    assert int(np.abs(tracing.signal_uv.astype(int)).max()) == 32767


def test_a_record_name_with_extension_and_swapped_date_and_time_are_accepted(tmp_path: Path) -> None:
    signal = signal_of()
    stem = write_record(tmp_path, signal, first=f"a.mat 12 500 {SAMPLES} 05-Feb-2020 11:39:16")
    np.testing.assert_array_equal(read_record(stem).signal_uv, signal)


def test_comments_are_read_with_and_without_a_space(tmp_path: Path) -> None:
    stem = write_record(tmp_path, signal_of(), comments="#Age: 74\n# Sex:  Male \n#Dx: 59118001,164889003\n#odd\n")
    assert read_record(stem).notes == {"age": "74", "sex": "Male", "dx": "59118001,164889003"}


def test_eight_leads_are_completed_and_flagged(tmp_path: Path) -> None:
    signal = signal_of()[[0, 1, 6, 7, 8, 9, 10, 11]]
    stem = write_record(tmp_path, signal)
    header = stem.with_suffix(".hea")
    renamed = header.read_text().splitlines()
    for row, lead in enumerate(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), 1):
        renamed[row] = renamed[row].rsplit(" ", 1)[0] + f" {lead}"
    header.write_text("\n".join(renamed))
    tracing = read_record(stem)
    assert tracing.flags == ("leads_derived",)
    np.testing.assert_array_equal(tracing.signal_uv[2], signal[1] - signal[0])


def test_a_signal_line_that_stops_before_the_name_of_the_lead_is_refused(tmp_path: Path) -> None:
    stem = write_record(tmp_path, signal_of())
    header = stem.with_suffix(".hea")
    header.write_text("\n".join(" ".join(line.split()[:6]) for line in header.read_text().splitlines()))
    fault = fault_of(stem)
    assert (fault.reason, fault.field) == ("wrong_leads", "signal line")


def write_by_library(folder: Path, signal: np.ndarray, form: str) -> Path:
    wfdb.wrsamp(
        "a",
        fs=500,
        units=["mV"] * 12,
        sig_name=list(LEADS),
        d_signal=signal.T.astype(np.int64),
        fmt=[form] * 12,
        adc_gain=[1000.0] * 12,
        baseline=[0] * 12,
        write_dir=str(folder),
    )
    return folder / "a"


@pytest.mark.parametrize(("form", "divisor"), [("16", 1), ("24", 1), ("32", 1), ("212", 2), ("80", 40)])
def test_formats_written_by_the_wfdb_package_are_read(tmp_path: Path, form: str, divisor: int) -> None:
    signal = signal_of() // divisor
    np.testing.assert_array_equal(read_record(write_by_library(tmp_path, signal, form)).signal_uv, signal)


@pytest.mark.parametrize("damage", [lambda raw: raw[:40], lambda raw: bytes([raw[0] ^ 1]) + raw[1:], lambda raw: b""])
def test_a_damaged_file_of_another_format_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    stem = write_by_library(tmp_path, signal_of(), "24")
    data = stem.with_suffix(".dat")
    data.write_bytes(damage(data.read_bytes()))
    assert fault_of(stem).reason in ("wrong_length", "wrong_checksum")


def test_a_value_that_format_212_marks_as_absent_is_refused(tmp_path: Path) -> None:
    signal = signal_of() // 2
    signal[3, 7] = -2048
    assert fault_of(write_by_library(tmp_path, signal, "212")).reason == "no_value"


# --- bad signal files ---


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda raw: raw[: len(raw) // 2], "wrong_length"),
        (lambda raw: b"", "wrong_length"),
        (lambda raw: raw[:-1], "wrong_length"),
        (lambda raw: raw + b"\0\0", "wrong_length"),
        (lambda raw: b"<!DOCTYPE html><html>404 Not Found</html>", "unreadable"),
        (lambda raw: bytes([raw[0] ^ 1]) + raw[1:], "wrong_checksum"),
        (lambda raw: raw[:600] + bytes([raw[600] ^ 64]) + raw[601:], "wrong_checksum"),
    ],
)
def test_a_damaged_signal_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes], reason: str) -> None:
    stem = write_record(tmp_path, signal_of())
    data = stem.with_suffix(".dat")
    data.write_bytes(damage(data.read_bytes()))
    assert fault_of(stem).reason == reason


def test_a_sample_without_value_is_counted_and_refused(tmp_path: Path) -> None:
    signal = signal_of()
    signal[4, 10:13] = -32768
    fault = fault_of(write_record(tmp_path, signal))
    assert fault.reason == "no_value"
    assert fault.found.startswith("3 samples")


def test_an_absent_file_is_absent_and_not_a_fault(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "b").reason == "absent"
    stem = write_record(tmp_path, signal_of())
    stem.with_suffix(".dat").unlink()
    assert fault_of(stem).reason == "absent"


# --- bad headers ---


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"gain": "0/mV"}, "wrong_unit"),
        ({"gain": "0.0(0)/mV"}, "wrong_unit"),
        ({"gain": "-1000/mV"}, "wrong_unit"),
        ({"gain": "1000"}, "wrong_unit"),
        ({"gain": "nan/mV"}, "wrong_unit"),
        ({"gain": "1e999/mV"}, "wrong_unit"),
        ({"gain": "1000/NU"}, "wrong_unit"),
        ({"gain": "1e-300/V"}, "no_value"),
        ({"first": f"a 12 {SAMPLES}"}, "wrong_rate"),
        ({"first": f"a 12 0 {SAMPLES}"}, "wrong_rate"),
        ({"first": f"a 12 -250 {SAMPLES}"}, "wrong_rate"),
        ({"first": f"a 12 360.5 {SAMPLES}"}, "wrong_rate"),
        ({"first": f"a 12 nan {SAMPLES}"}, "wrong_rate"),
        ({"first": f"a 13 500 {SAMPLES}"}, "wrong_leads"),
        ({"first": f"a 0 500 {SAMPLES}"}, "wrong_leads"),
        ({"first": "a 12 500 0"}, "wrong_length"),
        ({"first": "a 12 500 -5"}, "wrong_length"),
        ({"first": f"a 12 500 {SAMPLES + 1}"}, "wrong_length"),
        ({"first": "a 12 500 4000000000"}, "wrong_length"),
        ({"first": "a 12 500 4000000000", "format": "212"}, "wrong_length"),
        ({"first": "a 12 500 900000", "format": "24"}, "wrong_length"),
        ({"first": f"a/2 12 500 {SAMPLES}"}, "unreadable"),
        ({"format": "516"}, "unreadable"),
        ({"format": "16x2"}, "unreadable"),
        ({"format": "16:3"}, "unreadable"),
        ({"format": "sixteen"}, "unreadable"),
        ({"format": "16+99999999999999999999"}, "wrong_length"),
        ({"file": "../a.dat"}, "unreadable"),
        ({"file": "/etc/hostname"}, "unreadable"),
        ({"file": "~/a.dat"}, "unreadable"),
        ({"file": "..\\a.dat"}, "unreadable"),
        ({"file": "../a.dat", "format": "212"}, "unreadable"),
    ],
)
def test_a_header_that_cannot_be_trusted_is_refused(tmp_path: Path, other: dict[str, str], reason: str) -> None:
    fault = fault_of(write_record(tmp_path, signal_of(), offset=0, **other))
    assert fault.reason == reason
    assert fault.found
    assert fault.expected


@pytest.mark.parametrize("text", ["", "\n\n", "#only: a comment\n", "<html>moved</html>", "\0\0\0", "a"])
def test_a_header_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.hea").write_text(text)
    assert fault_of(tmp_path / "a").reason in ("unreadable", "wrong_rate")


def test_a_header_of_a_gigabyte_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "a.hea").open("wb") as file:
        file.truncate(2**30)
    assert fault_of(tmp_path / "a").reason == "unreadable"


@pytest.mark.parametrize(("old", "new"), [(" V6", " V5"), (" V1", " X"), (" V1", "")])
def test_leads_given_twice_unknown_or_unnamed_are_refused(tmp_path: Path, old: str, new: str) -> None:
    stem = write_record(tmp_path, signal_of())
    header = stem.with_suffix(".hea")
    header.write_text(header.read_text().replace(f"{old}\n", f"{new}\n"))
    assert fault_of(stem).reason == "wrong_leads"


def test_a_missing_lead_is_refused_and_named(tmp_path: Path) -> None:
    fault = fault_of(write_record(tmp_path, signal_of()[:11]))
    assert fault.reason == "wrong_leads"
    assert "V6" in fault.expected


def test_a_link_of_the_header_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.hea").mkdir()
    assert fault_of(tmp_path / "a").reason == "unreadable"


# --- properties ---

_words = st.text(st.characters(codec="utf-8"), max_size=12)
_tokens = st.sampled_from(["16", "212", "16+24", "1000/mV", "1000.0(0)/mV", "0", "12", "500", "-1", "a.dat", "/", "#"])
_headers = st.lists(st.lists(st.one_of(_tokens, _words), max_size=10).map(" ".join), max_size=16).map("\n".join)


@settings(deadline=None)  # a busy machine is no fault
@given(st.one_of(_headers, st.text(max_size=400)))
def test_any_text_is_a_header_or_a_fault(text: str) -> None:
    try:
        header = parse_header(text)
    except RecordFault as fault:
        assert fault.reason in REASONS
    else:
        assert header.rate_hz > 0
        assert header.samples > 0
        assert len(header.names) == len(header.gains) == len(header.files) >= 1


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.integers(1, 400),
    st.integers(1, 5000),
    st.integers(0, 64),
    st.floats(1e-3, 1e7),
    st.integers(-40_000, 40_000),
    st.sampled_from(["mV", "uV", "V", "nV"]),
)
def test_what_is_written_in_a_header_is_read_back(
    samples: int, rate_hz: int, offset: int, gain: float, baseline: int, unit: str
) -> None:
    signal = np.zeros((12, samples), np.int16)
    text = header_text(
        signal, first=f"a 12 {rate_hz} {samples}", format=f"16+{offset}", gain=f"{gain!r}({baseline})/{unit}"
    )
    header = parse_header(text)
    assert (header.rate_hz, header.samples, header.names) == (rate_hz, samples, LEADS)
    assert set(zip(header.offsets, header.gains, header.baselines, header.units, strict=True)) == {
        (offset, gain, baseline, unit)
    }


def header_or_fault(read: Callable[[], wfdb_header.Header]) -> object:
    try:
        return read()
    except RecordFault as fault:
        return fault.reason, fault.field, fault.found, fault.expected


_edits = st.sampled_from(["", " ", "  ", "\n", "\r", "\t", "#", "/", "-", "0", "9" * 10, "a", "é", "\0", "16", "+24"])


@given(
    edits=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 3), _edits), max_size=3),
    leads=st.integers(1, 12),
    comments=st.sampled_from(["", "#Age: 74\n# Sex: Male\n", "#Dx: 1", "#a: b\n\n", "\n#a: b\n"]),
    numbers=st.tuples(st.integers(0, 2), st.integers(0, 1100)),
)
def test_the_usual_form_is_read_as_any_other(
    tmp_path_factory: pytest.TempPathFactory,
    edits: list[tuple[int, int, str]],
    leads: int,
    comments: str,
    numbers: tuple[int, int],
) -> None:
    """Headers of one kind after another, edited here and there: the fast way and the slow way say the same."""
    first = f"a {leads} {500 * numbers[0]} {numbers[1]}"
    text = header_text(signal_of(seed=numbers[1])[:leads], first=first, comments=comments)
    for place, dropped, put in edits:
        text = text[:place] + put + text[place + dropped :]
    stem = tmp_path_factory.getbasetemp() / "usual"
    stem.with_suffix(".hea").write_bytes(text.encode())
    if text.strip() and not text.lstrip().startswith("<"):
        assert header_or_fault(lambda: read_header(stem)) == header_or_fault(lambda: parse_header(text))


def test_the_usual_form_is_read_the_fast_way(tmp_path: Path) -> None:
    if wfdb_header._compiled() is None:
        pytest.skip("needs a C compiler")
    for form, comments in (("16", ""), ("16+24", "#Age: 74\n#Dx: 59118001\n")):
        signal = signal_of()
        text = header_text(signal, format=form, gain="1000/mV", comments=comments)
        checksum = int(signal[1].astype(np.int64).sum()) % 65536
        text = text.replace(f" {checksum} 0 II\n", f" {checksum - 65536} 0 II\n")  # some write it signed
        assert parse_header(text).checksums[1] == checksum
        assert wfdb_header._usual_header(text.encode()) == parse_header(text)
        assert wfdb_header._usual_header(text.replace("12 500", "12  500").encode()) is None


@given(st.integers(1, 70), st.integers(1, 24), st.integers(0, 2))
def test_samples_are_turned_and_summed_alike_with_and_without_a_compiler(
    samples: int, leads: int, without: int
) -> None:
    rng = np.random.default_rng(samples * leads)
    frames = rng.integers(-32_767, 32_768, (samples, leads)).astype("<i2")
    frames.reshape(-1)[rng.integers(0, frames.size, without)] = -32_768
    compiled = reader._lead_major(frames)
    reader._compiled.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEII_KERNEL", "reference")
        by_numpy = reader._lead_major(frames)
    reader._compiled.cache_clear()
    np.testing.assert_array_equal(compiled[0], frames.T)
    np.testing.assert_array_equal(compiled[0], by_numpy[0])
    np.testing.assert_array_equal(compiled[1].astype(np.uint16), by_numpy[1].astype(np.uint16))
    assert compiled[2] == by_numpy[2] == (without == 0)


def test_a_record_larger_than_the_kept_memory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = signal_of()
    stem = write_record(tmp_path, signal)
    monkeypatch.setattr(reader, "ROOM", 2 * signal.size)
    np.testing.assert_array_equal(read_record(stem).signal_uv, signal)
    stem.with_suffix(".dat").write_bytes(stem.with_suffix(".dat").read_bytes() + b"\0\0")
    assert fault_of(stem).reason == "wrong_length"


def test_records_do_not_share_memory(tmp_path: Path) -> None:
    first, second = signal_of(1), signal_of(2)
    one = read_record(write_record(tmp_path, first))
    read_record(write_record(tmp_path, second))
    np.testing.assert_array_equal(one.signal_uv, first)


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary(max_size=300))
def test_any_bytes_in_place_of_the_files_are_a_fault(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    stem = write_record(folder, signal_of())
    stem.with_suffix(".dat").write_bytes(raw)
    fault_of(stem)
    stem.with_suffix(".hea").write_bytes(raw)
    with pytest.raises(RecordFault):
        read_header(stem)
