"""The CODE ResNet against numbers computed with the group's own code (shared/parity, sections 2 and 5)."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from codeii.models import resnet1d

CASES = [f"age_resnet1d_{leads}lead_{out}out" for leads, out in ((12, 1), (12, 6), (12, 66), (8, 6), (8, 66))]
PARAMETERS = {(12, 1): 6_924_705, (12, 6): 6_950_310, (12, 66): 7_257_570, (8, 6): 6_945_958, (8, 66): 7_253_218}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def keys(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "parity" / "networks_cnn_keys.json").read_text())


def of_the_group(name: str) -> str:
    """Our key in the group's spelling."""
    name = name.replace("blocks.", "resblock1d_").replace("skip.", "skip_connection.1.").replace("head.", "lin.")
    return name if not name.startswith("resblock1d_0.skip") else "none"


@cache
def weight_of(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight rule of shared/parity/README.md, section 2."""
    seed = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
    normal = np.random.default_rng(seed).standard_normal(int(np.prod(shape, dtype=int))).reshape(shape)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_var"):
        return (0.5 + np.abs(normal)).astype(np.float32)
    if key.endswith("running_mean"):
        return (0.1 * normal).astype(np.float32)
    if len(shape) >= 2:
        return (normal / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    return (1 + 0.1 * normal if key.endswith("weight") else 0.05 * normal).astype(np.float32)


def filled(leads: int, classes: int, **settings: Any) -> nn.Module:
    network = resnet1d.build(leads, classes, resnet1d.Settings(**settings))
    state = network.state_dict()
    network.load_state_dict(
        {name: torch.from_numpy(weight_of(of_the_group(name), tuple(value.shape))) for name, value in state.items()}
    )
    return network.eval()


def signals(leads: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((4, leads, 4096)).astype(np.float32))


def leads_and_classes(case: str) -> tuple[int, int]:
    _, _, leads, out = case.split("_")
    return int(leads.removesuffix("lead")), int(out.removesuffix("out"))


@pytest.mark.parametrize("case", CASES)
def test_tensors_have_the_groups_names_shapes_and_order(case: str, keys: dict[str, Any]) -> None:
    leads, classes = leads_and_classes(case)
    with torch.device("meta"):
        network = resnet1d.build(leads, classes, resnet1d.Settings())
    ours = [[of_the_group(name), list(value.shape)] for name, value in network.state_dict().items()]
    assert ours == [tensor[:2] for tensor in keys[case]["tensors"]]
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == keys[case]["n_parameters"] == PARAMETERS[leads, classes]


@pytest.mark.parametrize("case", ["age_resnet1d_12lead_6out", "age_resnet1d_8lead_66out"])
def test_logits_equal_the_groups(case: str, keys: dict[str, Any], shared: Path) -> None:
    leads, classes = leads_and_classes(case)
    network, x_BLT = filled(leads, classes), signals(leads)
    total = sum(float(value.double().sum()) for value in network.state_dict().values() if value.is_floating_point())
    assert total == pytest.approx(keys[case]["fill_sum_f64"], rel=1e-12)
    expected = np.load(shared / "parity" / "networks_cnn_outputs.npz")
    with torch.inference_mode():
        single = network(x_BLT).numpy()
        double = network.double()(x_BLT.double()).numpy()
    np.testing.assert_allclose(double, expected[f"{case}|out|f64"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(single, expected[f"{case}|out|f32"], rtol=0, atol=2e-5)


def test_three_training_steps_equal_the_groups(shared: Path) -> None:
    case = "train_age_resnet1d_12lead_6out_adam"
    facts = json.loads((shared / "parity" / "extra_pipelines_and_training_steps.json").read_text())[case]
    arrays = np.load(shared / "parity" / "extra_pipelines_and_training_steps.npz")
    network, x_BLT = filled(12, 6, dropout_rate=0.0).double().train(), signals(12).double()
    targets_BK = torch.from_numpy(arrays["train|targets_4x6"])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses, norms = [], {}
    for step in range(3):
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(network(x_BLT), targets_BK)
        loss.backward()
        if step == 0:
            norms = {of_the_group(name): float(value.grad.norm()) for name, value in network.named_parameters()}
        optimiser.step()
        losses.append(loss.item())
    with torch.inference_mode():
        after = network.eval()(x_BLT).numpy()
    np.testing.assert_allclose(losses, facts["losses"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(after, arrays[f"{case.replace('train_', 'train|', 1)}|eval_output_after"], atol=1e-6)
    for name, norm in facts["grad_norms_step1"]:
        assert norm < 1e-10 or norms[name] == pytest.approx(norm, rel=1e-6), name


@pytest.mark.parametrize(("leads", "classes", "parameters"), [(12, 6, 6_421_910), (8, 66, 6_725_074)])
def test_the_four_block_network_has_the_published_number_of_parameters(
    leads: int, classes: int, parameters: int
) -> None:
    """facts.md, section 3.3, column A: trainable parameters of the Keras model of Ribeiro et al. 2020."""
    settings = {"filters": [64, 128, 196, 256, 320], "strides": [1, 4, 4, 4, 4], "kernel_size": 16}
    with torch.device("meta"):
        network = resnet1d.build(leads, classes, resnet1d.Settings(**settings, stem_activation="relu"))
        assert network.eval()(torch.zeros(1, leads, 4096)).shape == (1, classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
