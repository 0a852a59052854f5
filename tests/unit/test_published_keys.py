"""Published checkpoints come in whole under their own names, or are refused with the names that do not fit."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

import codeii.models
from codeii.models import ecg_fm, ecgfounder

TINY = {
    "ecgfounder": {"stem_filters": 4, "filters": [8, 12], "blocks": [2, 1], "kernel_size": 4, "group_width": 4},
    "hubert_ecg": {"width": 32, "layers": 2, "heads": 2, "hidden": 48, "convolution_filters": 8},
    "ecg_fm": {"width": 32, "layers": 2, "heads": 2, "hidden": 48, "convolution_filters": 8},
}
PREFIX = {"ecgfounder": "", "hubert_ecg": "hubert_ecg.", "ecg_fm": "encoder."}
HEAD = {"ecgfounder": "dense", "hubert_ecg": "classifier", "ecg_fm": "proj"}
BESIDE = {
    "hubert_ecg": ("final_proj.0.weight", "label_embedding.0.weight", "masked_spec_embed"),
    "ecg_fm": ("mask_emb", "quantizer.vars", "project_q.bias", "final_proj.weight"),
}
TRANSFORMERS = ["hubert_ecg", "ecg_fm"]


def network_of(name: str, **settings: object) -> tuple[ModuleType, nn.Module]:
    module = import_module(f"codeii.models.{name}")
    torch.manual_seed(1)
    return module, module.build(leads=12, classes=3, settings=module.Settings(**(TINY[name] | settings)))


def published_form(name: str, network: nn.Module) -> dict[str, np.ndarray]:
    """The network's own weights under the names of a published classifier."""
    form = {}
    for key, value in network.state_dict().items():
        if key.startswith("head."):
            form[key.replace("head", HEAD[name])] = value.numpy()
        elif name == "ecgfounder":
            form[key.replace("conv.", "conv.conv.", 1) if key.startswith("first_conv") else convolution(key)] = (
                value.numpy()
            )
        else:
            form[PREFIX[name] + key.removeprefix("hubert_ecg.")] = value.numpy()
    return form


def convolution(key: str) -> str:
    for number in "123":
        key = key.replace(f".conv{number}.", f".conv{number}.conv.")
    return key


def assert_is_the_encoder(loaded: dict[str, np.ndarray], network: nn.Module) -> None:
    state = network.state_dict()
    assert [*loaded, "head.weight", "head.bias"] == list(state)
    for key, value in loaded.items():
        np.testing.assert_array_equal(value, state[key].numpy())
        assert value.dtype == state[key].numpy().dtype


@pytest.mark.parametrize("name", TINY)
def test_a_classifier_file_fills_the_encoder_and_leaves_the_head(name: str) -> None:
    module, network = network_of(name)
    assert_is_the_encoder(module.load_published(published_form(name, network), network), network)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_pretrained_file_may_hold_what_pretraining_needs(name: str) -> None:
    module, network = network_of(name)
    state = {key.removeprefix(PREFIX[name]): value for key, value in published_form(name, network).items()}
    state = {key: value for key, value in state.items() if not key.startswith(HEAD[name])}
    state |= {key: np.zeros(3, np.float32) for key in BESIDE[name]}
    assert_is_the_encoder(module.load_published(state, network), network)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_weight_norm_is_read_under_its_old_names(name: str) -> None:
    module, network = network_of(name)
    state = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in published_form(name, network).items()
    }
    assert sum(key.endswith((".weight_g", ".weight_v")) for key in state) == 2
    assert_is_the_encoder(module.load_published(state, network), network)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_one_tensor_under_both_its_names_is_refused(name: str) -> None:
    module, network = network_of(name)
    state = published_form(name, network)
    new = next(key for key in state if key.endswith("original0"))
    state[new.replace("parametrizations.weight.original0", "weight_g")] = state[new]
    with pytest.raises(ValueError, match=r"1 unexpected: \S*weight_g"):
        module.load_published(state, network)


@pytest.mark.parametrize("name", TINY)
def test_a_missing_tensor_is_named(name: str) -> None:
    module, network = network_of(name)
    state = published_form(name, network)
    for key in [key for key in state if ".0." in key and not key.startswith(HEAD[name])][:7]:
        del state[key]
    with pytest.raises(ValueError, match=r"7 missing: (\S+, ){5}\.\.\."):
        module.load_published(state, network)


@pytest.mark.parametrize("name", TINY)
def test_a_tensor_nobody_knows_is_named(name: str) -> None:
    module, network = network_of(name)
    state = published_form(name, network) | {"optimizer.step": np.zeros(1)}
    with pytest.raises(ValueError, match=r"1 unexpected: optimizer\.step"):
        module.load_published(state, network)


@pytest.mark.parametrize("name", TINY)
def test_a_tensor_of_another_shape_is_named_with_both(name: str) -> None:
    module, network = network_of(name)
    state = published_form(name, network)
    key = next(key for key, value in state.items() if value.ndim == 3)
    shape = state[key].shape
    state[key] = state[key][:-1]
    with pytest.raises(ValueError) as refused:
        module.load_published(state, network)
    assert f"1 of another shape: {key} {state[key].shape}, expected {shape}" in str(refused.value)
    assert "missing" not in str(refused.value)


