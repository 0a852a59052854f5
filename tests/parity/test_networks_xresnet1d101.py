"""The xresnet of the PTB-XL benchmark against numbers computed with the benchmark's code (shared/parity, section 2)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.weight_rule import (
    assert_filled,
    assert_same_logits,
    assert_same_map,
    assert_same_tensors,
    facts_of,
    fill,
    outputs_of,
    signals,
)
from torch import nn

from codeii.models import xresnet1d101

FAMILY = "networks_ptbxl_benchmark"
CASES = {
    "xresnet1d101_71": (101, 71, 1_880_775),
    "xresnet1d101_5": (101, 5, 1_872_261),
    "xresnet1d101_71_len1000": (101, 71, 1_880_775),
    "xresnet1d50_71": (50, 71, 962_503),
}
SINGLE_ATOL = {101: 5e-5, 50: 2e-5}
CONVOLUTIONS = {"reduce": "convs.0", "middle": "convs.1", "expand": "convs.2", "skip": "idpath.0"}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def of_the_benchmark(name: str) -> str:
    """Our key, or the name of a module, in the benchmark's spelling, where everything is a number."""
    name = re.sub(r"^stem\.(\d+)", r"\1", name)
    name = re.sub(r"^groups\.(\d+)", lambda found: str(4 + int(found[1])), name)
    name = re.sub(r"^hidden\.(\d+)", lambda found: f"8.{2 + int(found[1])}", name)
    name = name.replace("head", "8.8")
    return re.sub("|".join(CONVOLUTIONS), lambda found: CONVOLUTIONS[found[0]], name)


def build(case: str) -> nn.Module:
    depth, classes, _ = CASES[case]
    return xresnet1d101.build(12, classes, xresnet1d101.Settings(depth=depth))


@pytest.mark.parametrize("case", [case for case in CASES if not case.endswith("len1000")])  # the same network
def test_tensors_have_the_benchmarks_names_shapes_and_order(case: str, shared: Path) -> None:
    facts = facts_of(shared, FAMILY, case)
    with torch.device("meta"):
        network = build(case)
    assert_same_tensors(network, of_the_benchmark, facts)
    assert facts["n_parameters"] == CASES[case][2]


@pytest.mark.parametrize("case", CASES)
def test_logits_equal_the_benchmarks(case: str, shared: Path) -> None:
    facts = facts_of(shared, FAMILY, case)
    network = fill(build(case), of_the_benchmark)
    assert_filled(network, facts)
    x_BLT = signals(2, 12, 1000) if case.endswith("len1000") else signals(4, 12, 250)
    expected = outputs_of(shared, FAMILY, f"{case}|out")
    assert_same_logits(network, x_BLT, expected, SINGLE_ATOL[CASES[case][0]])


def shapes_of(network: nn.Module, samples: int) -> dict[str, list[Any]]:
    """Type, shapes in and out of one record, and parameters of each leaf of a network, by the benchmark's name."""
    rows: dict[str, list[Any]] = {}
    for name, module in network.named_modules():
        if not list(module.children()):
            kind, size = type(module).__name__, sum(value.numel() for value in module.parameters())

            def note(_module: nn.Module, inputs: Any, output: Any, row: str = name, of: Any = (kind, size)) -> None:
                rows[of_the_benchmark(row)] = [of[0], list(inputs[0].shape), list(output.shape), of[1]]

            module.register_forward_hook(note)
    with torch.inference_mode():
        network(signals(1, 12, samples))
    return rows


def test_every_layer_has_the_benchmarks_shapes(shared: Path) -> None:
    table = {name: row for name, *row in facts_of(shared, FAMILY, "xresnet1d101_71")["layer_table"]}
    ours = shapes_of(build("xresnet1d101_71").eval(), 250)
    assert len(ours) == 2 * (1 + 3 + 3 * 33) + 6 + 1
    assert {name: table[name] for name in ours} == ours
    rest = {row[0] for name, row in table.items() if name not in ours}
    assert rest == {"ReLU", "MaxPool1d", "Sequential", "AvgPool1d", "AdaptiveMaxPool1d", "AdaptiveAvgPool1d", "Flatten"}


@pytest.mark.parametrize("case", ["xresnet1d101_71", "xresnet1d101_5"])
def test_every_group_equals_the_benchmarks(case: str, shared: Path) -> None:
    stats = json.loads((shared / "parity" / f"{FAMILY}_intermediate_stats.json").read_text())[case]
    network, seen = fill(build(case), of_the_benchmark).double(), {}
    for number, group in enumerate(network.groups):
        key = str(4 + number)
        group.register_forward_hook(lambda _module, _inputs, output, key=key: seen.update({key: output}))
    with torch.inference_mode():
        network(signals(4, 12, 250).double())
    for key, x_BCT in seen.items():
        assert_same_map(x_BCT, stats[key])


def test_aliases_of_the_benchmark_name_tensors_that_are_ours(shared: Path) -> None:
    with torch.device("meta"):
        network = build("xresnet1d101_71")
    facts, ours = facts_of(shared, FAMILY, "xresnet1d101_71"), {of_the_benchmark(name) for name in network.state_dict()}
    assert set(facts["aliases"].values()) <= ours
    assert len(ours) + len(facts["aliases"]) == facts["n_state_tensors"]


def test_a_block_begins_as_its_shortcut() -> None:
    torch.manual_seed(0)
    block = xresnet1d101.build(12, 5, xresnet1d101.Settings()).eval().groups[1][0]
    x_BCT = torch.rand(2, 256, 63)
    with torch.inference_mode():
        torch.testing.assert_close(block(x_BCT), block.shortcut(x_BCT))
