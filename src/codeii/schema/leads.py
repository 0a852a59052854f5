"""The twelve standard leads, their order, their spellings and the arithmetic of the limb leads."""

import numpy as np

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
LEAD_SETS = {"eight": EIGHT, "twelve": LEADS}

_STANDARD = {name.upper(): name for name in LEADS} | {"DI": "I", "DII": "II", "DIII": "III"}

# Rows III, aVR, aVL, aVF as combinations of I and II (Einthoven 1913, Goldberger 1942).
_FROM_I_AND_II = {
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}


def standard_name(spelling: str) -> str:
    """Name of a lead in `LEADS` for any spelling the field uses (`AVR`, `avr`, `DI`, ` V1 `).

    Raises ValueError on a lead that is not one of the twelve.
    """
    name = _STANDARD.get(spelling.strip().upper().removeprefix("LEAD ").strip())
    if name is None:
        raise ValueError(f"lead {spelling!r} is not one of the twelve standard leads {', '.join(LEADS)}")
    return name


def in_standard_order(signal: np.ndarray, names: list[str] | tuple[str, ...]) -> np.ndarray:
    """Reorder the rows of a signal to `LEADS`, filling III, aVR, aVL and aVF from I and II.

    Parameters
    ----------
    signal : (lead, sample) array, any unit
    names : one spelling per row of `signal`

    Returns
    -------
    (12, sample) array, same dtype and unit. Derived leads of an integer signal are rounded to the nearest integer.

    Raises
    ------
    ValueError
        A lead is unknown, given twice, or missing and not derivable.

    Notes
    -----
    Limb leads follow Einthoven and Goldberger: III = II - I, aVR = -(I + II)/2,
    aVL = I - II/2, aVF = II - I/2. A limb lead the source recorded is kept as recorded.
    """
    if len(names) != len(signal):
        raise ValueError(f"{len(names)} lead names for {len(signal)} rows of signal")
    standard = [standard_name(name) for name in names]
    twice = sorted({name for name in standard if standard.count(name) > 1})
    if twice:
        raise ValueError(f"lead {', '.join(twice)} is given more than once")
    row = {name: index for index, name in enumerate(standard)}
    missing = [name for name in EIGHT if name not in row]
    if missing:
        raise ValueError(f"lead {', '.join(missing)} is missing and cannot be derived from the others")
    if standard == list(LEADS):
        return signal
    out = np.empty((12, signal.shape[1]), signal.dtype)
    for index, name in enumerate(LEADS):
        out[index] = signal[row[name]] if name in row else derive(name, signal[row["I"]], signal[row["II"]])
    return out


def derive(name: str, lead_i: np.ndarray, lead_ii: np.ndarray) -> np.ndarray:
    """Limb lead `name` (III, aVR, aVL or aVF) from leads I and II, in their dtype and unit."""
    of_i, of_ii = _FROM_I_AND_II[name]
    if np.issubdtype(lead_i.dtype, np.integer):
        limits = np.iinfo(lead_i.dtype)
        exact = of_i * lead_i.astype(np.float64) + of_ii * lead_ii.astype(np.float64)
        return np.clip(np.rint(exact), limits.min, limits.max).astype(lead_i.dtype)
    return (of_i * lead_i + of_ii * lead_ii).astype(lead_i.dtype)


def largest_limb_lead_gap(signal: np.ndarray) -> float:
    """Largest distance, at any sample, between a recorded III, aVR, aVL or aVF and the one derived from I and II.

    signal : (12, sample) array in `LEADS` order  ->  in the signal's unit.
    """
    lead = {name: signal[index].astype(np.float64) for index, name in enumerate(LEADS[:6])}
    return float(max(np.abs(lead[name] - derive(name, lead["I"], lead["II"])).max() for name in _FROM_I_AND_II))


def limb_lead_residual(signal: np.ndarray) -> float:
    """Largest root-mean-square residual of Einthoven's and Goldberger's laws over that of the limb leads.

    signal : (12, sample) array in `LEADS` order, any unit  ->  dimensionless; 0 for a consistent record,
    about 1 for wrong leads. A flat record gives 0.
    """
    lead = {name: signal[index].astype(np.float64) for index, name in enumerate(LEADS[:6])}
    size = np.sqrt(np.mean([lead[name].var() for name in ("I", "II")]))
    if size == 0:
        return 0.0
    gaps = [(lead[name] - derive(name, lead["I"], lead["II"])).std() for name in _FROM_I_AND_II]
    return float(max(gaps) / size)
