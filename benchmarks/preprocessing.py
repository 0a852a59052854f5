"""How fast preprocessing is, against the same steps taken record by record as the CODE group takes them.

Run: python benchmarks/preprocessing.py [--records 48] [--rounds 7]

The group's way designs its filters for every record, filters and resamples all twelve leads in float64, and then
chooses eight. Ours is timed twice: the reference in SciPy, in stacks, and the compiled kernel. All give the same
int16 counts, which is checked before the clock starts. Records are in memory; one process, one thread.

The floor is arithmetic alone: what the steps multiply and add for eight leads, at the rate at which this processor
multiplies and adds vectors that never leave its registers, measured in the same rounds.
"""

import argparse
import ctypes
from pathlib import Path
from statistics import median

import numpy as np
from harness import PROCESSOR, WALL, both_clocks, report
from scipy.signal import ellip, ellipord, filtfilt, iirnotch, resample_poly, sosfiltfilt

from codeii.native.library import load_library
from codeii.schema.leads import LEADS
from codeii.schema.params import Preprocessing
from codeii.schema.units import to_counts_uv
from codeii.tensors.pipeline import INDEPENDENT, prepare, preprocess
from codeii.tensors.resample import anti_aliasing, ratio, resampled_length
from codeii.tensors.window import place

MAINS_HZ = 60
BASELINE, ARITHMETIC = "record by record", "arithmetic"
BOTH = {"baseline": "elliptic", "powerline_hz": "mains"}
CASES = {  # rate of the stored records, their samples, what is done
    "code_400hz, 10 s at 500 Hz": (500, 5000, BOTH),
    "code_400hz, twelve leads": (500, 5000, BOTH | {"leads": "twelve"}),
    "code_400hz, 10 s at 1000 Hz": (1000, 10_000, BOTH),
    "resampling alone, 10 s at 500 Hz": (500, 5000, {}),
}
ROUNDS_OF_ARITHMETIC = 1_000_000
STEPS_OF_FILTERS = {"elliptic": 2 * 6, "mains": 2 * 4}  # products, and as many sums, a sample, forwards and backwards
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


def arithmetic(rate_hz: int, samples: int, settings: Preprocessing) -> float:
    """Products of eight lanes, and as many sums, that one record needs."""
    up, down = ratio(rate_hz, settings.rate_hz)
    filters = sum(STEPS_OF_FILTERS.get(step, 0) for step in (settings.baseline, str(settings.powerline_hz)))
    made = resampled_length(samples, rate_hz, settings.rate_hz)
    return filters * samples + len(anti_aliasing(up, down)) / up * made


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
        BASELINE: lambda: record_by_record(signals_uv, rate_hz, settings),
        "SciPy in stacks": lambda: in_stacks(signals_uv, rate_hz, settings),
        "kernel": lambda: preprocess(signals_uv, rate_hz, settings, MAINS_HZ, out=made),
    }
    library = load_library(Path(__file__).with_name("arithmetic.c"))
    if library is not None:
        contestants[ARITHMETIC] = lambda: library.multiply_and_add(
            ctypes.c_int64(ROUNDS_OF_ARITHMETIC), ctypes.c_double(1.0)
        )
    wall, processor = both_clocks(contestants, rounds)
    loops = processor.pop(ARITHMETIC, None)
    wall.pop(ARITHMETIC, None)
    tables = [
        report(seconds, BASELINE, records, "record", clock) for seconds, clock in ((processor, PROCESSOR), (wall, WALL))
    ]
    if loops is not None:
        needed = arithmetic(rate_hz, samples, settings) * records / (8 * ROUNDS_OF_ARITHMETIC)
        times = sorted(ours / (needed * loop) for ours, loop in zip(processor["kernel"], loops, strict=True))
        floor_us = 1e6 * needed * median(loops) / records
        tables.append(
            f"arithmetic alone {floor_us:.0f} us a record; the kernel takes {median(times):.2f} "
            f"({times[0]:.2f}, {times[-1]:.2f}) times as long"
        )
    return "\n".join(tables)


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
