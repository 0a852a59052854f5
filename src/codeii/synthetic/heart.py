"""Everything the simulator knows of one person at one exam: rhythm, conduction, muscle, electrodes and noise."""

from dataclasses import dataclass, field, replace

import numpy as np

from codeii.synthetic.read_tables import lead_field, patterns


def _eight() -> np.ndarray:
    return np.zeros(8)


@dataclass(frozen=True, slots=True)
class Heart:
    """Numbers a finding may change. Vectors are (8,) over `EIGHT`; 0 means absent unless said otherwise."""

    body: np.ndarray  # (8, 3) lead field of this body
    # rhythm
    bpm: float = 70.0
    rsa: float = 0.03  # respiratory sinus arrhythmia, share of the interval
    breath_hz: float = 0.25
    jitter: float = 0.01  # standard deviation of successive intervals, share
    irregular: float = 0.0  # coefficient of variation of unordered intervals (fibrillation)
    pause_s: float = 0.0
    tachycardia_bpm: float = 0.0  # rate of a paroxysm
    tachycardia_share: float = 0.0  # share of the tracing that is in paroxysm
    pac: float = 0.0  # share of beats that are premature atrial
    pvc: float = 0.0  # share of beats that are premature ventricular
    pvc_every: float = 0.0  # 2 bigeminy, 3 trigeminy
    # atria and atrioventricular node
    pr_ms: float = 155.0
    pr_growth_ms: float = 0.0  # per beat of a Wenckebach cycle
    drop_every: float = 0.0  # every n-th P wave is not conducted
    dissociated: float = 0.0  # 1: no P wave is conducted
    escape_bpm: float = 0.0
    p_gain: float = 1.0
    p_right: float = 1.0
    p_left: float = 1.0
    p_ms: float = 100.0
    p_wander: float = 0.0  # spread of P size and sign from beat to beat
    f_mv: float = 0.0  # fibrillatory waves in V1
    flutter_mv: float = 0.0
    flutter_bpm: float = 300.0
    flutter_vary: float = 0.0  # probability that the conduction ratio changes
    flutter_ratio: float = 0.0
    atrial_spike_mv: float = 0.0
    ventricular_spike_mv: float = 0.0
    # ventricles
    qrs: str = "normal"
    ectopic: str = "ectopic_right"
    qrs_ms: float = 88.0
    qrs_gain: float = 1.0
    axis_deg: float = 45.0  # of QRS in the frontal plane
    turn_deg: float = 0.0  # in the horizontal plane, positive: transition moves to V2
    notch: float = 0.0
    qtc_ms: float = 405.0
    t_gain: float = 1.0
    t_width: float = 1.0
    discordance: float = 0.0  # share of the T wave that opposes QRS
    alternans: float = 0.0
    q: np.ndarray = field(default_factory=_eight)  # depth of early negative force, mV
    r: np.ndarray = field(default_factory=_eight)  # added to the main QRS force, mV
    r_loss: np.ndarray = field(default_factory=_eight)  # share of the R wave lost
    st: np.ndarray = field(default_factory=_eight)  # ST level, mV
    j: np.ndarray = field(default_factory=_eight)  # J wave, mV
    scoop: np.ndarray = field(default_factory=_eight)  # sagging ST, mV
    t: np.ndarray = field(default_factory=_eight)  # added to T, mV
    t_turn: np.ndarray = field(default_factory=_eight)  # share of T taken away; above 1 it inverts
    u: np.ndarray = field(default_factory=_eight)  # U wave, mV
    # recording
    arms: float = 0.0  # 1: arm electrodes exchanged
    mirror: float = 0.0  # 1: dextrocardia
    white_uv: float = 4.0
    muscle_uv: float = 6.0
    tremor_uv: float = 0.0
    mains_uv: float = 4.0
    wander_uv: float = 35.0
    contact_uv: float = 0.0


def draw_heart(rng: np.random.Generator, age_years: float, sex: str) -> Heart:
    """A healthy adult's heart and body: differences between people, with the effects of age and sex.

    Size and direction of effects follow the usual normal limits: PR, P and QRS lengthen with age and the axis moves
    left; women have shorter QRS, longer QTc, smaller voltages and T waves; young men have an elevated J point in V2-V4.
    """
    n = rng.standard_normal(16)
    old = np.clip((age_years - 50) / 30, -1.2, 1.4)
    male = float(sex == "male")
    tall = np.exp(0.20 * n[0] + 0.06 * (male - 0.5) - 0.05 * old)
    gain = np.exp(0.13 * rng.standard_normal((8, 1)) * np.array([[0.6], [0.6], [1], [1], [1], [1], [1], [1]]))
    body = lead_field() * gain + 0.035 * rng.standard_normal((8, 3))
    young_st = max(0.0, 0.035 + 0.02 * n[1]) * (0.4 + 0.6 * male) * (1 - 0.35 * old)
    return Heart(
        body=body,
        bpm=float(np.clip(71 + 10 * n[2] + 2 * (1 - male), 61, 96)),
        rsa=float(np.clip(0.035 * np.exp(0.5 * n[3]) * (1 - 0.6 * old), 0.004, 0.07)),
        breath_hz=float(np.clip(0.24 + 0.04 * n[4], 0.15, 0.35)),
        jitter=0.008,
        pr_ms=float(np.clip(154 + 17 * n[5] + 6 * old, 122, 196)),
        p_gain=float(np.exp(0.20 * n[6])),
        p_ms=float(np.clip(100 + 7 * n[7] + 3 * old, 82, 115)),
        qrs_ms=float(np.clip(87 + 5 * male + 6 * n[8] + 1.5 * old, 72, 106)),
        qrs_gain=float(tall),
        axis_deg=float(np.clip(48 + 22 * n[9] - 14 * old, -22, 86)),
        turn_deg=float(np.clip(11 * n[10], -25, 25)),
        qtc_ms=float(np.clip(402 + 12 * (1 - male) + 14 * n[11], 368, 444)),
        t_gain=float(np.exp(0.22 * n[12]) * (0.86 + 0.22 * male) * (1 - 0.12 * old)),
        st=young_st * patterns()["mid_chest"] + 0.010 * n[13] * patterns()["diffuse"],
        u=max(0.0, 0.015 + 0.012 * n[14]) * patterns()["u_wave"],
    )


def draw_recording(rng: np.random.Generator, heart: Heart) -> Heart:
    """The same heart with the noise of one visit: device, muscle, mains and baseline, all within what is accepted."""
    n = rng.standard_normal(4)
    return replace(
        heart,
        white_uv=float(3.5 * np.exp(0.3 * n[0])),
        muscle_uv=float(5 * np.exp(0.6 * n[1])),
        mains_uv=float(4 * np.exp(0.8 * n[2])),
        wander_uv=float(35 * np.exp(0.5 * n[3])),
    )
