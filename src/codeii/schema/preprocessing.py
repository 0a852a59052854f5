"""What `params.yaml` may say of a pipeline from a stored record to a tensor."""

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from codeii.schema.strict import Strict

# Steps of published code that spoil the signal: why each is refused where the signal is to be right.
BENCHMARK_STEPS = {
    "powerline_hz": "a notch at a fixed frequency does not follow the source's mains; say mains",
    "resampling: zoom": "zoom has no low-pass before it and folds what is too fast into the signal; say polyphase",
    "resampling: decimate_joined": "the filter runs from each lead into the next, whose borders ring; say polyphase",
    "keep_seconds": "it drops recorded signal and puts zeros in its place; say placement: first, centre or sections",
    "median_baseline_seconds": "a running median follows the ST segment and takes its elevation for baseline; say null",
}


class Preprocessing(Strict):
    """One named pipeline from a stored record to a tensor."""

    mode: Literal["signal_correct", "benchmark_compatible"] = Field(
        "signal_correct", description="benchmark_compatible: also takes steps of published code that spoil the signal"
    )
    rate_hz: int = Field(gt=0, le=2000, description="sampling rate of the tensors")
    samples: int = Field(gt=0, le=100_000, description="length of the tensors in samples")
    leads: Literal["eight", "twelve"] = Field("eight", description="I, II, V1-V6; or all twelve")
    limb_leads: Literal["computed", "recorded"] = Field(
        "computed",
        description="of twelve: III, aVR, aVL and aVF computed from I and II, or recorded: as the source gives them",
    )
    placement: Literal["centre", "first", "sections"] = Field(
        "centre",
        description="where a longer record is cut and a shorter one padded; sections: cut into several tensors",
    )
    stored_rate_hz: int | None = Field(
        None, gt=0, le=100_000, description="the one rate at which records may be stored; null: any"
    )
    keep_seconds: float | None = Field(
        None, gt=0, le=3600, description="benchmark_compatible: so much of the beginning is kept; null: all"
    )
    baseline: Literal["none", "elliptic", "bandpass"] = Field(
        "none",
        description="elliptic: high-pass of 0.8 Hz of the CODE group; bandpass: 0.67 to 40 Hz of ECGFounder",
    )
    median_baseline_seconds: float | None = Field(
        None,
        gt=0,
        le=10,
        description="benchmark_compatible: the running median of so many seconds is subtracted; null: none",
    )
    powerline_hz: Literal["none", "mains"] | int = Field(
        "none", description="notch at the source's mains; benchmark_compatible: at 50, 60 or another number of Hz"
    )
    resampling: Literal["polyphase", "zoom", "decimate_joined"] = Field(
        "polyphase",
        description="polyphase: with a low-pass; benchmark_compatible: zoom, a spline without one, or decimate_joined, "
        "one lead after the other as a single signal, by a whole number",
    )
    normalisation: Literal["none", "record", "lead"] = Field(
        "none", description="zero mean, unit variance: record, over all leads together; lead, each on its own"
    )

    @field_validator("powerline_hz", "resampling", "keep_seconds", "median_baseline_seconds")
    @classmethod
    def _refuse_where_the_signal_is_to_be_right(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("mode") == "signal_correct" and value not in (None, "none", "mains", "polyphase"):
            reason = BENCHMARK_STEPS.get(f"{info.field_name}: {value}") or BENCHMARK_STEPS[str(info.field_name)]
            raise ValueError(f"accepted only with mode: benchmark_compatible, as {reason}")
        return value

    @field_validator("limb_leads")
    @classmethod
    def _recorded_limb_leads_are_of_twelve(cls, value: str, info: ValidationInfo) -> str:
        if value == "recorded" and info.data.get("leads") == "eight":
            raise ValueError("eight leads hold no III, aVR, aVL and aVF; say leads: twelve, or limb_leads: computed")
        return value
