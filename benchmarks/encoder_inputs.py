"""How fast the inputs of published encoders are made, against their authors' chains taken record by record.

Run: python benchmarks/encoder_inputs.py [--records 24] [--rounds 7]

Both sides work in SciPy, on records in memory, in one process and one thread, to int16 counts; that these agree is
checked before the clock starts. Theirs designs its filters for every record and filters each lead on its own, as their
code does; the leads are those that were recorded.
"""

import argparse
from collections.abc import Callable

import numpy as np
from harness import PROCESSOR, ROOT, WALL, as_a_job, both_clocks, report
from scipy.signal import butter, decimate, filtfilt, iirnotch, medfilt, resample_poly

from codeii.schema.leads import LEADS
from codeii.schema.units import to_counts_uv
from codeii.tensors.pipeline import SCALE, preprocess
from codeii.workflow.load import load_params

RATE_HZ, SAMPLES = 500, 5000
BASELINE = "record by record"
LARGEST_DIFFERENCE = 1  # of counts: where the rounding of their band-pass falls on another side


def ecgfounder(signal_uv: np.ndarray) -> np.ndarray:
    """Notch, band-pass, running median, each lead by itself; then one scale over the record."""
    out = np.empty(signal_uv.shape)
    for number, lead in enumerate(signal_uv):
        notched = filtfilt(*iirnotch(50, 30, RATE_HZ), lead)
        out[number] = filtfilt(*butter(4, [0.67, 40], "bandpass", fs=RATE_HZ), notched)
        out[number] -= medfilt(out[number], 201)
    return (out - out.mean()) / out.std() / SCALE


def hubert_ecg(signal_uv: np.ndarray) -> np.ndarray:
    """The first 5 s, all leads as one signal, every fifth sample."""
    return decimate(signal_uv[:, :2500].reshape(-1), 5).reshape(len(LEADS), -1)


def hubert_ecg_by_lead(signal_uv: np.ndarray) -> np.ndarray:
    """Each lead on its own."""
    return np.stack([resample_poly(lead, 1, 5) for lead in signal_uv])[:, :500]


def ecg_fm(signal_uv: np.ndarray) -> np.ndarray:
    """Each lead to zero mean and unit variance, in two sections."""
    scaled = (signal_uv - signal_uv.mean(axis=1, keepdims=True)) / signal_uv.std(axis=1, keepdims=True) / SCALE
    return np.stack([scaled[:, :2500], scaled[:, 2500:]])


CHAINS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ecgfounder_500hz": ecgfounder,
    "hubert_ecg_100hz": hubert_ecg,
    "hubert_ecg_100hz_signal_correct": hubert_ecg_by_lead,
    "ecg_fm_500hz": ecg_fm,
}


def records_uv(count: int) -> np.ndarray:
    """(record, 12, sample) int16: slow drift and noise, which cost a filter as much as a heart does."""
    walk = np.random.default_rng(0).normal(0, 20, (count, len(LEADS), SAMPLES)).cumsum(axis=-1)
    return np.clip(walk, -32_767, 32_767).astype(np.int16)


def compare(name: str, records: int, rounds: int) -> str:
    settings = load_params([ROOT / "params.yaml", ROOT / "config/paper.yaml"]).preprocessing[name]
    signals_uv = records_uv(records)

    def theirs() -> np.ndarray:
        made = np.stack([to_counts_uv(CHAINS[name](signal))[0] for signal in signals_uv.astype(np.float64)])
        return made.reshape(-1, *made.shape[-2:])

    def ours() -> np.ndarray:
        return preprocess(signals_uv, RATE_HZ, settings, 50).counts

    apart = np.abs(theirs().astype(int) - ours())
    if apart.max() > LARGEST_DIFFERENCE:
        raise SystemExit(f"{name} differs from the record-by-record way by {apart.max()} counts")
    wall, processor = both_clocks({BASELINE: theirs, "ours": ours}, rounds)
    tables = [
        report(seconds, BASELINE, records, "record", clock) for seconds, clock in ((processor, PROCESSOR), (wall, WALL))
    ]
    return "\n".join([f"{(apart > 0).mean():.1e} of the counts differ, by one", *tables])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    for name in CHAINS:
        print(f"{name}; {arguments.records} records, {arguments.rounds} rounds")
        print(compare(name, arguments.records, arguments.rounds) + "\n")


if __name__ == "__main__":
    as_a_job()
    main()
