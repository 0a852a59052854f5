"""What a data set may contain that it should not: units, leads, lengths, noise and labels, through the real readers.

The experiments F42 to F46 of the project's list of faults: every one is excluded by name, flagged, or refused as a
whole, and nothing becomes zeros in silence.
"""

import ast
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import build_records

from codeii.artifacts.record_store import RecordStore, read_record_store
from codeii.formats.table import listed, sex_of, years_of
from codeii.formats.wfdb import read_record
from codeii.records.quality import examine
from codeii.schema.leads import LEADS
from codeii.schema.record import Exclusion, Record, RecordFault
from codeii.sources import code15, cpsc2018, ptbxl
from codeii.synthetic.build import synthesise
from codeii.synthetic.population import exam_of, plan
from codeii.synthetic.wfdb_files import write_challenge, write_wfdb

SECONDS_OF_EXAM = 10


def heart(seconds: float = SECONDS_OF_EXAM, rate_hz: int = 500) -> np.ndarray:
    """(12, sample) int16 uV: one synthetic exam, repeated with small noise to any length and rate."""
    exam = exam_of(next(plan("ptbxl", 1, 3)))
    signal = exam.tracings_mv[0].astype(np.float64) * 1000
    at = (np.arange(round(seconds * rate_hz)) * exam.rate_hz / rate_hz) % (signal.shape[1] - 1)
    noise = np.random.default_rng(0).normal(0, 3, (8, len(at)))
    out = np.stack([np.interp(at, np.arange(signal.shape[1]), lead) for lead in signal])
    out[[0, 1, *range(6, 12)]] += noise
    lead_i, lead_ii = out[:2]
    out[2:6] = lead_ii - lead_i, -(lead_i + lead_ii) / 2, lead_i - lead_ii / 2, lead_ii - lead_i / 2
    return np.rint(out).astype(np.int16)


def judged(signal: np.ndarray, rate_hz: int, folder: Path, **header: object) -> Record | Exclusion:
    """Written as WFDB, read by our reader, and put through the gates of CPSC 2018 (500 Hz) or CODE-II."""
    write_wfdb(folder / "a", signal, rate_hz, **header)  # type: ignore[arg-type]
    try:
        tracing = read_record(folder / "a")
    except RecordFault as fault:
        return fault.exclusion("a")
    record = Record("a", "a", "a", 1, tracing.signal_uv, tracing.rate_hz, {}, "", 60.0, "female", flags=tracing.flags)
    return examine(record, cpsc2018.CARD)


def flags_of(item: Record | Exclusion) -> set[str]:
    assert isinstance(item, Record), item
    return set(item.flags)


# --- F42: units ---

Twin = Callable[[str, int], Path]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    made: dict[str, Path] = {}

    def make(source: str, count: int = 12) -> Path:
        if source not in made:
            folder = tmp_path_factory.mktemp(source)
            settings = {"version": "1", "twin": {"records": count, "seed": 0}, "layout": {}}
            synthesise(source, settings, "c", folder / "raw")
            made[source] = folder / "raw"
        return made[source]

    return make


def built(source: str, raw: Path, folder: Path, max_faulty_share: float = 0.05, **layout: Any) -> RecordStore:
    from codeii.artifacts.raw_archive import write_raw_archive

    files = [path for path in raw.rglob("*") if path.is_file() and path.name not in ("manifest.json", "SHA256SUMS")]
    archive = write_raw_archive(folder / "raw", raw, files, source=source, origin="local", settings={}, code="c")
    settings = {"layout": layout, "max_faulty_share": max_faulty_share}
    build_records(archive, source, settings, "c", folder / "records")
    return read_record_store(folder / "records" / "manifest.json")


@pytest.mark.parametrize(
    ("gain", "what"),
    [
        ("1.0(0)/mV", r"12 of 12 records present are faulty|no record is left"),  # uV called mV
        ("1000.0(0)/V", r"no record is left"),  # mV called V
        ("1000.0(0)/uV", r"no record is left"),  # mV called uV: a thousandth
        ("200(0)/mV", r"the median record spans 1\d.* mV peak to peak, expected 1 to 6 mV"),  # early Challenge gains
        ("4880(0)/mV", r"the median record spans 0\.[45]\d+ mV peak to peak, expected 1 to 6 mV"),
        ("2000000(0)/mV", r"no record is left"),
    ],
)
def test_a_source_in_a_wrong_unit_or_gain_stops_with_the_unit_named(
    twin: Twin, tmp_path: Path, gain: str, what: str
) -> None:
    raw = tmp_path / "copy"
    shutil.copytree(twin("ptbxl", 12), raw)
    for header in raw.rglob("*_hr.hea"):
        header.write_text(header.read_text().replace("1000.0(0)/mV", gain))
    with pytest.raises(ValueError, match=what):
        built("ptbxl", raw, tmp_path, max_faulty_share=0.0)
    assert not (tmp_path / "records" / "manifest.json").exists()


