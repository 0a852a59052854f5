"""Several processes train as one: same curve, same weights, same scores, each record once, one writer."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from tests.rank_server import Server, Skipping, command, server
from torch import nn

from codeii.__main__ import main
from codeii.networks.ranks import Ranks
from codeii.training.augment import Changes, at_hand, augmented
from codeii.training.share import share_of

Inputs = dict[str, Path]
Settings = dict[str, Any]

EVERYTHING = {
    "epochs": 3,
    "batch_size": 14,  # of 72 records: the last batch has 2, and one of three ranks none of them
    "accumulate": 2,
    "optimiser": "sgd",
    "largest_gradient_norm": 0.5,
    "average_decay": 0.9,
    "loss": {"positive_weights": "balanced", "label_smoothing": 0.05},
    "augmentation": {
        "crop_samples": 192,
        "shift_seconds": 0.2,
        "amplitude_share": 0.2,
        "noise_uv": 20,
        "lead_dropout_probability": 0.1,
        "mixup_alpha": 0.3,
    },
}
PLAIN = {"epochs": 3, "batch_size": 13, "optimiser": "sgd", "learning_rate": 2e-3}


@pytest.fixture(scope="module")
def ranks() -> Iterator[Server]:
    with server() as started:
        yield started


def with_recipe(settings: Settings, recipe: dict[str, Any], **more: Any) -> Settings:
    model = {**settings["model_settings"], "dropout_rate": 0.0}
    return {**settings, "model_settings": model, "recipe": {**settings["recipe"], **recipe}, **more}


def picks_of(folder: Path, rank: int) -> list[list[int]]:
    return [json.loads(line) for line in (folder / f"{rank}.picks").read_text().splitlines()]


@pytest.mark.parametrize(
    ("recipe", "count", "mode"),
    [(PLAIN, 2, "full"), (EVERYTHING, 3, "full"), (PLAIN, 2, "linear_probe"), (PLAIN, 2, "partial")],
)
def test_several_processes_train_what_one_trains(
    ranks: Server,
    tiny_inputs: Inputs,
    tiny_settings: Settings,
    tmp_path: Path,
    recipe: dict[str, Any],
    count: int,
    mode: str,
) -> None:
    stages = {"trained_stages": 1} if mode == "partial" else {}
    settings = with_recipe(tiny_settings, recipe, mode=mode, **stages)
    assert main(command(tiny_inputs, settings, tmp_path / "one")) == 0
    several = tmp_path / "several"
    codes = ranks("train", several, count, command=command(tiny_inputs, settings, several))
    assert codes == [0] * count, (several / "0.err").read_text()
    histories = [pd.read_csv(folder / "run/history.csv") for folder in (tmp_path / "one", several)]
    pd.testing.assert_frame_equal(*histories, rtol=1e-5, atol=1e-5)
    weights = [load_file(folder / "run/weights.safetensors") for folder in (tmp_path / "one", several)]
    assert weights[0].keys() == weights[1].keys()
    for name, expected in weights[0].items():
        np.testing.assert_allclose(weights[1][name], expected, rtol=1e-5, atol=1e-5, err_msg=name)
    facts = json.loads((several / "run/manifest.json").read_text())["facts"]
    assert facts["processes"] == count


def test_each_record_is_seen_once_an_epoch_by_one_rank_and_only_the_first_writes(
    ranks: Server, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = with_recipe(tiny_settings, {"epochs": 2, "batch_size": 14})
    assert ranks("train", tmp_path, 3, command=command(tiny_inputs, settings, tmp_path), save_always=True) == [0, 0, 0]
    steps = list(zip(*(picks_of(tmp_path, rank) for rank in range(3)), strict=True))
    assert [[len(mine) for mine in step] for step in steps[:6]] == [[5, 5, 4]] * 5 + [[1, 1, 0]]
    for epoch in (steps[:6], steps[6:]):
        assert Counter(pick for step in epoch for mine in step for pick in mine) == Counter(range(72))
    assert [bool((tmp_path / f"{rank}.written").read_text()) for rank in range(3)] == [True, False, False]
    events = [json.loads(line)["event"] for line in (tmp_path / "scratch/events.jsonl").read_text().splitlines()]
    assert events == ["start", "epoch", "epoch", "end"]


def test_a_record_that_is_no_number_is_named_by_every_rank(
    ranks: Server, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = with_recipe(tiny_settings, PLAIN)
    told = command(tiny_inputs, settings, tmp_path)
    assert ranks("train", tmp_path, 2, command=told, spoilt=40) == [3, 3]
    step = next(
        step
        for step, picks in enumerate(zip(*(picks_of(tmp_path, rank) for rank in (0, 1)), strict=True), 1)
        if any(40 in mine for mine in picks)
    )
    said = [(tmp_path / f"{rank}.err").read_text() for rank in (0, 1)]
    assert said[0] == said[1]
    assert f"codeii train: epoch 1, step {step}: loss nan" in said[0]
    named = said[0].partition("records of the batch: ")[2].strip().split(", ")
    assert "r040" in named and len(named) == 13


def test_dropout_differs_between_ranks_and_repeats_itself(
    ranks: Server, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = with_recipe(tiny_settings, {**PLAIN, "epochs": 1})
    settings["model_settings"]["dropout_rate"] = 0.3
    for name in ("first", "second"):
        assert ranks("train", tmp_path / name, 2, command=command(tiny_inputs, settings, tmp_path / name)) == [0, 0]
    weights = [(tmp_path / name / "run/weights.safetensors").read_bytes() for name in ("first", "second")]
    assert weights[0] == weights[1]
    seeds = [json.loads((tmp_path / f"first/{rank}.seeds").read_text()) for rank in (0, 1)]
    assert len(set(seeds[0] + seeds[1])) == 12


def test_a_signal_to_one_rank_stops_all_of_them_after_the_same_step(
    ranks: Server, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path
) -> None:
    told = command(tiny_inputs, with_recipe(tiny_settings, PLAIN), tmp_path)
    assert ranks("train", tmp_path, 2, command=told, hit=[1, 7, signal.SIGTERM]) == [143, 143]
    assert [len(picks_of(tmp_path, rank)) for rank in (0, 1)] == [7, 7]
    for rank in (0, 1):  # torchrun ends all as soon as one has ended: none ends before the state is there
        assert json.loads((tmp_path / f"{rank}.states").read_text()) == ["state-000000000007.sha256"]
    said = [(tmp_path / f"{rank}.err").read_text() for rank in (0, 1)]
    assert said[0].startswith("training stopped (SIGTERM) at step 7 of 18") and not said[1]


@pytest.mark.parametrize("killed", [0, 1])
def test_a_rank_says_when_another_one_is_gone(
    ranks: Server, tiny_inputs: Inputs, tiny_settings: Settings, tmp_path: Path, killed: int
) -> None:
    told = command(tiny_inputs, with_recipe(tiny_settings, PLAIN), tmp_path)
    codes = ranks("train", tmp_path, 2, command=told, hit=[killed, 7, signal.SIGKILL])
    assert (codes[killed], codes[1 - killed]) == (-9, 3)
    said = (tmp_path / f"{1 - killed}.err").read_text()
    assert f"process {2 - killed} of 2: another process of this training is gone or silent (" in said
    assert said.endswith("); run the same again to go on\n") and said.count("\n") == 1


@pytest.mark.parametrize("batch_size", [4, 30])
def test_answers_are_the_bits_of_one_process_on_every_rank(ranks: Server, tmp_path: Path, batch_size: int) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((27, 6)).astype(np.float32))
    assert ranks("ask", tmp_path, 1, batch_size=batch_size) == [0]
    alone = np.load(tmp_path / "0.npy")
    assert ranks("ask", tmp_path, 3, batch_size=batch_size) == [0, 0, 0]
    for rank in range(3):
        np.testing.assert_array_equal(np.load(tmp_path / f"{rank}.npy"), alone)


def test_a_shared_norm_is_torchs_norm_of_all_records(ranks: Server, tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(3, 2, (7, 4, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    assert ranks("norm", tmp_path, 3) == [0, 0, 0], (tmp_path / "0.err").read_text()
    norm, whole = nn.BatchNorm1d(4), torch.from_numpy(x).requires_grad_()
    y = norm(whole)
    (y**3).sum().backward()
    found = [dict(np.load(tmp_path / f"{rank}.npz")) for rank in range(3)]
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(np.concatenate([part["y"] for part in found]), y.detach(), **close)
    np.testing.assert_allclose(np.concatenate([part["x"] for part in found]), whole.grad, **close)
    np.testing.assert_allclose(sum(part["gain"] for part in found), norm.weight.grad, **close)
    np.testing.assert_allclose(sum(part["offset"] for part in found), norm.bias.grad, **close)
    for name, value in norm.state_dict().items():
        for part in found:
            np.testing.assert_allclose(part[f"0.{name}"], value, **close)


def test_ranks_that_skip_other_layers_add_each_gradient_to_its_own(ranks: Server, tmp_path: Path) -> None:
    assert ranks("skip", tmp_path, 2) == [0, 0]
    first, second = (dict(np.load(tmp_path / f"{rank}.npz")) for rank in (0, 1))
    assert sorted(first) == ["layers.0.bias", "layers.0.weight", "layers.1.bias", "layers.1.weight",
                             "layers.2.bias", "layers.2.weight", "loss"]  # fmt: skip
    losses = []
    networks = [Skipping(0), Skipping(1)]
    x = torch.arange(12.0).reshape(4, 3) / 10
    for rank, network in enumerate(networks):
        logits = network(x[rank::2])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.ones(2, 3)) / 2
        loss.backward()
        losses.append(loss.item())
    assert float(first["loss"]) == pytest.approx(sum(losses), rel=1e-6)
    for name in set(first) - {"loss"}:
        there = [value.grad for network in networks if (value := network.get_parameter(name)).grad is not None]
        np.testing.assert_allclose(first[name], sum(there), rtol=1e-6, atol=1e-8, err_msg=name)
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize(
    ("makings", "step", "said"),
    [("a", 5, "states of different steps"), ("b", 1, "differ in settings, inputs, code or environment")],
)
def test_ranks_that_would_not_train_the_same_say_so(
    ranks: Server, tmp_path: Path, makings: str, step: int, said: str
) -> None:
    assert ranks("disagree", tmp_path / "not", 2, makings=makings, step=step) == [3, 3]
    assert all(said in (tmp_path / f"not/{rank}.err").read_text() for rank in (0, 1))
    assert ranks("disagree", tmp_path / "agreed", 2, makings="a", step=1) == [0, 0]


@given(size=st.integers(1, 60), parts=st.integers(1, 9), count=st.integers(1, 7))
def test_shares_are_the_parts_of_one_process_dealt_out(size: int, parts: int, count: int) -> None:
    whole = share_of(size, parts)
    shares = [share_of(size, parts, Ranks(rank, count)) for rank in range(count)]
    assert sorted(np.concatenate([share.places for share in shares])) == list(range(size))
    assert [sum(lengths) for lengths in zip(*(share.parts for share in shares), strict=True)] == whole.parts
    assert all(max(lengths) - min(lengths) <= 1 for lengths in zip(*(share.parts for share in shares), strict=True))
    assert len(whole.parts) == 1 or whole.parts[-1] > 1  # batch norm needs company
    ends = np.cumsum(whole.parts)
    for share in shares:
        of_part = np.split(share.places, np.cumsum(share.parts)[:-1])
        assert all((mine < end).all() for mine, end in zip(of_part, ends, strict=True))


@given(size=st.integers(1, 12), count=st.integers(1, 5), step=st.integers(0, 9))
def test_a_rank_changes_its_records_as_one_process_does(size: int, count: int, step: int) -> None:
    changes = Changes(20, 0.7, 3, 0.2, 0.1, 0.3, 0.4)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((size, 3, 24)).astype(np.float32))
    targets = torch.eye(size)
    signals, mixed = augmented(changes, 5, step, x, targets)
    for rank in range(count):
        share = share_of(size, 1, Ranks(rank, count))
        needed = at_hand(changes, 5, step, share)
        mine, mine_mixed = augmented(changes, 5, step, x[needed], targets[needed], share)
        assert torch.equal(mine, signals[share.places])
        assert torch.equal(mine_mixed, mixed[share.places])
