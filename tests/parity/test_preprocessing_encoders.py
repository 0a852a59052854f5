"""The pipelines of `config/paper.yaml` that make inputs of published encoders, against their own numbers."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.parity.test_preprocessing import arrays, read_mv, stored_records

from codeii.schema.leads import LEADS
from codeii.schema.params import Preprocessing
from codeii.tensors.filter import keep_band, remove_median, remove_powerline
from codeii.tensors.pipeline import SCALE, prepare, preprocess, row_starts
from codeii.workflow.load import load_params

ROOT = Path(__file__).parents[2]
ENCODERS = ("ecgfounder_500hz", "hubert_ecg_100hz", "hubert_ecg_100hz_signal_correct", "ecg_fm_500hz")
FOUNDER_RECORDS = ("ptbxl_00001_500", "challenge_cpsc_A0004", "challenge_chapman_JS00001")
HUBERT_RECORDS = {
    "00001_hr": "shared/data/ptbxl/records500/00000/00001_hr",
    "A0004": "shared/data/challenge2021/training/cpsc_2018/g1/A0004",
}
SHOWN = [LEADS.index(name) for name in ("I", "II", "V1", "V5")]  # rows of the arrays
ADDED_MV = 1e-8  # by the reference, to the standard deviation it divides by


@cache
def pipeline(name: str) -> Preprocessing:
    return load_params([ROOT / "params.yaml", ROOT / "config/paper.yaml"]).preprocessing[name]


def made(name: str, signal_mv: np.ndarray, **changes: Any) -> np.ndarray:
    """(row, lead, sample) float64 of one record at 500 Hz, in the unit of the tensors."""
    settings = pipeline(name).model_copy(update=changes)
    return prepare(signal_mv[np.newaxis] / SCALE, 500, settings, mains_hz=50) * SCALE


def founder(shared: Path, record: str) -> tuple[np.ndarray, dict[str, Any], dict[str, np.ndarray]]:
    """(12, sample) mV, the statistics and the arrays of the reference."""
    folder = shared / "parity"
    entries = json.loads((folder / "extra_pipelines_and_training_steps.json").read_text())["ecgfounder_input"]
    every = arrays(folder / "extra_pipelines_and_training_steps.npz")
    parts = {part: every[f"ecgfounder_input|{record}|{part}"] for part in ("first256", "last256")}
    assert set(entries) == set(FOUNDER_RECORDS)
    return read_mv(shared, entries[record]["source"], "wfdb"), entries[record], parts


def band_by_polynomials(signal: np.ndarray) -> np.ndarray:
    """The band-pass with the rounding of the reference."""
    from scipy.signal import butter, filtfilt

    return filtfilt(*butter(4, [0.67, 40], "bandpass", fs=500), signal)


# --- ECGFounder


@pytest.mark.parametrize("record", FOUNDER_RECORDS)
def test_the_steps_of_ecgfounder_give_its_numbers_where_the_band_pass_is_rounded_as_there(
    shared: Path, record: str
) -> None:
    signal_mv, entry, parts = founder(shared, record)
    filtered = remove_median(band_by_polynomials(remove_powerline(signal_mv, 500, 50)), 500, 0.4)
    # The polynomials raise a last bit that processors round differently a millionfold: 1e-8 between two of them.
    np.testing.assert_allclose(filtered.mean(axis=1), entry["filtered_mean"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(filtered.std(axis=1), entry["filtered_std"], rtol=0, atol=1e-7)
    scaled = (filtered - filtered.mean()) / (filtered.std() + ADDED_MV)
    np.testing.assert_allclose(scaled[SHOWN, :256], parts["first256"], rtol=0, atol=6e-6)
    np.testing.assert_allclose(scaled[SHOWN, -256:], parts["last256"], rtol=0, atol=6e-6)


@pytest.mark.parametrize("record", FOUNDER_RECORDS)
def test_the_pipeline_gives_what_ecgfounder_gives_but_for_that_rounding(shared: Path, record: str) -> None:
    signal_mv, entry, parts = founder(shared, record)
    rows = made("ecgfounder_500hz", signal_mv)
    assert rows.shape == (-(-entry["shape"][1] // 5000), 12, 5000)
    np.testing.assert_allclose(rows[0, SHOWN, :256], parts["first256"], rtol=0, atol=6e-6)
    np.testing.assert_allclose(rows[-1, SHOWN, -256:], parts["last256"], rtol=0, atol=6e-6)
    np.testing.assert_allclose(rows.max(axis=(0, 2)), entry["z_max"], rtol=0, atol=6e-6)
    np.testing.assert_allclose(rows.min(axis=(0, 2)), entry["z_min"], rtol=0, atol=6e-6)


@pytest.mark.parametrize("record", FOUNDER_RECORDS)
def test_the_rounding_is_the_polynomials_not_ours(shared: Path, record: str) -> None:
    """Another unit, the same filter: the sections hardly notice, the polynomials by more than the tolerance."""
    signal_mv, _, _ = founder(shared, record)
    moved = {}
    for name, band in (("ours", lambda signal: keep_band(signal, 500)), ("polynomials", band_by_polynomials)):
        moved[name] = np.abs(band(signal_mv / SCALE) * SCALE - band(signal_mv)).max() / band(signal_mv).std()
    assert moved["ours"] < 1e-9 and moved["polynomials"] > 1e-6


@pytest.mark.parametrize("record", FOUNDER_RECORDS)
def test_computed_limb_leads_move_the_input_of_ecgfounder_by_what_the_file_rounds(shared: Path, record: str) -> None:
    signal_mv, _, _ = founder(shared, record)
    recorded, computed = (made("ecgfounder_500hz", signal_mv, limb_leads=word) for word in ("recorded", "computed"))
    assert 1e-4 < np.abs(recorded - computed).max() < 0.02


def test_tensors_of_ecgfounder_are_off_by_half_a_step_at_most(shared: Path) -> None:
    signal_mv, _, parts = founder(shared, "ptbxl_00001_500")
    stored_uv = np.rint(signal_mv / SCALE).astype(np.int16)
    counts = preprocess(stored_uv[np.newaxis], 500, pipeline("ecgfounder_500hz"), mains_hz=50).counts
    assert counts.dtype == np.int16 and counts[0].nbytes == 120_000
    np.testing.assert_allclose(counts[0, SHOWN, :256] * SCALE, parts["first256"], rtol=0, atol=0.5 * SCALE + 6e-6)


# --- HuBERT-ECG


@pytest.mark.parametrize("record", HUBERT_RECORDS)
def test_leads_joined_and_decimated_are_hubert_ecgs_input(shared: Path, record: str) -> None:
    reference = arrays(shared / "parity" / "networks_hubert_ecg_outputs.npz")[f"hubert_input_ds5|{record}"]
    rows = made("hubert_ecg_100hz", read_mv(shared, HUBERT_RECORDS[record], "wfdb"))
    assert rows.shape == (1, 12, 500)
    np.testing.assert_allclose(rows.reshape(-1), reference, rtol=0, atol=1e-6)


@pytest.mark.parametrize("record", HUBERT_RECORDS)
def test_leads_on_their_own_differ_from_hubert_ecgs_input_most_at_the_borders(shared: Path, record: str) -> None:
    signal_mv = read_mv(shared, HUBERT_RECORDS[record], "wfdb")
    apart = np.abs(made("hubert_ecg_100hz", signal_mv) - made("hubert_ecg_100hz_signal_correct", signal_mv))[0]
    borders = np.concatenate([apart[:, :10], apart[:, -10:]], axis=1)
    assert borders.max() > 2 * np.sqrt((apart[:, 20:-20] ** 2).mean())
    assert np.sqrt((apart[:, 20:-20] ** 2).mean()) < 0.03  # mV: the two low-passes, 40 and 50 Hz, on the same signal


# --- ECG-FM


def test_leads_of_ecg_fm_are_scaled_over_the_record_then_cut_into_sections(shared: Path) -> None:
    signal_mv = read_mv(shared, HUBERT_RECORDS["A0004"], "wfdb")  # 5,974 samples
    by_hand = (signal_mv - signal_mv.mean(axis=1, keepdims=True)) / signal_mv.std(axis=1, keepdims=True)
    rows = made("ecg_fm_500hz", signal_mv)
    expected = np.stack([by_hand[:, start : start + 2500] for start in (0, 2500, 5974 - 2500)])
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-9)


# --- every real record


@pytest.mark.parametrize("name", ENCODERS)
def test_every_real_record_gives_finite_tensors_or_is_refused_for_its_rate(shared: Path, name: str) -> None:
    settings, refused, taken = pipeline(name), 0, 0
    for record, rate_hz, signal_uv in stored_records(shared):
        stack = signal_uv[np.newaxis, :, : 30 * rate_hz]
        if settings.stored_rate_hz not in (None, rate_hz):
            with pytest.raises(ValueError, match=f"stored at 500 Hz, found {rate_hz} Hz"):
                preprocess(stack, rate_hz, settings, mains_hz=50)
            refused += 1
            continue
        tensors = preprocess(stack, rate_hz, settings, mains_hz=50)
        assert len(tensors.counts) == len(row_starts(stack.shape[-1], rate_hz, settings)), record
        assert tensors.counts.any() and tensors.flat_leads[0] < 12, record
        taken += 1
    assert taken + refused == 374 and (refused > 0) == (settings.stored_rate_hz is not None)