@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (2.0, True), (1000.0, False), (1e-4, False)])
def test_only_the_pinned_factor_guards_code15_against_a_factor_of_two(
    twin: Twin, tmp_path: Path, factor: float, passes: bool
) -> None:
    """An amplitude gate cannot know twice the amplitude from a large heart: the factor is pinned in the source."""
    assert code15.STORED_PER_MV == 2.0 and "twice" in code15.CARD.unit
    raw = tmp_path / "copy"
    shutil.copytree(twin("code15", 12), raw)
    with h5py.File(raw / "exams_part0.hdf5", "r+") as file:
        file["tracings"][:] = file["tracings"][:] * factor
    if passes:
        store = built("code15", raw, tmp_path)
        usual = built("code15", twin("code15", 12), tmp_path / "usual").records["peak_to_peak_uv"]
        np.testing.assert_allclose(store.records["peak_to_peak_uv"], usual * factor, atol=3)
    else:
        with pytest.raises(ValueError, match=r"no record is left; .* 12 are faulty \(12 (wrong_amplitude|flat)\)"):
            built("code15", raw, tmp_path)


# --- F43: leads ---


def renamed(order: list[int], names: list[str] | None = None) -> dict[str, object]:
    return {"lead_names": names or [LEADS[row] for row in order]}


def test_leads_are_ordered_by_their_names_whatever_order_they_lie_in(tmp_path: Path) -> None:
    signal, order = heart(), [5, 0, 11, 3, 1, 7, 6, 2, 4, 10, 8, 9]
    item = judged(signal[order], 500, tmp_path, **renamed(order))
    assert isinstance(item, Record)
    np.testing.assert_array_equal(item.signal_uv, signal)


@pytest.mark.parametrize(
    ("order", "flag"),
    [
        ([0, 1, 2, 3, 5, 4, *range(6, 12)], "limb_leads_inconsistent"),  # aVL and aVF
        ([0, 6, 2, 3, 4, 5, 1, 7, 8, 9, 10, 11], "limb_leads_inconsistent"),  # II and V1: limb and chest
        ([*range(6), 6, 11, 8, 9, 10, 7], "swap_suspected:V2-V6"),
    ],
)
def test_leads_under_each_others_names_are_noticed(tmp_path: Path, order: list[int], flag: str) -> None:
    assert flag in flags_of(judged(heart()[order], 500, tmp_path))
    assert not flags_of(judged(heart(), 500, tmp_path))


def test_arms_exchanged_and_a_chest_lead_turned_over_are_suspected(tmp_path: Path) -> None:
    signal = heart()
    arms = signal.copy()
    arms[0], arms[1], arms[2], arms[3], arms[4] = -signal[0], signal[2], signal[1], signal[4], signal[3]
    assert flags_of(judged(arms, 500, tmp_path)) == {"swap_suspected:LA-RA"}
    turned = signal.copy()
    turned[LEADS.index("V4")] *= -1
    assert flags_of(judged(turned, 500, tmp_path)) == {"inversion_suspected:V4"}


@pytest.mark.parametrize(
    ("rows", "names", "found"),
    [
        ([*range(6), *range(7, 12)], None, "V1 is missing"),
        ([0, 1, 2, 3, 4, 5], None, "V1, V2, V3, V4, V5, V6 is missing"),
        (list(range(12)), [*LEADS[:9], "vx", "vy", "vz"], "'vx' is not one of the twelve"),  # Frank
        (list(range(12)), [*LEADS[:11], "V5"], "V5 is given more than once"),
        (list(range(12)), ["MLII", *LEADS[1:]], "'MLII' is not one of the twelve"),
    ],
)
def test_a_lead_that_is_missing_or_strange_is_an_exclusion_and_never_zeros(
    tmp_path: Path, rows: list[int], names: list[str] | None, found: str
) -> None:
    item = judged(heart()[rows], 500, tmp_path, **renamed(rows, names))
    assert isinstance(item, Exclusion) and item.reason == "wrong_leads"
    assert found in item.expected


def test_of_eight_leads_four_are_derived_and_that_is_said(tmp_path: Path) -> None:
    signal, rows = heart(), [0, 1, *range(6, 12)]
    item = judged(signal[rows], 500, tmp_path, **renamed(rows))
    assert flags_of(item) == {"leads_derived"}
    assert np.abs(item.signal_uv.astype(int) - signal).max() <= 1  # type: ignore[union-attr]


# --- F44: lengths and rates ---


@pytest.mark.parametrize(("samples", "reason"), [(1, "wrong_length"), (499, "wrong_length"), (500, ""), (3500, "")])
def test_a_record_shorter_than_a_second_is_left_out(tmp_path: Path, samples: int, reason: str) -> None:
    item = judged(heart()[:, :samples], 500, tmp_path)
    assert (item.reason if isinstance(item, Exclusion) else "") == reason


def test_a_record_without_a_sample_is_left_out(tmp_path: Path) -> None:
    item = judged(np.ones((12, 1), np.int16), 500, tmp_path)
    (tmp_path / "a.hea").write_text((tmp_path / "a.hea").read_text().replace("12 500 1", "12 500 0", 1))
    with pytest.raises(RecordFault) as caught:
        read_record(tmp_path / "a")
    assert caught.value.reason == "wrong_length" and isinstance(item, Exclusion)


@pytest.mark.parametrize("seconds", [1, 7, 60, 600])
def test_any_length_from_a_second_on_is_kept_whole_and_measured(tmp_path: Path, seconds: int) -> None:
    item = judged(heart(seconds), 500, tmp_path)
    assert isinstance(item, Record) and item.signal_uv.shape == (12, seconds * 500)
    assert item.measures is not None and 500 < item.measures.peak_to_peak_uv < 6000
    assert not set(item.flags) - {"repeated_stretch"}


@pytest.mark.parametrize("rate_hz", [100, 250, 257, 400, 500, 1000])
def test_only_the_rates_of_the_card_are_kept_and_measured_alike(tmp_path: Path, rate_hz: int) -> None:
    item = judged(heart(10, rate_hz), rate_hz, tmp_path)
    if rate_hz != 500:
        assert isinstance(item, Exclusion) and (item.reason, item.expected) == ("wrong_rate", "500")
    tracing = read_record(tmp_path / "a")
    kept = examine(
        Record("a", "a", "a", 1, tracing.signal_uv, rate_hz, {}, "", 60.0, "female"),
        type(ptbxl.CARD)(**{**_fields(ptbxl.CARD), "rates_hz": (rate_hz,)}),
    )
    assert isinstance(kept, Record) and kept.measures is not None
    assert kept.measures.peak_to_peak_uv == pytest.approx(np.ptp(heart().astype(int), axis=1).max(), rel=0.15)
    assert kept.measures.limb_residual < 0.02 and not kept.flags


def _fields(card: object) -> Mapping[str, Any]:
    return {name: getattr(card, name) for name in card.__slots__}  # type: ignore[attr-defined]


# --- F45: noise and no signal ---


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_an_exclusion(tmp_path: Path, twin: Twin, value: float) -> None:
    raw = tmp_path / "copy"
    shutil.copytree(twin("code15", 12), raw)
    with h5py.File(raw / "exams_part0.hdf5", "r+") as file:
        number = int(np.flatnonzero(file["exam_id"][:] == 3)[0])
        file["tracings"][number, 2000, 7] = value
    store = built("code15", raw, tmp_path, max_faulty_share=0.1)
    assert store.excluded[["record_id", "reason"]].to_numpy().tolist() == [["3", "no_value"]]


def test_the_value_that_means_none_in_the_format_is_an_exclusion(tmp_path: Path) -> None:
    signal = heart()
    signal[8, 100:110] = -32_768
    item = judged(signal, 500, tmp_path)
    assert isinstance(item, Exclusion) and item.reason == "no_value" and "10 samples" in item.found


@pytest.mark.parametrize("value", [0, 700])
def test_a_record_that_never_changes_is_an_exclusion(tmp_path: Path, value: int) -> None:
    item = judged(np.full((12, 5000), value, np.int16), 500, tmp_path)
    assert isinstance(item, Exclusion) and item.reason == "flat"


def test_one_flat_lead_saturation_hum_wander_pops_and_pacing_are_flagged_and_kept(tmp_path: Path) -> None:
    time_s = np.arange(5000) / 500
    row = LEADS.index("V3")
    for flag, change in {
        "flat_lead:V3": lambda lead: np.zeros(5000),
        "saturated:V3": lambda lead: np.where((time_s > 2) & (time_s < 3), 3000, lead),
        "still:V3": lambda lead: np.where((time_s > 2) & (time_s < 3.5), 10, lead),
        "mains": lambda lead: lead + 200 * np.sin(2 * np.pi * 50 * time_s),
        "wander": lambda lead: lead + 1800 * np.sin(2 * np.pi * 0.15 * time_s),
        "step": lambda lead: lead + 3500 * (np.arange(5000) % 450 == 7),
        "clipped": lambda lead: np.where(np.arange(5000) == 4, 32_767, lead),
        "offset": lambda lead: lead + 900,
    }.items():
        signal = heart()
        signal[row] = np.rint(change(signal[row].astype(np.float64)))
        assert flag in flags_of(judged(signal, 500, tmp_path)), flag


