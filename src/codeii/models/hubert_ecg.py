"""HuBERT-ECG: a HuBERT encoder that reads the leads one after the other (doi:10.1101/2024.11.14.24317328).

The defaults are its base size, pretrained on 9.1 million ECGs. The small size is `width: 512`, `layers: 8`, `heads: 8`,
`hidden: 2048`; the large one is `width: 960`, `layers: 16`, `heads: 12`, `hidden: 3840`.

Dimensions: B batch, L lead, T sample, S leads one after the other, N token, C channel, K class.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from codeii.networks.published import encoder_tensors, weight_norm_name

# 5 s at 500 Hz, decimated by five to 100 Hz, twelve leads: github.com/Edoar-do/HuBERT-ECG @ affe1f9.
PUBLISHED = {"leads": "twelve", "rate_hz": 100, "samples": [500]}

# Beside the encoder: projection and code books of pretraining, the vector that stands for masked tokens there
# (transformers makes it where tokens are masked), and the classifier of a fine-tuned file.
BESIDE = ("final_proj.", "label_embedding.", "masked_spec_embed", "classifier.")

# For tests at 8 x 4096 samples, where the defaults take half a minute; a skipped layer has no gradient to test.
SMALL = {"width": 64, "layers": 2, "heads": 4, "hidden": 128, "convolution_filters": 32, "layer_drop_rate": 0.0}

PUBLISHED_HEADS = {512: 8, 768: 12, 960: 12}  # by width
POSITION_KERNEL, POSITION_GROUPS = 128, 16


class Settings(BaseModel):
    """What params.yaml may say under `models.hubert_ecg`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    width: int = Field(768, gt=0, le=8192, multiple_of=16, description="channels of each token")
    layers: int = Field(12, gt=0, le=96, description="transformer layers")
    heads: int = Field(12, gt=0, le=128, description="attention heads of each layer")
    hidden: int = Field(3072, gt=0, le=32768, description="channels inside each layer's feed-forward part")
    convolution_filters: int = Field(512, gt=0, le=4096, description="channels of the convolutions before the layers")
    kernels: tuple[Annotated[int, Field(gt=0, le=255)], ...] = Field(
        (10, 3, 3, 2, 2), min_length=1, description="samples seen by each convolution"
    )
    strides: tuple[Annotated[int, Field(gt=0, le=64)], ...] = Field(
        (4, 2, 2, 2, 2), min_length=1, description="what each convolution divides the length by"
    )
    dropout_rate: float = Field(
        0.0, ge=0, lt=1, description="everywhere in the layers; published fine-tuning: 0 (attention's own: ours)"
    )
    layer_drop_rate: float = Field(
        0.1, ge=0, lt=1, description="probability of skipping a layer; published: 0.1 on PTB-XL, 0.2 on CPSC 2018"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if len(self.kernels) != len(self.strides):
            raise ValueError(f"{len(self.kernels)} kernels but {len(self.strides)} strides; give one stride for each")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


def build(leads: int, classes: int, settings: Settings) -> "HubertEcg":
    """A network with the initial weights of transformers' HuBERT, from the global random state.

    `leads` changes no weight: fewer leads are a shorter sequence.
    """
    return HubertEcg(classes, settings)


def load_published(state: Mapping[str, np.ndarray], network: nn.Module) -> dict[str, np.ndarray]:
    """The encoder's state from the tensors of a published checkpoint, pretrained or fine-tuned.

    Raises ValueError on keys that are missing, unknown or of another shape, see `encoder_tensors`, and on another
    number of heads than a published size has, which no shape shows.
    """
    size: Any = network.get_submodule("hubert_ecg").config
    heads = PUBLISHED_HEADS.get(size.hidden_size, size.num_attention_heads)
    if size.num_attention_heads != heads:
        found = f"models.hubert_ecg.heads: found {size.num_attention_heads}"
        raise ValueError(f"{found}, but the published size of width {size.hidden_size} has {heads}")

    def name_here(key: str) -> str | None:
        name = key.removeprefix("hubert_ecg.")
        return None if name.startswith(BESIDE) else f"hubert_ecg.{weight_norm_name(name)}"

    return encoder_tensors(state, network, name_here)


def hubert(settings: Settings) -> nn.Module:
    """The encoder of the transformers library, imported here alone (it takes seconds) and kept off the internet."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "1")
    from transformers.models.hubert.configuration_hubert import HubertConfig
    from transformers.models.hubert.modeling_hubert import HubertModel

    config = HubertConfig(
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.hidden,
        conv_dim=(settings.convolution_filters,) * len(settings.kernels),
        conv_kernel=settings.kernels,
        conv_stride=settings.strides,
        num_conv_pos_embeddings=POSITION_KERNEL,
        num_conv_pos_embedding_groups=POSITION_GROUPS,
        hidden_dropout=settings.dropout_rate,
        activation_dropout=settings.dropout_rate,
        attention_dropout=settings.dropout_rate,
        feat_proj_dropout=settings.dropout_rate,
        layerdrop=settings.layer_drop_rate,
        # Masking draws from NumPy's global random state, which no run seeds; fine-tuning does without.
        apply_spec_augment=False,
        mask_time_prob=0.0,
        mask_feature_prob=0.0,
        attn_implementation="sdpa",
    )
    encoder: nn.Module = HubertModel(config)
    return encoder


class HubertEcg(nn.Module):
    """HuBERT on the leads one after the other, mean over its tokens, and a linear head; input in the store's unit."""

    def __init__(self, classes: int, settings: Settings) -> None:
        """Random weights for `classes` logits."""
        super().__init__()
        self.layers = settings.layers
        self.hubert_ecg = hubert(settings)
        self.head = nn.Linear(settings.width, classes)

    def stages(self) -> list[list[str]]:
        """Prefixes of the parameters' names from the convolutions to the last layer."""
        before = ["feature_projection.", "encoder.pos_conv_embed.", "encoder.layer_norm."]
        parts = [["feature_extractor."], before, *([f"encoder.layers.{number}."] for number in range(self.layers))]
        return [[f"hubert_ecg.{prefix}" for prefix in part] for part in parts]

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, C): the mean over the tokens of the last layer."""
        x_BS = x_BLT.flatten(1)
        tokens_BNC: Tensor = self.hubert_ecg(x_BS).last_hidden_state
        return tokens_BNC.mean(1)

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK
