"""Which cases are looked at, what integrated gradients add up to, and that a picture of the input fails the check."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.scores import no_replicates, score_frame
from torch import nn

from codeii.artifacts.checkpoint import read_checkpoint
from codeii.artifacts.explanations import KINDS, read_explanations
from codeii.artifacts.scores import write_scores
from codeii.artifacts.targets import read_targets
from codeii.prediction.cases import choose_cases
from codeii.prediction.explain import agreement_of, explain, integrated_gradients
from codeii.training.run import train

Inputs = dict[str, Path]
SETTINGS = {"explanation": {"cases": 2, "steps": 16, "bound": 0.7}, "threads": 1}


@pytest.fixture(scope="module")
def checkpoint(tiny_inputs: Inputs, tiny_settings: dict[str, Any], tmp_path_factory: Any) -> Path:
    folder: Path = tmp_path_factory.mktemp("checkpoint")
    settings = {**tiny_settings, "recipe": {**tiny_settings["recipe"], "epochs": 2}}
    train(tiny_inputs["tensors"], tiny_inputs["targets"], None, settings, "c", folder / "run", folder / "state")
    return folder / "run" / "manifest.json"


def scores_for(checkpoint: Path, folder: Path, threshold: float = 0.5, without: str = "") -> Path:
    run = read_checkpoint(checkpoint)
    of = tuple(run.manifest.settings[name] for name in ("experiment", "model", "start", "fraction", "per_class"))
    nan = float("nan")
    rows = [
        (*of, str(run.manifest.settings["seed"]), "validation", "threshold", name, threshold, nan, nan, 9, 3, 1)
        for name in run.card.classes
        if name != without
    ]
    made: dict[str, Any] = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": True}
    return write_scores(folder, score_frame(rows), no_replicates(), **made)


def explained(checkpoint: Path, inputs: Inputs, folder: Path, **scores: Any) -> Any:
    made = scores_for(checkpoint, folder / "scores", **scores)
    explain(checkpoint, inputs["tensors"], inputs["targets"], made, SETTINGS, "c", folder / "out")
    return read_explanations(folder / "out" / "manifest.json")


probability = arrays(np.float64, (6, 3), elements=st.sampled_from([0.05, 0.2, 0.5, 0.7, 0.95]))


@given(probability, arrays(bool, (6, 3)), st.integers(1, 4))
def test_cases_are_what_their_kind_says_each_record_and_class_once(
    found: np.ndarray, target: np.ndarray, each: int
) -> None:
    thresholds = np.array([0.5, 0.6, 0.1])
    cases = choose_cases(found, target, thresholds, each)
    called = found >= thresholds
    wanted = dict(zip(KINDS, [(True, False), (False, True), (True, True)], strict=True))
    for kind, (true, positive) in wanted.items():
        mine = [case for case in cases if case.kind == kind]
        assert len(mine) <= each
        assert all((target[c.record, c.number], called[c.record, c.number]) == (true, positive) for c in mine)
        assert len({c.record for c in mine}) == len({c.number for c in mine}) == len(mine)
        assert bool(mine) == bool(((target == true) & (called == positive)).any())


def test_the_surest_mistake_comes_first() -> None:
    found = np.array([[0.4, 0.1], [0.01, 0.9], [0.2, 0.99]])
    target = np.array([[1, 0], [1, 0], [1, 0]], bool)
    cases = choose_cases(found, target, np.array([0.5, 0.5]), 5)
    assert [(c.kind, c.record, c.number) for c in cases] == [("missed", 1, 0), ("called wrongly", 2, 1)]


def test_attributions_of_a_linear_network_are_its_weights_times_the_signal() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    given_ = torch.randn(1, 2, 6)
    found, gap = integrated_gradients(network, given_, 1, 8)
    expected = network[1].weight[1].detach().numpy().reshape(2, 6) * given_[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert abs(gap) < 1e-4


def test_a_picture_of_the_input_alone_fails_the_check_and_another_passes() -> None:
    """What an edge detector shows does not change with the weights."""
    rng = np.random.default_rng(0)
    edges = np.diff(rng.standard_normal((8, 500)), axis=1)
    assert agreement_of(edges, -3 * edges) == pytest.approx(1)
    assert abs(agreement_of(edges, rng.standard_normal(edges.shape))) < 0.1
    assert np.isnan(agreement_of(np.zeros((2, 3)), edges[:2, :3]))


def test_a_run_is_explained_completely_and_to_the_same_bytes(
    checkpoint: Path, tiny_inputs: Inputs, tmp_path: Path
) -> None:
    found = explained(checkpoint, tiny_inputs, tmp_path / "once")
    assert 0 < len(found.cases) <= 6 and found.cases["gap"].abs().max() < 0.1
    assert found.signal.shape == found.attribution.shape and np.abs(found.attribution).sum() > 0
    facts = found.manifest.facts
    assert facts["agreement"] == pytest.approx(found.cases["after_randomisation"].abs().mean())
    assert facts["passed"] == (facts["agreement"] < 0.7) and found.manifest.synthetic
    rows = read_targets(tiny_inputs["targets"]).of("test").set_index("record_id")
    for _, case in found.cases.iterrows():
        assert bool(rows.loc[case["record_id"], case["class"]]) == (case["kind"] != "called wrongly")
        assert (case["probability"] >= case["threshold"]) == (case["kind"] != "missed")
    explained(checkpoint, tiny_inputs, tmp_path / "again")
    files = [(tmp_path / name / "out" / "attributions.npz").read_bytes() for name in ("once", "again")]
    assert files[0] == files[1]


def test_a_run_without_mistakes_has_no_case_and_did_not_pass(
    checkpoint: Path, tiny_inputs: Inputs, tmp_path: Path
) -> None:
    found = explained(checkpoint, tiny_inputs, tmp_path, threshold=1.0)  # nothing is called
    assert set(found.cases["kind"]) <= {"missed"}
    none = choose_cases(np.zeros((0, 2)), np.zeros((0, 2), bool), np.array([0.5, 0.5]), 3)
    assert none == []


def test_scores_without_a_threshold_of_the_run_are_refused(
    checkpoint: Path, tiny_inputs: Inputs, tmp_path: Path
) -> None:
    name = read_checkpoint(checkpoint).card.classes[0]
    with pytest.raises(ValueError, match=f"no threshold of .* for {name}; evaluate it again"):
        explained(checkpoint, tiny_inputs, tmp_path, without=name)
