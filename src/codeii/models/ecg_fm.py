"""ECG-FM: convolutions and a transformer in the manner of wav2vec 2.0 (McKeen et al., arXiv:2408.05178).

The defaults are the network whose weights are published, 90.9 million parameters with its pretraining parts, pretrained
on MIMIC-IV-ECG and the training data of the PhysioNet Challenge 2021, which hold PTB-XL and CPSC 2018.

Dimensions: B batch, L lead, T sample, N token, C channel, H attention head, K class.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from codeii.networks.published import encoder_tensors, weight_norm_name

# 500 Hz, 5 s, twelve leads: the benchmark of arXiv:2509.25095 and the w2v_cmsc examples of
# github.com/Jwoo5/fairseq-signals @ 6b9e137, which the weights were pretrained with.
PUBLISHED = {"leads": "twelve", "rate_hz": 500, "samples": [2500], "settings": {"heads": 12}}

# Beside the encoder: what masks, quantises and projects in pretraining; the classifier of a fine-tuned file.
BESIDE_PRETRAINED = ("mask_emb", "quantizer.", "project_q.", "final_proj.")
BESIDE_CLASSIFIER = ("proj.",)

# For tests, where the defaults take a quarter of a minute.
SMALL = {"width": 64, "layers": 2, "heads": 4, "hidden": 128, "convolution_filters": 32}

POSITION_KERNEL, POSITION_GROUPS = 128, 16
CONVOLUTION_STRIDE = 2  # and the kernel of each convolution: their windows do not overlap


class Settings(BaseModel):
    """What params.yaml may say under `models.ecg_fm`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    width: int = Field(768, gt=0, le=8192, multiple_of=16, description="channels of each token")
    layers: int = Field(12, gt=0, le=96, description="transformer layers")
    heads: int = Field(12, gt=0, le=128, description="attention heads of each layer")
    hidden: int = Field(3072, gt=0, le=32768, description="channels inside each layer's feed-forward part")
    convolutions: int = Field(4, gt=0, le=16, description="convolutions before the layers; each halves the length")
    convolution_filters: int = Field(256, gt=0, le=4096, description="channels of the convolutions")
    dropout_rate: float = Field(
        0.0, ge=0, lt=1, description="of tokens, attention and each layer's two parts; published fine-tuning: 0"
    )
    activation_dropout_rate: float = Field(
        0.1, ge=0, lt=1, description="inside each layer's feed-forward part; published fine-tuning: 0.1"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


def build(leads: int, classes: int, settings: Settings) -> "EcgFm":
    """A network with the initial weights of wav2vec 2.0, from the global random state."""
    return EcgFm(leads, classes, settings)


def load_published(state: Mapping[str, np.ndarray], network: nn.Module) -> dict[str, np.ndarray]:
    """The encoder's state from the tensors of a published checkpoint, pretrained or fine-tuned.

    Raises ValueError on keys that are missing, unknown or of another shape; see `encoder_tensors`.
    """
    # `encoder.layer_norm` is one tensor in a pretrained file and another in a fine-tuned one: only the whole tells.
    fine_tuned = any(key.startswith("encoder.encoder.") for key in state)
    beside = BESIDE_CLASSIFIER if fine_tuned else BESIDE_PRETRAINED

    def name_here(key: str) -> str | None:
        if key.startswith(beside):
            return None
        if fine_tuned and not key.startswith("encoder."):
            return ""
        return weight_norm_name(key.removeprefix("encoder.") if fine_tuned else key)

    return encoder_tensors(state, network, name_here)


class Convolutions(nn.Module):
    """Convolutions that halve the length, each with GELU; the first is normalised over the time of each channel."""

    def __init__(self, leads: int, settings: Settings) -> None:
        """Random weights (He et al. 2015)."""
        super().__init__()
        filters, stride = settings.convolution_filters, CONVOLUTION_STRIDE
        ends = (leads, *[filters] * settings.convolutions)
        convolutions = [nn.Conv1d(before, after, stride, stride=stride, bias=False) for before, after in pairwise(ends)]
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.weight)
        # The norm is number 2, after the convolution and a dropout of rate 0, in the published names.
        first = nn.Sequential(convolutions[0], nn.Identity(), nn.GroupNorm(filters, filters), nn.GELU())
        others = [nn.Sequential(convolution, nn.GELU()) for convolution in convolutions[1:]]
        self.conv_layers = nn.Sequential(first, *others)

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, L, T) -> (B, C, N)."""
        x_BCN: Tensor = self.conv_layers(x_BLT)
        return x_BCN


class Position(nn.Module):
    """What a token learns of its place: a grouped convolution over its neighbours, weight-normalised along time."""

    def __init__(self, width: int) -> None:
        """Random weights (Baevski et al. 2020)."""
        super().__init__()
        conv = nn.Conv1d(width, width, POSITION_KERNEL, padding=POSITION_KERNEL // 2, groups=POSITION_GROUPS)
        nn.init.normal_(conv.weight, std=math.sqrt(4 / (POSITION_KERNEL * width)))
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        self.pos_conv = nn.Sequential(nn.utils.parametrizations.weight_norm(conv, dim=2))

    def forward(self, x_BNC: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C), to be added. An even kernel gives one token too many: the last is cut off."""
        return functional.gelu(self.pos_conv(x_BNC.transpose(1, 2))[:, :, :-1]).transpose(1, 2)


