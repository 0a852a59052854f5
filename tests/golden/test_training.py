"""Losses of twenty steps of a tiny network on one thread, against those stored when they were last judged right.

The tolerance is 1e-6 relative: processors with other vector widths sum in another order and round differently.
`python tests/golden/test_training.py` prints new values, for a change that is meant to change numbers.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from codeii.models import build
from codeii.networks.batches import order_of, seed_dropout
from codeii.networks.device import prepare
from codeii.training import adamw
from codeii.training.gradients import loss_and_gradients

STORED = Path(__file__).with_name("training_losses.json")
SETTINGS = {"filters": [8, 12, 16], "strides": [2, 2, 4], "kernel_size": 7, "dropout_rate": 0.1, "head_samples": 1}
RECORDS, BATCH, STEPS = 32, 8, 20


def losses() -> list[float]:
    """Mean binary cross-entropy before each of twenty AdamW steps."""
    prepare(1)
    rng = np.random.default_rng(11)
    signals = torch.from_numpy(rng.standard_normal((RECORDS, 8, 128)).astype(np.float32))
    targets = torch.from_numpy((rng.random((RECORDS, 3)) < 0.3).astype(np.float32))
    torch.manual_seed(0)
    network = build("resnet1d", 8, 3, SETTINGS).train()
    moments, found = adamw.no_moments(network), []
    for step in range(STEPS):
        number, slot = divmod(step, RECORDS // BATCH)
        picks = order_of(0, number, RECORDS)[slot * BATCH : (slot + 1) * BATCH]
        seed_dropout(0, step)
        found.append(loss_and_gradients(network, signals[picks], targets[picks]))
        adamw.update(network, moments, step + 1, learning_rate=1e-3, weight_decay=0.01)
    return found


def test_twenty_steps_give_the_stored_losses() -> None:
    assert losses() == pytest.approx(json.loads(STORED.read_text()), rel=1e-6)


def test_twenty_steps_repeat_bit_for_bit() -> None:
    assert losses() == losses()


if __name__ == "__main__":
    print(json.dumps(losses(), indent=1))
