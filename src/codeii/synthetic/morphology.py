"""How a beat looks: amplitudes of its waves in the eight leads, from the numbers of a heart."""

from dataclasses import dataclass

import numpy as np

from codeii.synthetic.heart import Heart
from codeii.synthetic.read_tables import QrsShape, lead_field, qrs_shapes

# Heart vectors in mV (x left, y foot, z back).
T_VECTOR = np.array([0.34, 0.25, -0.17])
P_RIGHT = np.array([0.045, 0.105, -0.075])
P_LEFT = np.array([0.075, 0.055, 0.055])
NOMINAL_AXIS_DEG = 64.0  # frontal axis of the shape "normal" as tabulated
DISCORDANT_T_PER_S = 4.2  # secondary T amplitude over QRS area
DISCORDANT_ST_PER_S = 0.8
Q_AT, Q_WIDTH = 0.26, 0.115  # of an infarct's early force, shares of QRS duration
R_AT, R_WIDTH = 0.50, 0.11


@dataclass(frozen=True, slots=True)
class BeatShape:
    """Waves of one kind of beat over `EIGHT`; times are seconds after the start of QRS."""

    qrs_peak_s: np.ndarray  # (part,)
    qrs_width_s: np.ndarray  # (part,)
    qrs_mv: np.ndarray  # (8, part)
    duration_s: float
    st_mv: np.ndarray  # (8,)
    t_mv: np.ndarray  # (8,)
    t_width: float
    qtc_s: float
    j_mv: np.ndarray  # (8,)
    scoop_mv: np.ndarray  # (8,)
    u_mv: np.ndarray  # (8,)


@dataclass(frozen=True, slots=True)
class PShape:
    """A P wave: right and left atrial parts; times are seconds after its start."""

    peak_s: np.ndarray  # (2,)
    width_s: np.ndarray  # (2,)
    mv: np.ndarray  # (8, 2)
    duration_s: float


def p_shape(heart: Heart) -> PShape:
    """The P wave: the right atrium first, the left atrium after it."""
    duration = heart.p_ms / 1000
    vectors = heart.p_gain * np.stack([heart.p_right * P_RIGHT, heart.p_left * P_LEFT])
    peak, width = np.array([0.36, 0.66]) * duration, np.array([0.155, 0.155]) * duration
    return PShape(peak, width, heart.body @ vectors.T, duration)


def main_shape(heart: Heart) -> BeatShape:
    """The beat the rhythm usually makes."""
    shape = qrs_shapes()[heart.qrs]
    duration = heart.qrs_ms / 1000
    peak, width, qrs = _qrs(heart, shape, duration)
    qrs = np.where(qrs > 0, qrs * (1 - np.clip(heart.r_loss, 0, 0.95))[:, None], qrs)
    peak = np.concatenate([peak, [Q_AT * duration, R_AT * duration]])
    width = np.concatenate([width, [Q_WIDTH * duration, R_WIDTH * duration]])
    qrs = np.column_stack([qrs, -heart.q, heart.r])
    if heart.notch:
        peak, width, qrs = _notched(heart, duration, peak, width, qrs)
    area = (qrs * width).sum(axis=1) * np.sqrt(2 * np.pi)
    primary = heart.t_gain * (heart.body @ T_VECTOR) * (1 - heart.t_turn)
    return BeatShape(
        qrs_peak_s=peak,
        qrs_width_s=width,
        qrs_mv=qrs,
        duration_s=duration,
        st_mv=heart.st - heart.discordance * DISCORDANT_ST_PER_S * area,
        t_mv=(1 - 0.8 * heart.discordance) * primary - heart.discordance * DISCORDANT_T_PER_S * area + heart.t,
        t_width=heart.t_width,
        qtc_s=heart.qtc_ms / 1000 + max(0.0, duration - 0.105) * (heart.discordance > 0),
        j_mv=heart.j,
        scoop_mv=heart.scoop,
        u_mv=heart.u,
    )


def ectopic_shape(heart: Heart) -> BeatShape:
    """A beat that starts in the ventricle: wide, tall, and its T wave opposes it."""
    shape = qrs_shapes()[heart.ectopic]
    duration = max(0.142, 1.15 * heart.qrs_ms / 1000)
    peak, width, qrs = _qrs(heart, shape, duration)
    area = (qrs * width).sum(axis=1) * np.sqrt(2 * np.pi)
    none = np.zeros(8)
    st, t = -DISCORDANT_ST_PER_S * area, -0.75 * DISCORDANT_T_PER_S * area
    return BeatShape(peak, width, qrs, duration, st, t, 1.1, heart.qtc_ms / 1000 + 0.03, none, none, none)


def _qrs(heart: Heart, shape: QrsShape, duration_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peaks, widths and (8, part) amplitudes of a shape in this body, stretched to `duration_s`."""
    stretch = duration_s / shape.duration_s
    frontal = _heart_angle(heart.axis_deg) - _heart_angle(NOMINAL_AXIS_DEG)
    vectors = [
        _turned(vector, turns * frontal, turns * heart.turn_deg)
        for vector, turns in zip(shape.vector_mv, shape.turns, strict=True)
    ]
    amplitude = heart.qrs_gain * (heart.body @ np.array(vectors).T)
    return shape.peak_s * stretch, shape.width_s * stretch, amplitude


def _heart_angle(axis_deg: float) -> float:
    """Angle of the heart vector, degrees below the left arm, that gives this axis in the limb leads.

    The axis is read from leads I and aVF, which do not see the heart at a right angle: the lead field is inverted.
    """
    field = lead_field()[:, :2]
    limb = np.stack([field[0], (field[1] - field[0] / 2) * 2 / np.sqrt(3)])
    x, y = np.linalg.solve(limb, [np.cos(np.deg2rad(axis_deg)), np.sin(np.deg2rad(axis_deg))])
    return float(np.rad2deg(np.arctan2(y, x)))


def _turned(vector: np.ndarray, frontal_deg: float, horizontal_deg: float) -> np.ndarray:
    """Rotate a heart vector in the frontal plane (positive: towards the feet), then in the horizontal plane."""
    a, b = np.deg2rad(frontal_deg), np.deg2rad(horizontal_deg)
    x, y, z = vector
    x, y = x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)
    x, z = x * np.cos(b) + z * np.sin(b), -x * np.sin(b) + z * np.cos(b)
    return np.array([x, y, z])


def _notched(
    heart: Heart, duration_s: float, peak: np.ndarray, width: np.ndarray, qrs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fragment QRS: a narrow dent in the main force and a knuckle after it."""
    tall = heart.notch * heart.qrs_gain * np.abs(heart.body).sum(axis=1)
    peak = np.concatenate([peak, [0.55 * duration_s, 0.80 * duration_s]])
    width = np.concatenate([width, [0.035 * duration_s, 0.045 * duration_s]])
    return peak, width, np.column_stack([qrs, -tall, 0.6 * tall])