class Attention(nn.Module):
    """Every token looks at every token of its record."""

    def __init__(self, settings: Settings) -> None:
        """Random weights."""
        super().__init__()
        width = settings.width
        self.heads, self.dropout_rate = settings.heads, settings.dropout_rate
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        query, key, value = (
            part(x_BNC).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        dropped = self.dropout_rate if self.training else 0.0
        seen_BHNC = functional.scaled_dot_product_attention(query, key, value, dropout_p=dropped)
        out_BNC: Tensor = self.out_proj(seen_BHNC.transpose(1, 2).flatten(2))
        return out_BNC


class Layer(nn.Module):
    """Attention, then a feed-forward part, each added to its input and then normalised."""

    def __init__(self, settings: Settings) -> None:
        """Random weights: normal with 0.02, biases zero (Devlin et al. 2019)."""
        super().__init__()
        self.self_attn = Attention(settings)
        self.self_attn_layer_norm = nn.LayerNorm(settings.width)
        self.fc1 = nn.Linear(settings.width, settings.hidden)
        self.fc2 = nn.Linear(settings.hidden, settings.width)
        self.final_layer_norm = nn.LayerNorm(settings.width)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(settings.dropout_rate)
        self.activation_dropout = nn.Dropout(settings.activation_dropout_rate)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """(B, N, C) of the layer before -> the same of this one."""
        x_BNC = self.self_attn_layer_norm(x_BNC + self.dropout(self.self_attn(x_BNC)))
        inner = self.fc2(self.activation_dropout(self.activation(self.fc1(x_BNC))))
        out_BNC: Tensor = self.final_layer_norm(x_BNC + self.dropout(inner))
        return out_BNC


class Encoder(nn.Module):
    """A layer norm, then the layers."""

    def __init__(self, settings: Settings) -> None:
        """Random weights."""
        super().__init__()
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.layers))
        self.layer_norm = nn.LayerNorm(settings.width)
        self.dropout = nn.Dropout(settings.dropout_rate)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        x_BNC = self.dropout(self.layer_norm(x_BNC))
        for layer in self.layers:
            x_BNC = layer(x_BNC)
        return x_BNC


def mean_of_nonzero(x_BNC: Tensor) -> Tensor:
    """(B, C): sum over tokens divided by the number of entries that are not 0, as the published classifier does.

    It is how that code leaves out padded tokens; a zero that was computed is left out too. Where all are 0 the mean
    is 0 (the published code divides by zero there), so that a gradient is always finite.
    """
    return x_BNC.sum(1) / (x_BNC != 0).sum(1).clamp(min=1)


class EcgFm(nn.Module):
    """Convolutions, transformer, mean over its tokens and a linear head; input in the unit of the tensor store.

    Published fine-tuning leaves the convolutions as they are: a matter of the recipe, which knows them as stage 0.
    """

    def __init__(self, leads: int, classes: int, settings: Settings) -> None:
        """Random weights for `leads` input leads and `classes` logits."""
        super().__init__()
        self.encoder = Encoder(settings)
        self.feature_extractor = Convolutions(leads, settings)
        self.post_extract_proj = nn.Linear(settings.convolution_filters, settings.width)
        self.conv_pos = Position(settings.width)
        self.layer_norm = nn.LayerNorm(settings.convolution_filters)
        self.dropout = nn.Dropout(settings.dropout_rate)
        self.head = nn.Linear(settings.width, classes)

    def stages(self) -> list[list[str]]:
        """Prefixes of the parameters' names from the convolutions to the last layer."""
        before = ["layer_norm.", "post_extract_proj.", "conv_pos.", "encoder.layer_norm."]
        layers = range(len(self.encoder.layers))
        return [["feature_extractor."], before, *([f"encoder.layers.{number}."] for number in layers)]

    def tokens(self, x_BLT: Tensor) -> Tensor:
        """(B, N, C): the last layer's answer, one token per 16 samples."""
        x_BNC = self.layer_norm(self.feature_extractor(x_BLT).transpose(1, 2))
        x_BNC = self.dropout(self.post_extract_proj(x_BNC))
        tokens_BNC: Tensor = self.encoder(x_BNC + self.conv_pos(x_BNC))
        return tokens_BNC

    def features(self, x_BLT: Tensor) -> Tensor:
        """(B, C): the mean over the tokens; see `mean_of_nonzero`."""
        return mean_of_nonzero(self.tokens(x_BLT))

    def forward(self, x_BLT: Tensor) -> Tensor:
        """(B, K) logits, one per class; classes are not exclusive."""
        logits_BK: Tensor = self.head(self.features(x_BLT))
        return logits_BK
