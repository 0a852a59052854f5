"""Validation measures against torch and scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from codeii.networks.batches import Inputs
from codeii.training.validation import auroc, macro_auroc, mean_loss, of_records


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), records=st.integers(2, 60), levels=st.integers(1, 30))
def test_auroc_equals_scikit_learns_with_ties(seed: int, records: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, levels, records).astype(np.float32), rng.random(records) < 0.4
    positive[:2] = True, False
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_macro_auroc_leaves_out_classes_that_cannot_be_ranked() -> None:
    targets = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1]], np.float32)
    logits = np.array([[2.0, 0, 0], [1.0, 0, 0], [0.0, 0, 0]], np.float32)
    assert macro_auroc(logits, targets) == 0.5
    assert macro_auroc(logits, np.zeros_like(targets)) is None


def test_mean_loss_is_torchs_also_for_large_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 40, (20, 4)).astype(np.float32)
    targets = (np.random.default_rng(1).random((20, 4)) < 0.5).astype(np.float32)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits).double(), torch.from_numpy(targets).double()
    )
    assert mean_loss(logits, targets) == pytest.approx(expected.item(), rel=1e-12)


def test_validation_counts_records_not_their_sections() -> None:
    inputs = Inputs(np.zeros((4, 1)), np.arange(4), 1.0, np.array([0, 1, 1, 1]))
    logits = np.array([[2.0], [1.0], [0.0], [-4.0]], np.float32)
    targets = np.array([[1.0], [0.0], [0.0], [0.0]], np.float32)
    of_record, truth = of_records(inputs, logits, targets)
    assert of_record.tolist() == [[2.0], [-1.0]] and truth.tolist() == [[1.0], [0.0]]
    assert mean_loss(of_record, truth) < mean_loss(logits, targets)
    one_each = Inputs(np.zeros((4, 1)), np.arange(4), 1.0, np.arange(4))
    np.testing.assert_array_equal(of_records(one_each, logits, targets)[0], logits)
