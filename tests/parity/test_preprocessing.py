"""Our preprocessing against the numbers of antonior92/ecg-preprocessing (a940978) on real records."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeii.schema.leads import EIGHT, LEADS
from codeii.schema.params import Preprocessing
from codeii.schema.units import to_counts_uv
from codeii.tensors.filter import baseline_sos, notch, remove_baseline
from codeii.tensors.fused import kernel
from codeii.tensors.pipeline import INDEPENDENT, SCALE, UNITS, choose_leads, powerline_hz, prepare, preprocess
from codeii.tensors.resample import anti_aliasing, resample, resampled_length

ARRAY_LEADS = ("I", "II", "V1", "V5")  # rows of the arrays


def settings_of(args: dict[str, Any], entry: dict[str, Any]) -> Preprocessing:
    """The authors' arguments in our words; their `rate` and `length` of none are the record's own."""
    rate_hz = int(args.get("new_freq", entry["fs"]))
    settings = Preprocessing(
        mode="benchmark_compatible",
        rate_hz=rate_hz,
        samples=args.get("new_len", 1),
        leads="twelve" if args.get("use_all_leads") else "eight",
        placement="centre",
        baseline="elliptic" if args.get("remove_baseline") else "none",
        powerline_hz=int(args["remove_powerline"]) if "remove_powerline" in args else "none",
        normalisation="none",
    )
    if "new_len" in args:
        return settings
    # the whole of a record may be longer than a study's tensors are allowed to be
    return settings.model_copy(update={"samples": resampled_length(entry["n"], int(entry["fs"]), rate_hz)})


@cache
def read_mv(root: Path, source: str, reader: str) -> np.ndarray:
    """(12, sample) float64 as the reference read it: mV, or the stored values of CODE-15%."""
    path, _, row = str(root.parent / source).partition("#")
    if reader.startswith("wfdb"):
        import wfdb

        return np.ascontiguousarray(wfdb.rdrecord(path).p_signal.T)
    if reader.startswith("scipy"):
        from scipy.io import loadmat

        return np.ascontiguousarray(loadmat(path)["ECG"]["data"][0, 0], np.float64)
    import h5py

    with h5py.File(path, "r") as file:
        return np.ascontiguousarray(file["tracings"][int(row)].T, np.float64)


@cache
def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


def load(shared: Path) -> tuple[list[dict[str, Any]], dict[str, np.ndarray], dict[str, np.ndarray]]:
    folder = shared / "parity"
    index = json.loads((folder / "preprocess_index.json").read_text())
    return index["entries"], arrays(folder / "preprocess_edges.npz"), arrays(folder / "preprocess_full.npz")


def ours_mv(shared: Path, entry: dict[str, Any]) -> np.ndarray:
    signal_mv = read_mv(shared, entry["source"], entry["reader"])
    digest = hashlib.sha256(np.ascontiguousarray(signal_mv, "<f8").tobytes()).hexdigest()
    assert digest == entry["input_sha256_f64_C"]
    settings = settings_of(entry["args"], entry)
    prepared = prepare(signal_mv[np.newaxis] / SCALE, int(entry["fs"]), settings, mains_hz=60)[0] * SCALE
    return prepared * entry["args"].get("scale", 1)


RECORDS = (
    "ptbxl_00001_500",
    "ptbxl_00001_100",
    "cpsc_struct_A1981",
    "cpsc_struct_A1986",
    "ptbxl_00002_500",
    "ptbxl_00002_100",
    "challenge_cpsc_A0004",
    "challenge_first_A0017",
    "challenge_first_A0033",
    "challenge_ptb_S0005_1000",
    "challenge_chapman_JS00001",
    "code15_part0_row0_400",
)


@pytest.mark.parametrize("record", RECORDS)
def test_every_setting_gives_the_authors_numbers(shared: Path, record: str) -> None:
    entries, edges, full = load(shared)
    of_record = [entry for entry in entries if entry["record"] == record]
    assert len(of_record) == 13
    for entry in of_record:
        what = f"{record}|{entry['settings']}"
        if "error" in entry:
            with pytest.raises(ValueError, match="notch at 60 Hz needs records of at least 120 Hz, found 100 Hz"):
                ours_mv(shared, entry)
            continue
        ours = ours_mv(shared, entry)
        assert list(ours.shape) == entry["out_shape"], what
        for name in ("mean", "std", "min", "max"):
            found = getattr(ours, name)(axis=1)
            np.testing.assert_allclose(found, entry[name], rtol=1e-9, atol=1e-12, err_msg=f"{what} {name}")
        leads = LEADS if len(ours) == 12 else EIGHT
        four = ours[[leads.index(name) for name in ARRAY_LEADS]]
        middle = (four.shape[1] - 64) // 2
        parts = {"first64": four[:, :64], "mid64": four[:, middle : middle + 64], "last64": four[:, -64:]}
        for part, values in parts.items():
            np.testing.assert_allclose(values, edges[f"{what}|{part}"], rtol=0, atol=1e-6, err_msg=f"{what} {part}")
        if entry.get("full"):
            np.testing.assert_allclose(four, full[what], rtol=0, atol=1e-6, err_msg=what)


def test_the_index_holds_no_record_that_is_not_compared(shared: Path) -> None:
    entries, _, _ = load(shared)
    assert {entry["record"] for entry in entries} == set(RECORDS)


def test_filter_coefficients_are_the_authors(shared: Path) -> None:
    reference = arrays(shared / "parity" / "preprocess_coefficients.npz")
    compared = 0
    for name in reference:
        kind, *numbers = name.split("|")
        values = [int(number) for number in numbers]
        if kind == "baseline_sos":
            ours = baseline_sos(values[0])
        elif kind in ("notch_b", "notch_a"):
            ours = notch(values[1], values[0])[kind == "notch_a"]
        elif kind == "resample_fir":
            up = values[0] // np.gcd(*values)
            ours = anti_aliasing(up, values[1] // np.gcd(*values)) * up
        elif kind == "resample_impulse401at200":
            impulse = np.zeros(401)
            impulse[200] = 1
            ours = resample(impulse, values[1], values[0])
        else:
            assert kind == "resample_ones301"
            ours = resample(np.ones(301), values[1], values[0])
        np.testing.assert_allclose(ours, reference[name], rtol=1e-9, atol=1e-15, err_msg=name)
        compared += 1
    assert compared == 44


def test_counts_of_a_stored_record_are_the_authors_values_rounded_once(shared: Path) -> None:
    """From int16 microvolts, as stored, to int16 microvolts: half a count of rounding and nothing else."""
    _, _, full = load(shared)
    signal_mv = read_mv(shared, "shared/data/ptbxl/records500/00000/00001_hr", "wfdb")
    stored_uv = np.rint(signal_mv / SCALE).astype(np.int16)
    settings = Preprocessing(rate_hz=400, samples=4096, leads="eight", baseline="elliptic", powerline_hz="mains")
    counts = preprocess(stored_uv[np.newaxis], 500, settings, mains_hz=60).counts[0]
    assert counts.dtype == np.int16 and UNITS["none"] == "mV"
    four = counts[[EIGHT.index(name) for name in ARRAY_LEADS]] * SCALE
    np.testing.assert_allclose(four, full["ptbxl_00001_500|base_pl60_r400_len4096"], rtol=0, atol=0.5001e-3)


def test_eight_leads_of_the_group_are_made_like_its_older_network_data(shared: Path) -> None:
    """The nstemi_prediction chain: baseline, 400 Hz, 4096 samples, eight leads, no notch."""
    signal_mv = read_mv(shared, "shared/data/ptbxl/records500/00000/00002_hr", "wfdb")
    settings = Preprocessing(rate_hz=400, samples=4096, leads="eight", baseline="elliptic")
    by_hand = resample(remove_baseline(signal_mv, 500), 500, 400)[INDEPENDENT]
    ours = prepare(signal_mv[np.newaxis] / SCALE, 500, settings, mains_hz=50)[0] * SCALE
    np.testing.assert_allclose(ours[:, 48:4048], by_hand, rtol=0, atol=1e-12)
    assert not ours[:, :48].any() and not ours[:, 4048:].any()
    assert choose_leads(by_hand, "twelve").shape == (12, 4000)


# --- the compiled kernel


@cache
def stored_records(root: Path) -> list[tuple[str, int, np.ndarray]]:
    """Every recording of the sample as its source's reader gives it: name, rate, (12, sample) int16 uV."""
    from codeii.formats.wfdb import read_record

    found = []
    for header in sorted((root / "data").rglob("*.hea")):
        tracing = read_record(header.with_suffix(""))
        found.append((header.stem, tracing.rate_hz, tracing.signal_uv))
    for path in sorted((root / "data" / "cpsc2018").rglob("*.mat")):
        signal_mv = read_mv(root, str(path.relative_to(root.parent)), "scipy")
        found.append((path.stem, 500, np.clip(np.rint(signal_mv * 1000), -32_767, 32_767).astype(np.int16)))
    return found


