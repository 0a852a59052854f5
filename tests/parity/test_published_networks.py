"""Encoders with published weights against numbers computed with their authors' code (shared/parity, section 2).

The weights follow the rule, under the published names, and come in by `load_published`, as those of a real file would.
"""

import json
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from tests.weight_rule import weight_of
from torch import Tensor, nn

FILES = {"ecgfounder": "networks_cnn", "hubert_ecg": "networks_hubert_ecg", "ecg_fm": "networks_ecg_fm"}
HEADS = {"ecgfounder": "dense", "hubert_ecg": "classifier", "ecg_fm": "proj"}
FEATURES = {"ecgfounder": "features", "hubert_ecg": "pooled"}
SINGLE, DOUBLE = 2e-5, 1e-9

SETTINGS: dict[str, dict[str, Any]] = {
    "ecgfounder_12lead_150_nobn": {},
    "ecgfounder_1lead_150_nobn": {},
    "net1d_12lead_71_bn": {"batch_norm": True},
    "hubert_ecg_small_cls9": {"width": 512, "layers": 8, "heads": 8, "hidden": 2048},
    "hubert_ecg_base_cls9": {},
    "hubert_ecg_small_pretraining_ds5": {"width": 512, "layers": 8, "heads": 8, "hidden": 2048},
    "hubert_ecg_base_pretraining_ds5": {},
    "hubert_ecg_base_pretraining_ds10": {"kernels": [10, 3, 3, 2], "strides": [4, 2, 2, 2]},
    "hubert_ecg_base_pretraining_dsNone": {"kernels": [10, 3, 3, 3, 3, 2, 2], "strides": [5, 2, 2, 2, 2, 2, 2]},
    "hubert_ecg_large_pretraining_ds5": {"width": 960, "layers": 16, "hidden": 3840},
    "ecgfm_w2v_cmsc": {},
    "ecgfm_classifier_26": {},
}
CLASSIFIERS = [case for case in SETTINGS if case.endswith(("bn", "cls9"))]
PRETRAINED = [case for case in SETTINGS if "pretraining" in case or case.endswith("cmsc")]
OTHER_LENGTHS = [f"ecgfounder_12lead_150_nobn_len{samples}" for samples in (1250, 2500, 4096, 4999)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def parity(shared: Path) -> Path:
    return shared / "parity"


def model_of(case: str) -> str:
    return {"hubert": "hubert_ecg", "ecgfm": "ecg_fm"}.get(case.split("_")[0], "ecgfounder")


def module_of(case: str) -> ModuleType:
    return import_module(f"codeii.models.{model_of(case)}")


@cache
def facts(parity: Path, case: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((parity / f"{FILES[model_of(case)]}_keys.json").read_text())[case]
    return facts


@lru_cache(maxsize=1)  # up to 370 MB each
def published(parity: Path, case: str) -> dict[str, np.ndarray]:
    """The tensors of a file as its authors would publish it; their sum proves the rule."""
    tensors = {key: weight_of(key, tuple(shape)) for key, shape, _ in facts(parity, case)["tensors"]}
    total = sum(float(value.astype(np.float64).sum()) for value in tensors.values())
    assert total == pytest.approx(facts(parity, case)["fill_sum_f64"], rel=1e-12)
    return tensors


def filled(parity: Path, case: str) -> nn.Module:
    """The network with all weights of the case; where the file has no classifier, the head stays random."""
    module, state = module_of(case), published(parity, case)
    shape = facts(parity, case)["meta"]["input"]
    head = HEADS[model_of(case)]
    classes = len(state.get(f"{head}.bias", "?"))
    network: nn.Module = module.build(shape[1] if len(shape) == 3 else 12, classes, module.Settings(**SETTINGS[case]))
    loaded = {f"head.{part}": state[f"{head}.{part}"] for part in ("weight", "bias") if f"{head}.{part}" in state}
    loaded |= module.load_published(state, network)
    ours = network.state_dict()
    network.load_state_dict(ours | {name: torch.from_numpy(value) for name, value in loaded.items()}, strict=True)
    return network.eval()


def signals(shape: list[int]) -> Tensor:
    """Two standard normal records; (2, 6000) are the twelve leads of each, one after the other."""
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(values if len(shape) == 3 else values.reshape(shape[0], 12, -1))


def assert_equal(parity: Path, case: str, output: str, single: Tensor, double: Tensor) -> None:
    outputs = np.load(parity / f"{FILES[model_of(case)]}_outputs.npz")
    np.testing.assert_allclose(double.numpy(), outputs[f"{case}|{output}|f64"], rtol=0, atol=DOUBLE)
    np.testing.assert_allclose(single.numpy(), outputs[f"{case}|{output}|f32"], rtol=0, atol=SINGLE)


def in_both(network: nn.Module, ask: Callable[[nn.Module, Tensor], Tensor], x_BLT: Tensor) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        single = ask(network.float(), x_BLT)
        return single, ask(network.double(), x_BLT.double())


@pytest.mark.parametrize("case", CLASSIFIERS)
def test_logits_and_features_equal_the_authors(case: str, parity: Path) -> None:
    network, x_BLT = filled(parity, case), signals(facts(parity, case)["meta"]["input"])
    assert_equal(parity, case, "logits", *in_both(network, lambda ours, x: ours(x), x_BLT))
    assert_equal(parity, case, FEATURES[model_of(case)], *in_both(network, lambda ours, x: ours.features(x), x_BLT))


@pytest.mark.parametrize("case", OTHER_LENGTHS)
def test_logits_of_other_lengths_equal_the_authors(case: str, parity: Path) -> None:
    network, x_BLT = (
        filled(parity, facts(parity, case)["meta"]["same_as"]),
        signals(facts(parity, case)["meta"]["input"]),
    )
    assert_equal(parity, case, "logits", *in_both(network, lambda ours, x: ours(x), x_BLT))


@pytest.mark.parametrize("case", [case for case in CLASSIFIERS if model_of(case) == "hubert_ecg"])
def test_the_hubert_encoder_is_the_authors_under_a_mask_too(case: str, parity: Path) -> None:
    """Every row of a tensor store is full, so the network takes no mask; the encoder inside it answers as theirs.

    In the second record 4,800 of 6,000 samples are marked as signal: 74 of 93 tokens.
    """
    network, x_BLT = filled(parity, case), signals([2, 6000])
    mask_BLT = torch.ones(2, 12, 500, dtype=torch.long)
    mask_BLT[1, :, 400:] = 0

    def ask(ours: nn.Module, x: Tensor) -> Tensor:
        tokens = ours.hubert_ecg(x.flatten(1), attention_mask=mask_BLT.flatten(1)).last_hidden_state
        return ours.head(torch.stack([tokens[0].mean(0), tokens[1, :74].mean(0)]))

    assert_equal(parity, case, "logits_masked", *in_both(network, ask, x_BLT))


@pytest.mark.parametrize("case", PRETRAINED)
def test_a_pretrained_file_is_the_encoder_and_what_is_known_to_lie_beside_it(case: str, parity: Path) -> None:
    module = module_of(case)
    tensors = {key: np.broadcast_to(np.float32(0), shape) for key, shape, _ in facts(parity, case)["tensors"]}
    with torch.device("meta"):
        network = module.build(12, 3, module.Settings(**SETTINGS[case]))
    loaded = module.load_published(tensors, network)
    assert [*loaded, "head.weight", "head.bias"] == list(network.state_dict())
    beside = getattr(module, "BESIDE", None) or module.BESIDE_PRETRAINED
    assert (
        sum(value.size for value in loaded.values())
        + sum(value.size for key, value in tensors.items() if key.startswith(beside))
        == facts(parity, case)["n_parameters"]
    )


class TestEcgFm:
    """The authors compute one norm and each layer's GELU in float32 even in their float64 run.

    In float32 that changes nothing. In float64 the network is made to do the same; what is left are single roundings
    to float32 that fall the other way when a sum is made in another order (found up to 8e-8 at one token of one
    record, 1e-15 elsewhere), so logits are held to 1e-7 and the mean and deviation of every part to 1e-9.
    """

    def as_the_authors(self, network: nn.Module) -> nn.Module:
        network.double()
        norm = network.feature_extractor.conv_layers[0][2].float()
        for module in (norm, *(layer.activation for layer in network.encoder.layers)):
            exact = module.forward
            module.forward = lambda x, exact=exact: exact(x.float()).to(x.dtype)
        return network

    @pytest.mark.parametrize(
        ("case", "of", "output", "samples"),
        [
            ("ecgfm_classifier_26", "ecgfm_classifier_26", "logits", 2500),
            ("ecgfm_classifier_26", "ecgfm_classifier_26_len5000", "logits", 5000),
            ("ecgfm_w2v_cmsc", "ecgfm_w2v_cmsc", "pooled", 2500),
        ],
    )
    def test_outputs_equal_the_authors(self, case: str, of: str, output: str, samples: int, parity: Path) -> None:
        network, x_BLT = filled(parity, case), signals([2, 12, samples])
        outputs = np.load(parity / "networks_ecg_fm_outputs.npz")
        with torch.inference_mode():
            ask = network if output == "logits" else network.features
            single = ask(x_BLT)
            if output == "pooled":
                np.testing.assert_allclose(
                    network.tokens(x_BLT)[0], outputs[f"{of}|x_sample0|f32"], rtol=0, atol=SINGLE
                )
            self.as_the_authors(network)
            double = ask(x_BLT.double())
        np.testing.assert_allclose(single, outputs[f"{of}|{output}|f32"], rtol=0, atol=SINGLE)
        np.testing.assert_allclose(double, outputs[f"{of}|{output}|f64"], rtol=0, atol=1e-7)

    def test_every_part_equals_the_authors(self, parity: Path) -> None:
        case = "ecgfm_w2v_cmsc"
        expected = json.loads((parity / "networks_ecg_fm_intermediate_stats.json").read_text())[case]
        network, found = self.as_the_authors(filled(parity, case)), {}
        for name, module in network.named_modules():
            if name in expected:
                module.register_forward_hook(lambda _, __, answer, name=name: found.__setitem__(name, answer))
        with torch.inference_mode():
            network(signals([2, 12, 2500]).double())
        assert found.keys() == expected.keys()
        for name, part in found.items():
            shown = part.transpose(0, 1) if name.startswith("encoder.layers.") else part
            assert list(shown.shape) == expected[name]["shape"]
            summary = [part.mean().item(), part.std(correction=0).item()]
            np.testing.assert_allclose(summary, [expected[name][of] for of in ("mean", "std")], atol=DOUBLE, rtol=0)
            ends = np.concatenate([shown.flatten()[:8], shown.flatten()[-8:]])
            np.testing.assert_allclose(ends, expected[name]["first8"] + expected[name]["last8"], atol=2e-7, rtol=0)
