"""What a run says about itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeii.schema.recipe import Recipe
from codeii.training.resume import Position
from codeii.training.schedule import EpochRow, plan_of
from codeii.training.watch import Watch, peak_memory_mb, words

PLAN = plan_of(
    8, 0, 0.1, Recipe(epochs=7, batch_size=2, learning_rate=0.1, head_learning_rate=0.1)
)  # four steps an epoch


def test_a_person_reads_epoch_loss_and_score() -> None:
    assert words(PLAN, Position()) == "epoch 1 of 7; records"
    assert words(PLAN, Position(2, 0.9)) == "epoch 1 of 7, loss 0.450; records"
    row = EpochRow(1, 4, 0.1, 0.4, 0.5, 0.8612)
    assert words(PLAN, Position(4, 0.0, [row])) == "epoch 2 of 7, loss 0.400, AUROC 0.861; records"
    unranked = EpochRow(7, 28, 0.1, 0.4, 0.5, None)
    assert words(PLAN, Position(28, 0.0, [unranked])) == ("epoch 7 of 7, loss 0.400, validation loss 0.500; records")


@given(waits=st.lists(st.floats(0, 2), max_size=5), work=st.floats(0.1, 5))
def test_an_epoch_is_measured_and_the_next_starts_at_nothing(waits: list[float], work: float) -> None:
    now = [100.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codeii.training.watch.time.monotonic", lambda: now[0])
        watch = Watch(now[0])
        for _ in range(2):
            for wait in waits:
                with watch.waiting(64):
                    now[0] += wait
            now[0] += work
            lap = watch.lap()
            assert lap["seconds"] == pytest.approx(sum(waits) + work)
            assert lap["records_per_s"] == pytest.approx(64 * len(waits) / (sum(waits) + work))
            assert lap["loader_share"] == pytest.approx(sum(waits) / (sum(waits) + work))


def test_the_peak_of_the_memory_is_this_processes() -> None:
    before = peak_memory_mb()
    held = bytearray(80_000_000)
    assert before is not None and peak_memory_mb() >= before
    assert len(held) < peak_memory_mb() * 1e6
