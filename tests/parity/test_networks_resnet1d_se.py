"""The ResNet with gates against numbers computed with its authors' code (shared/parity, section 2).

Theirs joins an embedding of age and sex to the features. Ours is theirs without it, which these tests add.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.weight_rule import assert_same_logits, assert_same_map, facts_of, outputs_of, signals, weight_of
from torch import nn
from torch.nn import functional

from codeii.models import resnet1d_se

FAMILY = "networks_cnn"
EMBEDDED = 64  # features of age and sex, before those of the signal
CASES = {
    "nstemi_4blk_8lead_3out_se8": (8, 3, {"blocks": 4}),
    "nstemi_8blk_8lead_3out_se8": (8, 3, {"blocks": 8}),
    "nstemi_12blk_8lead_3out_se8": (8, 3, {"blocks": 12}),
    "nstemi_12blk_12lead_3out_se8": (12, 3, {}),
    "nstemi_4blk_8lead_6out_se16": (8, 6, {"blocks": 4, "se_reduction": 16}),
    "nstemi_4blk_8lead_3out_nose": (8, 3, {"blocks": 4, "se_reduction": None}),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def of_the_group(name: str) -> str:
    """Our key in the group's spelling."""
    for ours, theirs in (
        ("blocks.", "resblock1d_"),
        ("skip.", "skip_connection.1."),
        ("gate.squeeze.", "se_layer.fc.0."),
        ("gate.excite.", "se_layer.fc.2."),
    ):
        name = name.replace(ours, theirs)
    return name.replace("head.", "pred_stage.lin_classifier.") if name.startswith("head.") else f"resnet.{name}"


def build(leads: int, classes: int, settings: dict[str, Any]) -> nn.Module:
    return resnet1d_se.build(leads, classes, resnet1d_se.Settings(**settings))


def filled(leads: int, classes: int, settings: dict[str, Any]) -> tuple[nn.Module, torch.Tensor]:
    """The network by the weight rule, and the columns of the reference's head that see age and sex."""
    network = build(leads, classes, settings)
    state = network.state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    shapes["head.weight"] = (classes, EMBEDDED + network.head.in_features)
    weights = {name: torch.from_numpy(weight_of(of_the_group(name), shape)) for name, shape in shapes.items()}
    of_age_and_sex, weights["head.weight"] = weights["head.weight"].tensor_split([EMBEDDED], dim=1)
    network.load_state_dict(weights)
    return network.eval(), of_age_and_sex


def embedding(sex_and_age: list[list[float]]) -> torch.Tensor:
    """(B, 64) float64: what the reference makes of sex and age."""
    weight = torch.from_numpy(weight_of("age_sex_emb.linear.weight", (EMBEDDED, 2))).double()
    bias = torch.from_numpy(weight_of("age_sex_emb.linear.bias", (EMBEDDED,))).double()
    return functional.relu(functional.linear(torch.tensor(sex_and_age).double(), weight, bias))


@pytest.mark.parametrize("case", CASES)
def test_tensors_have_the_groups_names_shapes_and_order(case: str, shared: Path) -> None:
    with torch.device("meta"):
        network = build(*CASES[case])
    ours = [[of_the_group(name), list(value.shape)] for name, value in network.state_dict().items()]
    theirs = [tensor[:2] for tensor in facts_of(shared, FAMILY, case)["tensors"]]
    (name, (classes, features)), bias = theirs[-2:]
    backbone = [tensor for tensor in theirs[:-2] if not tensor[0].startswith("age_sex_emb.")]
    assert ours == [*backbone, [name, [classes, features - EMBEDDED]], bias]


@pytest.mark.parametrize("case", CASES)
def test_the_backbone_equals_the_groups_and_so_do_the_logits_with_age_and_sex(case: str, shared: Path) -> None:
    stats = json.loads((shared / "parity" / f"{FAMILY}_intermediate_stats.json").read_text())[case]
    meta = facts_of(shared, FAMILY, "nstemi_4blk_8lead_3out_se8")["meta"]  # the case without gates has the same input
    network, of_age_and_sex = filled(*CASES[case])
    x_BLT, embedded = signals(4, CASES[case][0], 4096), embedding(meta["age_sex"])
    added = (embedded @ of_age_and_sex.double().T).numpy()
    single, double = outputs_of(shared, FAMILY, f"{case}|logits")
    assert_same_logits(network, x_BLT, (single - added, double - added))
    with torch.inference_mode():
        assert_same_map(network.backbone(x_BLT.double()), stats["resnet"])


@pytest.mark.parametrize("case", ["nstemi_8blk_8lead_3out_se8", "nstemi_12blk_8lead_3out_se8"])
def test_every_block_equals_the_groups(case: str, shared: Path) -> None:
    stats = json.loads((shared / "parity" / f"{FAMILY}_intermediate_stats.json").read_text())[case]
    network, seen = filled(*CASES[case])[0].double(), {}
    for name, module in network.named_modules():
        if of_the_group(name) in stats:
            key = of_the_group(name)
            module.register_forward_hook(lambda _module, _inputs, output, key=key: seen.update({key: output}))
    with torch.inference_mode():
        network(signals(4, 8, 4096).double())
    assert set(stats) - set(seen) == {"resnet", "age_sex_emb"}
    for key, x_BCT in seen.items():
        assert_same_map(x_BCT, stats[key])


@pytest.mark.parametrize(
    ("leads", "classes", "parameters"),
    [(12, 6, 6_840_334), (8, 66, 7_143_242), (8, 71, 7_168_847), (8, 9, 6_851_345)],
)
def test_four_blocks_without_age_and_sex_have_the_published_number_of_parameters(
    leads: int, classes: int, parameters: int
) -> None:
    """facts.md, section 3.3, column C: reduction 16."""
    with torch.device("meta"):
        network = build(leads, classes, {"blocks": 4, "se_reduction": 16})
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
