"""Counts along the order of a class: the compiled kernel gives the numbers of numpy, and both are the right ones."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codeii.evaluation.bootstrap import draw_patients
from codeii.evaluation.counting import LANES, count_by_kernel, count_by_numpy, lines_of
from codeii.evaluation.metrics import load_metrics
from codeii.evaluation.ranking import rank
from codeii.evaluation.scoring import rank_classes, score_replicates

needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CC") or "cc") is None or os.environ.get("CODEII_KERNEL") == "reference",
    reason="no C compiler, or the reference is asked for",
)


@needs_compiler
@given(
    exams=st.integers(2, 200),
    replicates=st.integers(1, LANES),
    most=st.sampled_from([1, 3, 255]),
    levels=st.sampled_from([1, 5, 1000]),
    share=st.sampled_from([0.02, 0.5, 0.98]),
    seed=st.integers(0, 999),
)
@settings(max_examples=150, deadline=None)
def test_the_kernel_gives_the_counts_of_numpy(
    exams: int, replicates: int, most: int, levels: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logit, target = rng.integers(0, levels, exams).astype(np.float32), rng.random(exams) < share
    assume(target.any() and not target.all())
    times = rng.integers(0, most + 1, (replicates, exams), dtype=np.int32)
    ranked = rank(logit, target, logit / levels, 0.5)
    along = ranked.exam, ranked.target, ranked.cuts
    lines = lines_of(times)
    assert lines is not None
    found, expected = count_by_kernel(lines, *along), count_by_numpy(times, *along)
    slow = [
        [times[:, ranked.exam[:cut][ranked.target[:cut] == kind]].sum(axis=1) for cut in ranked.cuts] for kind in (1, 0)
    ]
    for one, other, plain in zip(found, expected, slow, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, np.transpose(plain))


@needs_compiler
def test_more_than_a_byte_or_a_block_is_left_to_numpy() -> None:
    assert lines_of(np.ones((LANES + 1, 5), np.int32)) is None
    assert lines_of(np.full((2, 5), 256, np.int32)) is None
    assert lines_of(np.full((2, 5), 255, np.int32)) is not None


def test_scores_are_the_same_bits_with_and_without_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    target = rng.random((300, 5)) < [0.5, 0.2, 0.05, 0.01, 0.004]
    target[:1] = True
    logit = (np.round(4 * rng.standard_normal((300, 5)) + 4 * target) / 4).astype(np.float32)
    metrics = load_metrics(["auroc", "auprc", "f1", "fmax", "brier", "ece"])
    found = []
    for way in ("native", "reference"):
        monkeypatch.setenv("CODEII_KERNEL", way)
        ranked = rank_classes(logit, target, np.full(5, 0.6))
        found.append(score_replicates(ranked, metrics, draw_patients(300, 130, 0), np.arange(300)))
    np.testing.assert_array_equal(*found)
    assert np.isnan(found[0]).any() and not np.isnan(found[0][:, :2]).any()
