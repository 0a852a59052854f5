"""How fast preprocessing is, against the same steps taken record by record as the CODE group takes them.

Run: python benchmarks/preprocessing.py [--records 48] [--rounds 7]

The group's way designs its filters for every record, filters and resamples all twelve leads in float64, and then
chooses eight. Ours is timed twice: the reference in SciPy, in stacks, and the compiled kernel. All give the same
int16 counts, which is checked before the clock starts. Records are in memory; one process, one thread.

The floor is arithmetic alone: what the kernel multiplies and adds, at the rate at which this processor was seen to
multiply and add in a loop over vectors that never leave its first cache.
"""

import argparse

import numpy as np
from harness import report_both
from scipy.signal import ellip, ellipord, filtfilt, iirnotch, resample_poly, sosfiltfilt

from codeii.schema.leads import LEADS
from codeii.schema.params import Preprocessing
from codeii.schema.units import to_counts_uv
from codeii.tensors.pipeline import INDEPENDENT, prepare, preprocess
from codeii.tensors.window import place

MAINS_HZ = 60
BOTH = {"baseline": "elliptic", "powerline_hz": "mains"}
CASES = {  # rate of the stored records, their samples, what is done
    "code_400hz, 10 s at 500 Hz": (500, 5000, BOTH),
    "code_400hz, twelve leads": (500, 5000, BOTH | {"leads": "twelve"}),
    "code_400hz, 10 s at 1000 Hz": (1000, 10_000, BOTH),
    "resampling alone, 10 s at 500 Hz": (500, 5000, {}),
}
STACK = 12  # records that SciPy takes at once: about what the cache holds


def records_uv(count: int, samples: int) -> np.ndarray:
    """(record, 12, sample) int16: slow drift and noise, which cost a filter as much as a heart does."""
    walk = np.random.default_rng(0).normal(0, 20, (count, len(LEADS), samples)).cumsum(axis=-1)
    return np.clip(walk, -32_767, 32_767).astype(np.int16)


def record_by_record(signals_uv: np.ndarray, rate_hz: int, settings: Preprocessing) -> np.ndarray:
    """The group's order and parameters, written down anew: everything again for every record."""
    rows = slice(None) if settings.leads == "twelve" else INDEPENDENT
    out = []
    for signal in signals_uv.astype(np.float64):
        if settings.baseline == "elliptic":
            order, edge_hz = ellipord(0.8, 0.2, 0.5, 40, fs=rate_hz)
            sos = ellip(order, 0.5, 40, edge_hz, "highpass", output="sos", fs=rate_hz)
            signal = sosfiltfilt(sos, signal, padtype="constant")
        if settings.powerline_hz == "mains":
            signal = filtfilt(*iirnotch(MAINS_HZ, 30, rate_hz), signal)
        signal = resample_poly(signal, settings.rate_hz, rate_hz, axis=-1)
        lead_i, lead_ii = signal[:2]
        signal[2:6] = lead_ii - lead_i, -(lead_i + lead_ii) / 2, lead_i - lead_ii / 2, lead_ii - lead_i / 2
        out.append(place(signal[rows], settings.samples, "centre"))
    return np.stack(out)


def in_stacks(signals_uv: np.ndarray, rate_hz: int, settings: Preprocessing) -> np.ndarray:
    """Ours in SciPy."""
    starts = range(0, len(signals_uv), STACK)
    stacks = [prepare(signals_uv[n : n + STACK], rate_hz, settings, MAINS_HZ) for n in starts]
    return np.concatenate([to_counts_uv(stack)[0] for stack in stacks])


def check(theirs: np.ndarray, **ours: np.ndarray) -> None:
    for name, counts in ours.items():
        if not np.array_equal(to_counts_uv(theirs)[0], counts):
            raise SystemExit(f"{name} differs from the record-by-record way")


def compare(rate_hz: int, samples: int, changes: dict[str, str], records: int, rounds: int) -> str:
    settings = Preprocessing.model_validate({"rate_hz": 400, "samples": 4096} | changes)
    signals_uv = records_uv(records, samples)
    made = preprocess(signals_uv, rate_hz, settings, MAINS_HZ).counts
    check(
        record_by_record(signals_uv, rate_hz, settings),
        stacks=in_stacks(signals_uv, rate_hz, settings),
        kernel=made,
    )
    contestants = {
        "record by record": lambda: record_by_record(signals_uv, rate_hz, settings),
        "SciPy in stacks": lambda: in_stacks(signals_uv, rate_hz, settings),
        "kernel": lambda: preprocess(signals_uv, rate_hz, settings, MAINS_HZ, out=made),
    }
    return report_both(contestants, rounds, "record by record", records, "record")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    for name, (rate_hz, samples, changes) in CASES.items():
        print(f"{name}; {arguments.records} records, {arguments.rounds} rounds, counts equal")
        print(compare(rate_hz, samples, changes, arguments.records, arguments.rounds) + "\n")


if __name__ == "__main__":
    main()