# --- F46: labels, ages, sexes ---


def challenge(folder: Path, *comments: str) -> Record | Exclusion:
    write_challenge(folder / "A0001", heart(), 500, list(comments))
    (found,) = cpsc2018.read_records(folder, {})
    return found


@pytest.mark.parametrize(
    ("said", "statements", "flags"),
    [
        ("59118001", ["59118001"], set()),
        ("59118001,164889003", ["59118001", "164889003"], set()),
        ("59118001, 59118001", ["59118001"], {"statement_twice"}),
        ("59118001,", ["59118001"], {"statement_empty"}),
        (",59118001,,164889003", ["59118001", "164889003"], {"statement_empty"}),
        ("59118001,59118001,", ["59118001"], {"statement_twice", "statement_empty"}),
        ("", [], set()),
        ("999", ["999"], set()),  # an unknown code is kept: the audit names it
    ],
)
def test_odd_lists_of_codes_are_read_once_each_and_flagged(
    tmp_path: Path, said: str, statements: list[str], flags: set[str]
) -> None:
    found = challenge(tmp_path, f"#Dx: {said}", "#Age: 50", "#Sex: Male")
    assert isinstance(found, Record)
    assert list(found.statements) == statements and set(found.flags) == flags
    assert listed(said, ",")[0] == statements


@pytest.mark.parametrize("age", ["NaN", "-1", "300", "", "abc", "inf", "121"])
def test_what_is_no_age_is_unknown_and_flagged(tmp_path: Path, age: str) -> None:
    found = challenge(tmp_path, "#Dx: 59118001", f"#Age: {age}")
    assert isinstance(found, Record)
    assert np.isnan(found.age_years) and found.flags == ("age_unknown",)
    assert found.sex == "unknown"  # no sex was given


@pytest.mark.parametrize(("age", "years"), [("0", 0.0), ("104", 104.0), ("57", 57.0)])
def test_an_age_is_kept(age: str, years: float) -> None:
    assert years_of(age) == (years, ())


@pytest.mark.parametrize(("word", "sex"), [("F", "female"), ("Male", "male"), ("", "unknown"), ("n/a", "unknown")])
def test_a_sex_is_one_of_three_words(word: str, sex: str) -> None:
    assert sex_of(word) == sex


@pytest.mark.parametrize(
    ("cell", "statements", "reason"),
    [
        ("{'NORM': 100.0, 'SR': 0.0}", {"NORM": 100.0, "SR": 0.0}, ""),
        ("{'NORM': 100.0, 'NORM': 50.0}", {"NORM": 50.0}, ""),
        ("{}", {}, ""),
        ("{'NORM': }", None, "bad_metadata"),
        ("['NORM']", None, "bad_metadata"),
        ("{'NORM': 1e999}", {"NORM": float("inf")}, ""),
        ("{'NORM': 9" + "9" * 400 + "}", None, "bad_metadata"),
        ("__import__('os').system('true')", None, "bad_metadata"),
    ],
)
def test_statements_of_ptbxl_are_a_dictionary_or_an_exclusion(
    twin: Twin, tmp_path: Path, cell: str, statements: dict[str, float] | None, reason: str
) -> None:
    import csv

    raw = twin("ptbxl", 12)
    with (raw / "ptbxl_database.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    row = {**rows[0], "scp_codes": cell}
    found = ptbxl._record(raw, row, 500)
    if statements is None:
        assert isinstance(found, Exclusion) and found.reason == reason
    else:
        assert isinstance(found, Record) and dict(found.statements) == statements
        assert ("statement_twice" in found.flags) == (cell.count("NORM") > 1)


NAMES = st.text("AB \\\n\r\0'\"", min_size=1, max_size=3)
DICTIONARIES = st.lists(st.tuples(NAMES, st.sampled_from(["100.0", "1", "1.", "-2.5", "1e3"])), max_size=3)


@given(
    st.text("{}':, 1.A", max_size=14)
    | DICTIONARIES.map(lambda rows: "{" + ", ".join(f"'{a}': {b}" for a, b in rows) + "}")
)
def test_statements_of_ptbxl_are_read_as_python_reads_them(cell: str) -> None:
    try:
        expected = {str(name): float(value) for name, value in ast.literal_eval(cell.strip()).items()}
    except (ValueError, SyntaxError, TypeError, AttributeError):
        with pytest.raises(RecordFault, match="scp_codes"):
            ptbxl._statements(cell)
        return
    assert ptbxl._statements(cell)[0] == expected
