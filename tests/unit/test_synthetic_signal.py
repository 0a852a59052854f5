"""The simulated electrocardiogram: the laws of the leads, reproducibility, and physiology measured on the signal."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from codeii.schema.leads import LEADS, limb_lead_residual
from codeii.synthetic.effects import apply
from codeii.synthetic.heart import Heart, draw_heart
from codeii.synthetic.rhythm import Beats
from codeii.synthetic.tracing import simulate

RATE_HZ = 500
SEEDS = range(5)


def heart_with(*findings: str, seed: int = 0) -> Heart:
    """A heart without any noise."""
    body = draw_heart(np.random.default_rng(seed), 58.0, "male" if seed % 2 else "female")
    silent = replace(body, white_uv=0.0, muscle_uv=0.0, mains_uv=0.0, wander_uv=0.0)
    return apply(silent, findings, np.random.SeedSequence(seed))


def traced(heart: Heart, seed: int = 0, seconds: int = 10, mains_hz: int = 60) -> tuple[dict[str, np.ndarray], Beats]:
    signal, beats = simulate(heart, seconds * RATE_HZ, RATE_HZ, mains_hz, np.random.SeedSequence(seed))
    return dict(zip(LEADS, signal, strict=True)), beats


def r_peaks_s(lead: dict[str, np.ndarray]) -> np.ndarray:
    """Times of QRS complexes from the summed steepness of all leads."""
    steep = sum(np.abs(np.diff(wave)) for wave in lead.values())
    steep = np.convolve(steep, np.ones(40) / 40, "same")
    above = np.flatnonzero((steep[1:-1] > steep[:-2]) & (steep[1:-1] >= steep[2:]) & (steep[1:-1] > 0.4 * steep.max()))
    peaks: list[int] = []
    for place in above:
        if not peaks or place - peaks[-1] > 0.22 * RATE_HZ:
            peaks.append(int(place))
    return np.array(peaks) / RATE_HZ


def inside(beats: Beats, seconds: float = 10.0) -> np.ndarray:
    """QRS onsets whose whole beat lies in the tracing."""
    usual = beats.qrs_s[~beats.ectopic]
    return usual[(usual > 0.5) & (usual < seconds - 0.8)]


def qrs_width_ms(lead: dict[str, np.ndarray], onset_s: float) -> float:
    """From the steepness of all leads: first to last sample above a twelfth of its largest value."""
    start = int((onset_s - 0.05) * RATE_HZ)
    steep = sum(np.abs(np.diff(wave[start : start + int(0.30 * RATE_HZ)])) for wave in lead.values())
    moving = np.flatnonzero(steep > steep.max() / 12)
    return float((moving[-1] - moving[0] + 1) / RATE_HZ * 1000)


def st_level_mv(lead: np.ndarray, heart: Heart, onsets_s: Iterable[float]) -> float:
    """20 ms after the end of QRS, against the level just before QRS; mean of all beats."""
    levels = []
    for onset in onsets_s:
        baseline = lead[int((onset - 0.012) * RATE_HZ)]
        levels.append(lead[int((onset + heart.qrs_ms / 1000 + 0.02) * RATE_HZ)] - baseline)
    return float(np.mean(levels))


@pytest.mark.parametrize("finding", ["", "arm_reversal", "dextrocardia", "poor_contact", "ventricular_pacing"])
def test_limb_leads_follow_einthoven_and_goldberger(finding: str) -> None:
    body = draw_heart(np.random.default_rng(3), 60.0, "male")
    heart = apply(body, [finding] if finding else [], np.random.SeedSequence(3))
    signal, _ = simulate(heart, 5000, RATE_HZ, 60, np.random.SeedSequence(3))
    assert signal.dtype == np.float32 and signal.shape == (12, 5000)
    assert limb_lead_residual(signal) < 1e-6


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    heart = heart_with("atrial_fibrillation", "tremor")
    one, again, other = (simulate(heart, 3000, 300, 60, np.random.SeedSequence(seed))[0] for seed in (7, 7, 8))
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize(
    "finding, low, high", [("", 58, 100), ("sinus_bradycardia", 38, 60), ("sinus_tachycardia", 98, 146)]
)
def test_the_measured_rate_is_that_of_the_rhythm(finding: str, low: float, high: float) -> None:
    for seed in SEEDS:
        lead, beats = traced(heart_with(*([finding] if finding else []), seed=seed), seed)
        peaks = r_peaks_s(lead)
        rate = 60 / np.diff(peaks).mean()
        assert low < rate < high
        assert rate == pytest.approx(60 / np.diff(beats.qrs_s).mean(), rel=0.06)


def test_fibrillation_is_irregular_and_has_no_p_wave_but_f_waves() -> None:
    def variation(finding: str) -> list[float]:
        spreads = []
        for seed in SEEDS:
            interval = np.diff(r_peaks_s(traced(heart_with(*([finding] if finding else []), seed=seed), seed, 20)[0]))
            spreads.append(interval.std() / interval.mean())
        return spreads

    assert min(variation("atrial_fibrillation")) > 0.10 > 2 * np.median(variation(""))
    heart = heart_with("atrial_fibrillation")
    lead, beats = traced(heart, seconds=20)
    assert len(beats.p_s) == 0
    spectrum = np.abs(np.fft.rfft(lead["V1"] - traced(replace(heart, f_mv=0.0), seconds=20)[0]["V1"])) ** 2
    strongest = np.fft.rfftfreq(20 * RATE_HZ, 1 / RATE_HZ)[spectrum.argmax()]
    assert 3.5 < strongest < 9.5


def test_flutter_waves_come_at_the_flutter_rate_and_point_down_in_the_inferior_leads() -> None:
    heart = heart_with("atrial_flutter")
    lead, beats = traced(heart)
    flutter = lead["II"] - traced(replace(heart, flutter_mv=0.0))[0]["II"]
    rates = np.fft.rfftfreq(len(flutter), 1 / RATE_HZ)
    assert rates[np.abs(np.fft.rfft(flutter)).argmax()] * 60 == pytest.approx(heart.flutter_bpm, abs=8)
    ratio = np.diff(beats.qrs_s) * heart.flutter_bpm / 60
    np.testing.assert_allclose(ratio, np.rint(ratio), atol=0.15)
    assert len(beats.p_s) == 0


@pytest.mark.parametrize("finding", ["left_bundle_block", "right_bundle_block", "ventricular_pacing", "preexcitation"])
def test_blocks_widen_qrs(finding: str) -> None:
    for seed in SEEDS:
        usual, wide = heart_with(seed=seed), replace(heart_with(finding, seed=seed), ventricular_spike_mv=0.0)
        (lead, beats), (of_wide, beats_of_wide) = traced(usual, seed), traced(wide, seed)
        narrow_ms = np.median([qrs_width_ms(lead, onset) for onset in inside(beats)])
        wide_ms = np.median([qrs_width_ms(of_wide, onset) for onset in inside(beats_of_wide)])
        assert 60 < narrow_ms < 112
        assert wide_ms > narrow_ms + 15
        if finding.endswith("bundle_block"):
            assert wide_ms > 106


def qrs_area(lead: np.ndarray, onsets_s: Iterable[float], first_s: float, last_s: float) -> float:
    return float(np.mean([lead[int((at + first_s) * RATE_HZ) : int((at + last_s) * RATE_HZ)].sum() for at in onsets_s]))


def test_bundle_blocks_have_their_forms() -> None:
    for seed in SEEDS:
        left, right = heart_with("left_bundle_block", seed=seed), heart_with("right_bundle_block", seed=seed)
        lead, beats = traced(left, seed)
        whole = left.qrs_ms / 1000
        assert qrs_area(lead["V1"], inside(beats), 0, whole) < 0 < qrs_area(lead["V6"], inside(beats), 0, whole)
        assert qrs_area(lead["I"], inside(beats), 0, whole) > 0
        assert qrs_area(lead["V6"], inside(beats), whole + 0.1, whole + 0.25) < 0, "T opposes QRS"
        lead, beats = traced(right, seed)
        whole = right.qrs_ms / 1000
        assert qrs_area(lead["V1"], inside(beats), 0.6 * whole, whole) > 0, "terminal R'"
        assert qrs_area(lead["V6"], inside(beats), 0.65 * whole, whole) < 0, "terminal S"
        assert qrs_area(lead["I"], inside(beats), 0.65 * whole, whole) < 0


@pytest.mark.parametrize(
    "finding, raised, lowered",
    [
        ("stemi_inferior", ("II", "III", "aVF"), ("I", "aVL")),
        ("stemi_anterior", ("V2", "V3", "V4"), ("III", "aVF")),
        ("stemi_lateral", ("V5", "V6", "aVL", "I"), ("III", "aVF")),
        ("st_depression", ("aVR",), ("II", "V4", "V5", "V6")),
        ("pericarditis", ("II", "I", "V5", "V6"), ("aVR",)),
    ],
)
def test_st_moves_in_its_territory_and_opposite_to_it(
    finding: str, raised: tuple[str, ...], lowered: tuple[str, ...]
) -> None:
    for seed in SEEDS:
        usual, ill = heart_with(seed=seed), heart_with(finding, seed=seed)
        (lead, beats), (of_ill, beats_of_ill) = traced(usual, seed), traced(ill, seed)
        for name, sign in [*((name, 1) for name in raised), *((name, -1) for name in lowered)]:
            level = st_level_mv(of_ill[name], ill, inside(beats_of_ill))
            before = st_level_mv(lead[name], usual, inside(beats))
            assert sign * (level - before) > 0.02, (name, level, before)


def test_the_j_point_of_a_normal_beat_lies_at_the_baseline() -> None:
    for seed in SEEDS:
        heart = heart_with(seed=seed)
        lead, beats = traced(heart, seed)
        assert max(abs(st_level_mv(lead[name], heart, inside(beats))) for name in ("I", "II", "aVF", "V5", "V6")) < 0.1


@pytest.mark.parametrize(
    "finding, low, high", [("", 120, 205), ("first_degree_block", 205, 330), ("short_pr", 85, 118)]
)
def test_pr_is_that_of_the_annotation_and_of_the_signal(finding: str, low: float, high: float) -> None:
    for seed in SEEDS:
        heart = replace(
            heart_with(*([finding] if finding else []), seed=seed), t_gain=0.0, st=np.zeros(8), u=np.zeros(8)
        )
        lead, beats = traced(heart, seed)
        annotated_ms = 1000 * np.nanmedian(beats.pr_s)
        assert low < annotated_ms < high
        onset = inside(beats)[3]
        before = lead["II"][int((onset - annotated_ms / 1000 - 0.06) * RATE_HZ) : int((onset - 0.02) * RATE_HZ)]
        p_wave = before - before[0]
        rises = np.flatnonzero(np.abs(p_wave) > 0.12 * np.abs(p_wave).max())[0]
        measured_ms = (len(before) - rises) / RATE_HZ * 1000 + 20
        assert measured_ms == pytest.approx(annotated_ms, abs=30)


def test_second_and_third_degree_block_lose_qrs_complexes() -> None:
    for finding in ("mobitz_one", "mobitz_two", "complete_block"):
        _, beats = traced(heart_with(finding), seconds=30)
        assert len(beats.p_s) > 1.15 * len(beats.qrs_s), finding
    _, wenckebach = traced(heart_with("mobitz_one"), seconds=30)
    growth = np.diff(wenckebach.pr_s)
    assert (growth[growth > -0.05] > 0).mean() > 0.9
    _, complete = traced(heart_with("complete_block"), seconds=30)
    to_last_p = [(onset - complete.p_s[complete.p_s < onset]).min() for onset in complete.qrs_s[3:]]
    assert np.std(to_last_p) > 0.1, "P waves and QRS complexes have nothing to do with each other"


def test_ventricular_beats_are_early_wide_and_followed_by_a_full_pause() -> None:
    heart = heart_with("ventricular_complexes")
    lead, beats = traced(heart)
    place = int(np.flatnonzero(beats.ectopic & (beats.qrs_s > 1) & (beats.qrs_s < 8.5))[0])
    usual = np.median(np.diff(beats.qrs_s))
    assert beats.rr_s[place] < 0.8 * usual
    assert beats.rr_s[place] + beats.rr_s[place + 1] == pytest.approx(2 * usual, rel=0.12)
    assert qrs_width_ms(lead, beats.qrs_s[place]) > 110
    _, bigeminy = traced(heart_with("ventricular_bigeminy"))
    assert (bigeminy.ectopic[::2] != bigeminy.ectopic[1::2][: len(bigeminy.ectopic[::2])]).all() or len(
        bigeminy.ectopic
    ) % 2


def test_qt_follows_rate_and_the_long_qt_is_longer() -> None:
    def t_end_s(heart: Heart) -> float:
        lead, beats = traced(heart)
        onset = inside(beats)[2]
        wave = lead["V4"][int((onset + 0.18) * RATE_HZ) : int((onset + 0.62) * RATE_HZ)]
        peak = int(np.abs(wave - wave[-1]).argmax())
        low = np.flatnonzero(np.abs(wave[peak:] - wave[-1]) < 0.1 * np.abs(wave[peak] - wave[-1]))
        return 0.18 + (peak + int(low[0])) / RATE_HZ

    slow = replace(heart_with(seed=1), bpm=55.0, rsa=0.0, p_gain=0.0, u=np.zeros(8))
    assert t_end_s(slow) > t_end_s(replace(slow, bpm=90.0)) + 0.03
    assert t_end_s(replace(slow, qtc_ms=520.0)) > t_end_s(slow) + 0.08


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_mains_hum_stands_out_at_the_mains_frequency(mains_hz: int) -> None:
    heart = apply(draw_heart(np.random.default_rng(5), 50.0, "female"), ["mains_hum"], np.random.SeedSequence(5))
    lead, _ = traced(heart, mains_hz=mains_hz)
    spectrum = np.abs(np.fft.rfft(lead["V2"] * np.hanning(5000))) ** 2
    rates = np.fft.rfftfreq(5000, 1 / RATE_HZ)
    near = (rates > 42) & (rates < 75)
    assert rates[near][spectrum[near].argmax()] == pytest.approx(mains_hz, abs=0.3)
    other = np.median(spectrum[near])
    assert spectrum[near].max() > 50 * other


def test_r_grows_over_the_chest_and_p_and_t_point_the_usual_way() -> None:
    for seed in range(12):
        lead, beats = traced(heart_with(seed=seed), seed)
        onset = int(inside(beats)[2] * RATE_HZ)
        beat = {name: wave[onset : onset + 50] for name, wave in lead.items()}
        assert beat["V1"].max() < beat["V4"].max() and -beat["V1"].min() > beat["V1"].max() > 0.03
        assert -beat["V2"].min() > -beat["V6"].min()
        assert beat["aVR"].sum() < 0
        p_wave = slice(onset - 100, onset - 20)
        assert lead["II"][p_wave].max() > 0.04 and lead["aVR"][p_wave].min() < -0.03
        t_wave = slice(onset + 90, onset + 200)
        assert lead["II"][t_wave].max() > 0.05 and lead["V5"][t_wave].max() > 0.08 and lead["aVR"][t_wave].min() < -0.05
