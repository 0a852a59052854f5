"""What `recipes` of `params.yaml` may say: how a network is trained. Whatever is not said is off."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from codeii.schema.strict import Strict


class Loss(Strict):
    """How binary cross-entropy is counted in training; validation counts it plainly."""

    positive_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: a positive weighs as much as its class has negatives for each positive"
    )
    largest_positive_weight: float = Field(20.0, ge=1, le=10_000, description="where balanced weights are capped")
    label_smoothing: float = Field(0.0, ge=0, lt=0.5, description="a target t becomes t (1 - s) + s / 2")


class Augmentation(Strict):
    """What is changed at random in the training signals, anew in every step; a linear probe sees none of it."""

    crop_samples: int = Field(
        0, ge=0, le=100_000, description="a step sees so many samples in a row, drawn at random; 0: the whole tensor"
    )
    probability: float = Field(1.0, gt=0, le=1, description="of a record to be shifted, scaled or made noisy: of each")
    shift_seconds: float = Field(0.0, ge=0, le=60, description="moved in time by up to so much; zeros come in")
    amplitude_share: float = Field(0.0, ge=0, lt=1, description="multiplied by a factor between 1 - a and 1 + a")
    noise_uv: float = Field(0.0, ge=0, le=10_000, description="standard deviation of the Gaussian noise added")
    lead_dropout_probability: float = Field(0.0, ge=0, lt=1, description="of a lead to become zeros; one always stays")
    mixup_alpha: float = Field(
        0.0, ge=0, le=10, description="two records and their targets are mixed by a Beta(a, a) share; 0: never"
    )


class Recipe(Strict):
    """How a network is trained."""

    threads: int = Field(1, gt=0, le=256, description="CPU threads of one run; other counts give other last bits")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="bfloat16: about twice as fast, where the processor or GPU has instructions for it",
    )
    standardise: Literal["none", "training_split"] = Field(
        "none",
        description="training_split: by one mean and standard deviation of the run's training records; what starts from"
        " a checkpoint keeps those of the checkpoint",
    )
    compile: Literal["none", "default", "max"] = Field(
        "none", description="torch.compile, on a GPU; max: tuned for batches of one size, with CUDA graphs"
    )
    processes: int = Field(
        1, gt=0, le=64, description="that train one network together, one GPU each; other counts give other last bits"
    )
    epochs: int = Field(gt=0, le=1000, description="passes over the training split")
    steps_at_least: int = Field(
        0, ge=0, description="an epoch passes several times over a training split too small for so many steps in all"
    )
    batch_size: int = Field(gt=0, le=65_536, description="records in a step")
    accumulate: int = Field(
        1, gt=0, le=65_536, description="parts in which a step's records go through the network, to need less memory"
    )
    optimiser: Literal["adamw", "adam", "sgd"] = Field(
        "adamw", description="adam: weight decay is added to the gradient (L2); sgd: with momentum and the same L2"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of the gradient: Adam's first beta; moved by one_cycle")
    learning_rate: float = Field(gt=0, lt=1, description="at the start; the highest of a warm-up or of one_cycle")
    head_learning_rate: float = Field(gt=0, lt=1, description="the same where only the head is trained (linear_probe)")
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="each stage of the network learns so many times as fast as the one above it"
    )
    weight_decay: float = Field(0.0, ge=0, lt=1, description="decoupled with adamw, else coupled (L2)")
    largest_gradient_norm: float = Field(0.0, ge=0, description="longer gradients are cut to this length; 0: never")
    schedule: Literal["constant", "plateau", "cosine", "one_cycle", "multistep"] = Field(
        "plateau", description="plateau: divide after no progress; multistep: divide after the milestones"
    )
    warmup_steps: int = Field(0, ge=0, description="steps in which the learning rate rises from nothing; 0: none")
    plateau_patience: int = Field(7, gt=0, description="epochs without progress before the learning rate falls")
    plateau_factor: float = Field(0.1, gt=0, lt=1, description="what it falls by")
    milestones: list[Annotated[int, Field(gt=0)]] = Field(
        default_factory=list, description="epochs after which the learning rate falls (multistep)"
    )
    milestone_factor: float = Field(0.1, gt=0, lt=1, description="what it falls by")
    minimum_learning_rate: float = Field(1e-7, ge=0, lt=1, description="training stops below it (plateau)")
    early_stopping_patience: int = Field(0, ge=0, description="epochs without progress before training stops; 0: never")
    select_by: Literal["loss", "auroc"] = Field("loss", description="validation measure that chooses the epoch kept")
    average_decay: float = Field(
        0.0, ge=0, lt=1, description="of the running mean of the weights, which is then validated and kept; 0: none"
    )
    loss: Loss = Field(Loss(), description="how the loss is counted")
    augmentation: Augmentation = Field(Augmentation(), description="what is changed at random in the signals")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.accumulate > self.batch_size:
            raise ValueError(f"accumulate is {self.accumulate}, but a step has {self.batch_size} records (batch_size)")
        if (self.schedule == "multistep") != bool(self.milestones):
            raise ValueError(f"schedule is {self.schedule} with milestones {self.milestones}; one needs the other")
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"milestones {self.milestones} do not rise")
        return self
