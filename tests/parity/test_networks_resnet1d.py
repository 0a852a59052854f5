"""The CODE ResNet against numbers computed with the group's own code (shared/parity, sections 2 and 5)."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.weight_rule import (
    assert_filled,
    assert_same_logits,
    assert_same_map,
    assert_same_tensors,
    assert_same_training,
    facts_of,
    fill,
    outputs_of,
    signals,
)
from torch import nn

from codeii.models import resnet1d

FAMILY = "networks_cnn"
CASES = [f"age_resnet1d_{leads}lead_{out}out" for leads, out in ((12, 1), (12, 6), (12, 66), (8, 6), (8, 66))]
PARAMETERS = {(12, 1): 6_924_705, (12, 6): 6_950_310, (12, 66): 7_257_570, (8, 6): 6_945_958, (8, 66): 7_253_218}
FOUR_BLOCKS = {
    "filters": [64, 128, 196, 256, 320],
    "strides": [1, 4, 4, 4, 4],
    "kernel_size": 16,
    "stem_activation": "relu",
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def of_the_group(name: str) -> str:
    """Our key in the group's spelling."""
    return name.replace("blocks.", "resblock1d_").replace("skip.", "skip_connection.1.").replace("head.", "lin.")


def build(leads: int, classes: int, **settings: Any) -> nn.Module:
    return resnet1d.build(leads, classes, resnet1d.Settings(**settings))


def leads_and_classes(case: str) -> tuple[int, int]:
    _, _, leads, out = case.split("_")
    return int(leads.removesuffix("lead")), int(out.removesuffix("out"))


@pytest.mark.parametrize("case", CASES)
def test_tensors_have_the_groups_names_shapes_and_order(case: str, shared: Path) -> None:
    facts = facts_of(shared, FAMILY, case)
    with torch.device("meta"):
        network = build(*leads_and_classes(case))
    assert_same_tensors(network, of_the_group, facts)
    assert facts["n_parameters"] == PARAMETERS[leads_and_classes(case)]


@pytest.mark.parametrize("case", ["age_resnet1d_12lead_6out", "age_resnet1d_8lead_66out"])
def test_logits_equal_the_groups(case: str, shared: Path) -> None:
    leads, classes = leads_and_classes(case)
    network = fill(build(leads, classes), of_the_group)
    assert_filled(network, facts_of(shared, FAMILY, case))
    assert_same_logits(network, signals(4, leads, 4096), outputs_of(shared, FAMILY, f"{case}|out"))


def test_every_block_equals_the_groups(shared: Path) -> None:
    case = "age_resnet1d_8lead_6out"
    stats = json.loads((shared / "parity" / f"{FAMILY}_intermediate_stats.json").read_text())[case]
    network, seen = fill(build(8, 6), of_the_group).double(), {}
    network.bn1.register_forward_hook(lambda _module, _inputs, output: seen.update(bn1=output))
    for number, block in enumerate(network.blocks):
        name = f"resblock1d_{number}"
        block.register_forward_hook(lambda _module, _inputs, output, name=name: seen.update({name: output[0]}))
    with torch.inference_mode():
        network(signals(4, 8, 4096).double())
    assert list(seen) == list(stats)
    for name, x_BC1T in seen.items():
        assert_same_map(x_BC1T[:, :, 0], stats[name])


def test_three_training_steps_equal_the_groups(shared: Path) -> None:
    network = fill(build(12, 6, dropout_rate=0.0), of_the_group)
    assert_same_training(network, of_the_group, signals(4, 12, 4096), shared, "age_resnet1d_12lead_6out_adam", decay=0)


@pytest.mark.parametrize(
    ("settings", "leads", "classes", "parameters"),
    [
        pytest.param(FOUR_BLOCKS, 12, 6, 6_421_910, id="A, 12 leads"),
        pytest.param(FOUR_BLOCKS, 8, 66, 6_725_074, id="A, 8 leads"),
        pytest.param(FOUR_BLOCKS, 8, 71, 6_754_407 - 3_728, id="A, PTB-XL"),
        pytest.param({}, 8, 71, 7_278_823, id="B, PTB-XL"),
        pytest.param({}, 8, 9, 6_961_321, id="B, CPSC 2018"),
        pytest.param({"activation": "elu", "dropout_rate": 0.5}, 12, 6, 6_950_310, id="D, 12 leads"),
        pytest.param({"activation": "gelu", "dropout_rate": 0.5}, 8, 66, 7_253_218, id="D, 8 leads"),
    ],
)
def test_the_groups_variants_have_the_published_number_of_parameters(
    settings: dict[str, Any], leads: int, classes: int, parameters: int
) -> None:
    """facts.md, section 3.3, by column. Of A, the 3,728 moving averages of batch norm are not trained."""
    with torch.device("meta"):
        network = build(leads, classes, **settings)
        assert network.eval()(torch.zeros(1, leads, 4096)).shape == (1, classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
