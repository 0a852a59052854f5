"""How fast preprocessing is, against the same steps taken record by record as the CODE group takes them.

Run: python benchmarks/preprocessing.py [--records 64] [--rounds 7]

The group's way designs its filters for every record, filters and resamples all twelve leads in float64, and then
chooses eight. Both sides give the same numbers, which is checked before the clock starts. One process, one thread.
"""

import argparse

import numpy as np
from harness import report, rounds_of
from scipy.signal import ellip, ellipord, filtfilt, iirnotch, resample_poly, sosfiltfilt

from codeii.schema.leads import LEADS
from codeii.schema.params import Preprocessing
from codeii.tensors.pipeline import INDEPENDENT, prepare
from codeii.tensors.window import place

CASES = {  # rate of the stored records, their samples, what is done
    "code_400hz, 10 s at 500 Hz": (500, 5000, {"baseline": "elliptic", "powerline_hz": 60}),
    "code_400hz, 10 s at 1000 Hz": (1000, 10_000, {"baseline": "elliptic", "powerline_hz": 60}),
    "resampling alone, 10 s at 500 Hz": (500, 5000, {}),
}
STACK = 12


def records_uv(count: int, samples: int) -> np.ndarray:
    """(record, 12, sample) int16: slow drift and noise, which cost a filter as much as a heart does."""
    walk = np.random.default_rng(0).normal(0, 20, (count, len(LEADS), samples)).cumsum(axis=-1)
    return np.clip(walk, -32_767, 32_767).astype(np.int16)


def record_by_record(signals_uv: np.ndarray, rate_hz: int, settings: Preprocessing) -> np.ndarray:
    """The group's order and parameters, written down anew: everything again for every record."""
    out = []
    for signal in signals_uv.astype(np.float64):
        if settings.baseline == "elliptic":
            order, edge_hz = ellipord(0.8, 0.2, 0.5, 40, fs=rate_hz)
            sos = ellip(order, 0.5, 40, edge_hz, "highpass", output="sos", fs=rate_hz)
            signal = sosfiltfilt(sos, signal, padtype="constant")
        if isinstance(settings.powerline_hz, int):
            signal = filtfilt(*iirnotch(settings.powerline_hz, 30, rate_hz), signal)
        signal = resample_poly(signal, settings.rate_hz, rate_hz, axis=-1)
        out.append(place(signal[INDEPENDENT], settings.samples, "centre"))
    return np.stack(out)


def in_stacks(signals_uv: np.ndarray, rate_hz: int, settings: Preprocessing) -> np.ndarray:
    """Ours, in stacks as `build_tensors` makes them."""
    starts = range(0, len(signals_uv), STACK)
    return np.concatenate([prepare(signals_uv[n : n + STACK], rate_hz, settings, 60) for n in starts])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    for name, (rate_hz, samples, changes) in CASES.items():
        settings = Preprocessing.model_validate({"rate_hz": 400, "samples": 4096} | changes)
        signals_uv = records_uv(arguments.records, samples)
        theirs, ours = record_by_record(signals_uv, rate_hz, settings), in_stacks(signals_uv, rate_hz, settings)
        largest = float(np.abs(theirs - ours).max())
        if largest > 1e-6:
            raise SystemExit(f"{name}: the two ways differ by {largest} uV")
        seconds = rounds_of(
            {
                "record by record": lambda x=signals_uv, r=rate_hz, s=settings: record_by_record(x, r, s),
                "in stacks": lambda x=signals_uv, r=rate_hz, s=settings: in_stacks(x, r, s),
            },
            arguments.rounds,
        )
        print(f"{name}; {arguments.records} records, {arguments.rounds} rounds, largest difference {largest:.1e} uV")
        print(report(seconds, "record by record", arguments.records, "record") + "\n")


if __name__ == "__main__":
    main()