def test_a_tensor_where_a_fine_tuned_file_has_none_is_refused() -> None:
    """`layer_norm.weight` is the encoder's in a pretrained file, nobody's in a fine-tuned one."""
    _, network = network_of("ecg_fm")
    state = published_form("ecg_fm", network)
    state["layer_norm.weight"] = state.pop("encoder.layer_norm.weight")
    with pytest.raises(ValueError, match=r"1 missing: layer_norm\.weight; 1 unexpected: layer_norm\.weight"):
        ecg_fm.load_published(state, network)


def test_idle_norms_of_the_published_net1d_are_left_out_and_others_are_not() -> None:
    _, with_norms = network_of("ecgfounder", batch_norm=True)
    _, without = network_of("ecgfounder")
    state = published_form("ecgfounder", with_norms) | {"stage_list.0.block_list.0.bn1.weight": np.ones(4, np.float32)}
    loaded = ecgfounder.load_published(state, without)
    assert [*loaded, "head.weight", "head.bias"] == list(without.state_dict())
    assert_is_the_encoder(ecgfounder.load_published(state, with_norms), with_norms)
    with pytest.raises(ValueError, match=r"1 unexpected: last_bn\.weight"):
        ecgfounder.load_published(state | {"last_bn.weight": np.ones(4, np.float32)}, without)


def test_wider_floats_are_rounded_to_the_networks() -> None:
    module, network = network_of("ecgfounder")
    state = {key: value.astype(np.float64) for key, value in published_form("ecgfounder", network).items()}
    assert_is_the_encoder(module.load_published(state, network), network)


@pytest.mark.parametrize("name", TINY)
def test_what_the_published_weights_need_can_be_read_without_torch(name: str) -> None:
    source = Path(codeii.models.__path__[0], f"{name}.py").read_text()
    literals = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "PUBLISHED"
    }
    assert literals["PUBLISHED"]["leads"] == "twelve"
    assert all(samples > 0 for samples in literals["PUBLISHED"]["samples"])
    module = import_module(f"codeii.models.{name}")
    module.Settings(**literals["PUBLISHED"].get("settings", {}))


@pytest.mark.parametrize("name", TINY)
def test_every_parameter_but_the_heads_is_in_one_stage(name: str) -> None:
    _, network = network_of(name)
    prefixes = [prefix for stage in network.stages() for prefix in stage]
    for parameter, _ in network.named_parameters():
        assert sum(parameter.startswith(prefix) for prefix in prefixes) == (not parameter.startswith("head.")), (
            parameter
        )
    assert all(any(name.startswith(prefix) for name, _ in network.named_parameters()) for prefix in prefixes)


def test_transformers_is_imported_by_building_only_and_stays_off_the_internet() -> None:
    program = (
        "import os, sys; from codeii.models import hubert_ecg as file; print('transformers' in sys.modules); "
        f"file.build(12, 3, file.Settings(**{TINY['hubert_ecg']})); "
        "offline, silent = os.environ['HF_HUB_OFFLINE'], os.environ['HF_HUB_DISABLE_TELEMETRY']; "
        "print('transformers' in sys.modules, offline, silent)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "True", "1", "1"]


def test_a_token_mean_leaves_out_zeros_and_stays_finite() -> None:
    x_BNC = torch.tensor([[[2.0, 0.0], [0.0, 0.0], [4.0, 0.0]]], requires_grad=True)
    mean_BC = ecg_fm.mean_of_nonzero(x_BNC)
    assert mean_BC.tolist() == [[3.0, 0.0]]
    mean_BC.sum().backward()
    assert x_BNC.grad is not None
    assert torch.isfinite(x_BNC.grad).all()


@pytest.mark.parametrize("name", TINY)
def test_dropout_is_a_function_of_the_random_state(name: str) -> None:
    _, network = network_of(name, dropout_rate=0.3, **({"layer_drop_rate": 0.4} if name == "hubert_ecg" else {}))
    network.train()
    x_BLT = torch.randn(2, 12, 512)
    torch.manual_seed(7)
    np.random.seed(1)
    first = network(x_BLT)
    torch.manual_seed(7)
    np.random.seed(2)
    assert torch.equal(first, network(x_BLT))
    assert not torch.equal(first, network(x_BLT))


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("ecgfounder", {"filters": [8]}, "1 filters but 2 blocks"),
        ("ecgfounder", {"filters": [8, 10]}, r"filters \[10\] are no multiples of group_width 4"),
        ("hubert_ecg", {"strides": [4]}, "5 kernels but 1 strides"),
        ("hubert_ecg", {"heads": 3}, "width 32 is no multiple of heads 3"),
        ("ecg_fm", {"heads": 3}, "width 32 is no multiple of heads 3"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, settings: dict[str, object], said: str) -> None:
    module = import_module(f"codeii.models.{name}")
    with pytest.raises(ValueError, match=said):
        module.Settings(**(TINY[name] | settings))
