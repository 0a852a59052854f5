"""The ResNet with gates against numbers computed with its authors' code (shared/parity, sections 2 and 5).

Theirs joins an embedding of age and sex to the features. Ours is theirs without it, so the tests put one beside ours.
"""

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
from torch import Tensor, nn
from torch.nn import functional

from codeii.models import resnet1d_se

FAMILY = "networks_cnn"
EMBEDDED = 64  # features of age and sex, before those of the signal
CASES = {
    "nstemi_4blk_8lead_3out_se8": (8, 3, {"blocks": 4}, 6_848_747),
    "nstemi_8blk_8lead_3out_se8": (8, 3, {"blocks": 8}, 26_120_811),
    "nstemi_12blk_8lead_3out_se8": (8, 3, {}, 33_070_019),
    "nstemi_12blk_12lead_3out_se8": (12, 3, {}, 33_074_371),
    "nstemi_4blk_8lead_6out_se16": (8, 6, {"blocks": 4, "se_reduction": 16}, 6_836_558),
    "nstemi_4blk_8lead_3out_nose": (8, 3, {"blocks": 4, "se_reduction": None}, 6_793_259),
}
SPELLING = {
    "signal.": "resnet.",
    "blocks.": "resblock1d_",
    "skip.": "skip_connection.1.",
    "gate.squeeze.": "se_layer.fc.0.",
    "gate.excite.": "se_layer.fc.2.",
    "age_and_sex.": "age_sex_emb.linear.",
    "head.": "pred_stage.lin_classifier.",
}


class WithAgeAndSex(nn.Module):
    """The reference: our network up to its features, and a head that sees age and sex as well."""

    def __init__(self, signal: resnet1d_se.ResNet1dSE, sex_and_age: list[list[float]]) -> None:
        super().__init__()
        classes, features = signal.head.weight.shape
        self.signal = signal
        self.signal.head = nn.Identity()
        self.age_and_sex = nn.Linear(2, EMBEDDED)
        self.head = nn.Linear(EMBEDDED + features, classes)
        self.sex_and_age = sex_and_age

    def forward(self, x_BLT: Tensor) -> Tensor:
        sex_and_age_B2 = torch.tensor(self.sex_and_age, dtype=torch.float32).to(x_BLT.dtype)
        embedded_BC = functional.relu(self.age_and_sex(sex_and_age_B2))
        return self.head(torch.cat([embedded_BC, self.signal.features(x_BLT)], dim=1))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def of_the_group(name: str) -> str:
    """Our key in the group's spelling."""
    for ours, theirs in SPELLING.items():
        name = name.replace(ours, theirs)
    return name


def build(leads: int, classes: int, settings: dict[str, Any]) -> resnet1d_se.ResNet1dSE:
    return resnet1d_se.build(leads, classes, resnet1d_se.Settings(**settings))


def reference(case: str, shared: Path, **settings: Any) -> WithAgeAndSex:
    leads, classes, of_case, _ = CASES[case]
    meta = facts_of(shared, FAMILY, "nstemi_4blk_8lead_3out_se8")["meta"]  # the same in all cases, not stated in all
    return WithAgeAndSex(build(leads, classes, of_case | settings), meta["age_sex"])


@pytest.mark.parametrize("case", CASES)
def test_tensors_have_the_groups_names_shapes_and_order(case: str, shared: Path) -> None:
    facts = facts_of(shared, FAMILY, case)
    with torch.device("meta"):
        network = reference(case, shared)
    assert_same_tensors(network, of_the_group, facts)
    assert facts["n_parameters"] == CASES[case][-1]


@pytest.mark.parametrize("case", CASES)
def test_logits_and_the_last_feature_map_equal_the_groups(case: str, shared: Path) -> None:
    network = fill(reference(case, shared), of_the_group)
    assert_filled(network, facts_of(shared, FAMILY, case))
    x_BLT = signals(4, CASES[case][0], 4096)
    assert_same_logits(network, x_BLT, outputs_of(shared, FAMILY, f"{case}|logits"))
    stats = json.loads((shared / "parity" / f"{FAMILY}_intermediate_stats.json").read_text())[case]["resnet"]
    with torch.inference_mode():
        assert_same_map(network.signal.backbone(x_BLT.double()), stats)


@pytest.mark.parametrize("case", ["nstemi_8blk_8lead_3out_se8", "nstemi_12blk_8lead_3out_se8"])
def test_every_block_equals_the_groups(case: str, shared: Path) -> None:
    stats = json.loads((shared / "parity" / f"{FAMILY}_intermediate_stats.json").read_text())[case]
    network, seen = fill(reference(case, shared), of_the_group).double(), {}
    for name, module in network.named_modules():
        if of_the_group(name) in stats:
            key = of_the_group(name)
            module.register_forward_hook(lambda _module, _inputs, output, key=key: seen.update({key: output}))
    with torch.inference_mode():
        network(signals(4, 8, 4096).double())
    assert set(stats) - set(seen) == {"resnet", "age_sex_emb"}
    for key, x_BCT in seen.items():
        assert_same_map(x_BCT, stats[key])


def test_three_training_steps_equal_the_groups(shared: Path) -> None:
    network = fill(reference("nstemi_4blk_8lead_6out_se16", shared, dropout_rate=0.0), of_the_group)
    x_BLT = signals(4, 8, 4096)
    assert_same_training(network, of_the_group, x_BLT, shared, "nstemi_4blk_8lead_6out_se16_adamw", decay=0.01)


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