EVERY_STEP = [
    {"baseline": "elliptic", "powerline_hz": "mains"},
    {"baseline": "elliptic", "powerline_hz": "mains", "leads": "twelve", "placement": "sections", "samples": 1000},
    {"baseline": "elliptic", "rate_hz": 100, "samples": 1000},
    {"powerline_hz": "mains", "rate_hz": 500, "samples": 5000, "placement": "first"},
    {"rate_hz": 250, "samples": 2500, "leads": "twelve"},
]


@pytest.mark.parametrize("changes", EVERY_STEP, ids=str)
def test_the_kernel_gives_the_references_counts_on_every_real_record(shared: Path, changes: dict[str, Any]) -> None:
    settings = Preprocessing.model_validate({"rate_hz": 400, "samples": 4096} | changes)
    records = stored_records(shared)
    assert len(records) == 374 and {rate_hz for _, rate_hz, _ in records} == {100, 500, 1000}
    for name, rate_hz, signal_uv in records:
        made = preprocess(signal_uv[np.newaxis], rate_hz, settings, mains_hz=50)
        expected = [to_counts_uv(row) for row in prepare(signal_uv[np.newaxis], rate_hz, settings, mains_hz=50)]
        np.testing.assert_array_equal(made.counts, np.stack([counts for counts, _ in expected]), err_msg=name)
        assert made.clipped.tolist() == [clipped for _, clipped in expected], name


@pytest.mark.parametrize("record", RECORDS)
def test_the_kernel_gives_the_references_counts_under_every_setting_of_the_authors(shared: Path, record: str) -> None:
    compared = 0
    for entry in load(shared)[0]:
        if entry["record"] != record or "error" in entry:
            continue
        rate_hz, settings = int(entry["fs"]), settings_of(entry["args"], entry)
        signal_mv = read_mv(shared, entry["source"], entry["reader"])
        stored_uv = np.clip(np.rint(signal_mv / SCALE), -32_767, 32_767).astype(np.int16)[np.newaxis]
        if kernel(rate_hz, settings, powerline_hz(settings, 60, rate_hz)) is None:
            pytest.skip("needs a C compiler")
        expected = [to_counts_uv(row)[0] for row in prepare(stored_uv, rate_hz, settings, mains_hz=60)]
        counts = preprocess(stored_uv, rate_hz, settings, mains_hz=60).counts
        np.testing.assert_array_equal(counts, np.stack(expected), err_msg=entry["settings"])
        compared += 1
    assert compared in (13, 10)  # 60 Hz is not within 100 Hz
