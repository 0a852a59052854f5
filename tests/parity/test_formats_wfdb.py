"""Our WFDB reader against the wfdb package and SciPy, on published recordings."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from codeii.formats.wfdb import read_record
from codeii.schema.leads import LEADS, in_standard_order
from codeii.schema.record import RecordFault

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


def stems_below(folder: Path) -> list[Path]:
    return [path.with_suffix("") for path in sorted(folder.rglob("*.hea"))]


@pytest.mark.parametrize(("folder", "rate_hz"), [("records500", 500), ("records100", 100)])
def test_every_ptbxl_record_equals_the_wfdb_package(shared: Path, folder: str, rate_hz: int) -> None:
    import wfdb

    stems = stems_below(shared / "data" / "ptbxl" / folder)
    assert len(stems) == 149
    for stem in stems:
        theirs = wfdb.rdrecord(str(stem))
        ours = read_record(stem)
        expected = in_standard_order(np.rint(theirs.p_signal.T * 1000), theirs.sig_name)
        np.testing.assert_array_equal(ours.signal_uv, expected, err_msg=stem.name)
        assert (ours.rate_hz, ours.flags) == (rate_hz, ())


@pytest.mark.parametrize("folder", ["challenge2020_first_release", "challenge2021", "challenge2021_wfdb_style"])
def test_every_challenge_record_equals_its_matlab_matrix(shared: Path, folder: str) -> None:
    stems = stems_below(shared / "data" / folder)
    assert stems
    for stem in stems:
        ours = read_record(stem)
        np.testing.assert_array_equal(ours.signal_uv, loadmat(stem.with_suffix(".mat"))["val"], err_msg=stem.name)
        assert {"age", "sex", "dx"} <= set(ours.notes)


def test_a_record_that_the_wfdb_package_refuses_is_read(shared: Path) -> None:
    import wfdb

    stem = shared / "data" / "challenge2021" / "training" / "georgia" / "g1" / "E00271"
    with pytest.raises(wfdb.io.header.HeaderSyntaxError):
        wfdb.rdrecord(str(stem))
    assert read_record(stem).signal_uv.shape == (12, 5000)


def test_flat_chest_leads_and_a_spike_of_the_published_files_are_kept(shared: Path) -> None:
    flat = read_record(shared / "data" / "challenge2021" / "training" / "ningbo" / "g35" / "JS45542")
    assert not flat.signal_uv[6:].any()
    assert flat.signal_uv[:6].any(axis=1).all()
    spike = shared / "data" / "ptbxl" / "records500" / "00000" / "00162_hr"
    if spike.with_suffix(".hea").is_file():
        signal = read_record(spike).signal_uv.astype(int)
        closes = signal[LEADS.index("aVR")] + (signal[0] + signal[1]) / 2
        assert set(np.flatnonzero(np.abs(closes) > 1000)) <= set(range(790, 801))


def test_a_flipped_bit_that_the_wfdb_package_accepts_is_refused(shared: Path, tmp_path: Path) -> None:
    import wfdb

    stem = shared / "data" / "ptbxl" / "records500" / "00000" / "00001_hr"
    (tmp_path / "00001_hr.hea").write_bytes(stem.with_suffix(".hea").read_bytes())
    raw = bytearray(stem.with_suffix(".dat").read_bytes())
    raw[12_345] ^= 4
    (tmp_path / "00001_hr.dat").write_bytes(raw)
    assert wfdb.rdrecord(str(tmp_path / "00001_hr")).p_signal.shape == (5000, 12)
    with pytest.raises(RecordFault) as caught:
        read_record(tmp_path / "00001_hr")
    assert caught.value.reason == "wrong_checksum"
