"""The search for recordings that occur twice, against comparing every two at every lag.

    python benchmarks/duplicates.py [--recordings 100000]

Every recording is a function of its number: beats of a synthetic twin, seen through other leads, at another heart rate,
under noise of its own. Among them are copies that were shifted, cut, scaled, resampled, freed of their baseline or
turned. The usual way multiplies the spectra of two recordings, which are given to it, and normalises the correlation
at every lag; it is timed on some pairs and extrapolated to all. The search is timed at three sizes, each in its own
process, which also tells the memory; projections take time as a*n + b*n*n and memory as linear.
"""

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import combinations
from math import gcd

import harness  # noqa: F401  puts the package on the path
import numpy as np
import pandas as pd
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import resample_poly

from codeii.leakage.describe import describe
from codeii.leakage.search import Found, Searched, search
from codeii.leakage.waveform import BEATS, RATE_HZ, in_bands
from codeii.synthetic.population import population
from codeii.tensors.filter import remove_baseline

HEARTS, COPIES, PROJECTED = 300, 300, 350_000
BLOCK, WORKERS, TIMED = 500, 2, 40
COLUMNS = ["source", "record_id", "patient_id", "rate_hz", "samples", "signal_sha256", "windows"]


@cache
def hearts() -> list[np.ndarray]:
    """(12, 2000) float32 uV at 200 Hz."""
    exams = population("ptbxl", HEARTS, 11)
    return [resample_poly(exam.tracings_mv[0][:, :5000] * 1000, 2, 5, axis=1).astype(np.float32) for exam in exams]


def recording(number: int) -> np.ndarray:
    """(12, sample) int16 at 200 Hz, another for every number."""
    rng = np.random.default_rng(number)
    heart = hearts()[number % HEARTS]
    leads = np.eye(12, dtype=np.float32) + 0.25 * rng.standard_normal((12, 12), dtype=np.float32) / np.sqrt(12)
    place = np.arange(0, heart.shape[1] - 1, np.exp(0.1 * rng.standard_normal()))[: heart.shape[1]]
    left = place.astype(np.int64)
    share = (place - left).astype(np.float32)
    wave = leads @ (heart[:, left] * (1 - share) + heart[:, left + 1] * share)
    wave += 5 * rng.standard_normal(wave.shape, dtype=np.float32)
    return np.rint(wave).clip(-32_767, 32_767).astype(np.int16)


def copy(number: int) -> tuple[np.ndarray, int]:
    """Recording `number`, disguised, and its rate."""
    rng = np.random.default_rng([number, 1])
    wave, rate_hz = recording(number).astype(np.float64), RATE_HZ
    kept = 500 if rng.random() < 0.5 else int(rng.integers(500, wave.shape[1]))  # 2.5 s and more
    start = int(rng.integers(0, wave.shape[1] - kept + 1))
    wave = wave[:, start : start + kept]
    if rng.random() < 0.5:
        wave = remove_baseline(wave, rate_hz)
    if rng.random() < 0.7:
        target = int(rng.choice([100, 125, 250, 400, 500]))
        common = gcd(target, rate_hz)
        wave, rate_hz = resample_poly(wave, target // common, rate_hz // common, axis=1), target
    wave = wave * rng.choice([-2.0, -0.5, 0.5, 1.0, 2.0])
    return np.rint(wave).clip(-32_767, 32_767).astype(np.int16), rate_hz


def described(numbers: range) -> tuple[list[tuple[int, int]], np.ndarray, np.ndarray]:
    """Samples and windows of each recording, and the windows; negative numbers are copies."""
    rows, vectors, seconds = [], [], []
    for number in numbers:
        wave, rate_hz = (recording(number), RATE_HZ) if number >= 0 else copy(-number)
        found = describe(wave, rate_hz)
        rows.append((rate_hz, wave.shape[1], len(found.seconds)))
        vectors.append(found.vectors)
        seconds.append(found.seconds)
    return rows, np.concatenate(vectors), np.concatenate(seconds)


def searched(size: int) -> Searched:
    """`size` recordings and copies of some of them, described on all cores."""
    blocks = [range(start, min(start + BLOCK, size)) for start in range(0, size, BLOCK)]
    blocks.append(range(-COPIES, 0))
    with ProcessPoolExecutor(WORKERS) as pool:
        parts = list(pool.map(described, blocks))
    numbers = [*range(size), *range(-COPIES, 0)]
    rows = [
        ("made up", str(number), str(number), rate_hz, samples, str(number), windows)
        for number, (rate_hz, samples, windows) in zip(numbers, (row for part in parts for row in part[0]), strict=True)
    ]
    vectors, seconds = (np.concatenate([part[at] for part in parts]) for at in (1, 2))
    return Searched(pd.DataFrame(rows, columns=COLUMNS), vectors, seconds)


def read(size: int, row: int) -> np.ndarray:
    return recording(row) if row < size else copy(size + COPIES - row)[0]


def first(everybody: Searched, size: int) -> Searched:
    """The first `size` recordings, and the copies of these."""
    ids = everybody.records["record_id"].astype(int)
    chosen = ((ids >= 0) & (ids < size)) | (ids < 0)
    windows = np.repeat(chosen.to_numpy(), everybody.records["windows"])
    records = everybody.records[chosen].reset_index(drop=True)
    return Searched(records, everybody.vectors[windows], everybody.seconds[windows])


def measured(given: tuple[Searched, int]) -> tuple[Found, float, float]:
    """What a search brought, its processor time, and the largest memory of its process in megabytes."""
    everybody, size = given
    start = time.process_time()
    found = search(everybody, lambda row: read(size, row))
    seconds = time.process_time() - start
    return found, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds_to_describe() -> float:
    """Processor time of one recording of 10 s at 500 Hz, from its integers to its windows."""
    waves = [resample_poly(recording(number), 5, 2, axis=1).astype(np.int16) for number in range(200)]
    start = time.process_time()
    for wave in waves:
        describe(wave, 500)
    return (time.process_time() - start) / len(waves)


def seconds_to_compare() -> float:
    """Processor time of one pair at every lag, spectra and running powers at hand."""
    waves = [in_bands(recording(number), RATE_HZ, (BEATS,))[0] for number in range(TIMED)]
    longest = max(wave.shape[1] for wave in waves)
    padded = next_fast_len(2 * longest, real=True)
    spectra = [rfft(wave, padded, axis=1) for wave in waves]
    powers = [np.concatenate([[0], np.cumsum((wave * wave).sum(axis=0), dtype=float)]) for wave in waves]
    start = time.process_time()
    for one, other in combinations(range(TIMED), 2):
        product = irfft((spectra[one] * spectra[other].conj()).sum(axis=0), padded)
        here, there = waves[one].shape[1], waves[other].shape[1]
        lags = np.arange(-(there - 500), here - 500)
        begin, end = np.maximum(lags, 0), np.minimum(here, there + lags)
        power = (powers[one][end] - powers[one][begin]) * (powers[other][end - lags] - powers[other][begin - lags])
        np.abs(product[lags] / np.sqrt(power)).max()
    return (time.process_time() - start) / (TIMED * (TIMED - 1) / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=int, default=100_000)
    largest = parser.parse_args().recordings
    sizes = [largest // 4, largest // 2, largest]
    everybody = searched(largest)
    times, memory = [], []
    for size in sizes:
        with ProcessPoolExecutor(1) as pool:
            found, seconds, megabytes = pool.submit(measured, (first(everybody, size), size)).result()
        times.append(seconds)
        memory.append(megabytes)
        told(found, size, seconds, megabytes)
    describing, comparing = seconds_to_describe(), seconds_to_compare()
    report(sizes, times, memory, describing, comparing)


def told(found: Found, size: int, seconds: float, megabytes: float) -> None:
    pairs = {frozenset(pair) for pair in zip(found.pairs["record_a"], found.pairs["record_b"], strict=True)}
    expected = {frozenset((str(number), str(-number))) for number in range(1, COPIES + 1)}
    others = len(pairs - expected)
    print(
        f"{size:>7,} recordings: {seconds:6.1f} s, {megabytes:5.0f} MB; {len(pairs & expected)} of {COPIES} copies and"
    )
    print(f"{'':19} {others} other pairs found, {found.candidates:,} pairs compared in full")


def report(sizes: list[int], times: list[float], memory: list[float], describing: float, comparing: float) -> None:
    largest = sizes[-1]
    ours = largest * describing + times[-1]
    hours = largest * (largest - 1) / 2 * comparing / 3600
    print(f"describing: {1e3 * describing:.2f} ms a recording; comparing: {1e6 * comparing:.0f} us a pair at every lag")
    print(
        f"{largest:,} recordings: {ours:.0f} s of one core, every pair {hours:.0f} h: {3600 * hours / ours:,.0f} times"
    )
    n = np.array(sizes, float)
    linear, square = np.linalg.lstsq(np.stack([n, n * n], axis=1), np.array(times), rcond=None)[0]
    slope, base = np.polyfit(n, memory, 1)
    describing_min = PROJECTED * describing / 60
    searching_min = (max(linear, 0) * PROJECTED + max(square, 0) * PROJECTED**2) / 60
    gigabytes = (base + slope * PROJECTED) / 1024
    print(
        f"projected to {PROJECTED:,}: describing {describing_min:.1f} min and searching {searching_min:.1f} min of one"
    )
    print(f"core, {gigabytes:.1f} GB")


if __name__ == "__main__":
    main()
