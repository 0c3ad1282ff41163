"""All settings of `jobs/train.py`, by the names of its flags (and of `--config FILE`)."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from ah_ray.config import Arithmetic
from ah_ray.flag import flag
from ah_ray.validation import FrozenModel, validate_settings


class Method(StrEnum):
    """What learns, and from what."""

    LORA = "lora"  # low-rank updates of chosen layers, from labels
    FULL = "full"  # every parameter, from labels
    GRPO = "grpo"  # low-rank updates, from rewards for the model's own answers


class Balance(StrEnum):
    """What is done about a label that is rarer than the other."""

    NONE = "none"
    WEIGHTS = "weights"  # the loss counts each label as much as the other
    DRAW = "draw"  # each epoch draws as many windows of the commoner label as the other has


class LoraLayers(StrEnum):
    """Which linear layers of the language model get a low-rank update; steps/lora.py names them."""

    ALL = "all"  # attention and, where a layer has no experts, its dense network
    ATTENTION = "attention"


class RewardForm(StrEnum):
    """What earns the reward for form."""

    ANSWER = "answer"  # <answer>Yes</answer> or <answer>No</answer>, and nothing else
    THINK = "think"  # <think>…</think><answer>…</answer>, which the published code wanted


_ALL_LINEAR = {"lora_layers": "all", "lora_experts": True, "lora_router": True, "lora_dropout": 0.0}
AS_PUBLISHED: dict[Method, dict[str, object]] = {
    Method.LORA: {**_ALL_LINEAR, "epochs": 1, "batch": 64},
    Method.FULL: {"epochs": 3, "batch": 64},
    Method.GRPO: {
        **_ALL_LINEAR,
        "epochs": 1,
        "batch": 32,
        "warmup": 0.0,
        "group": 2,
        "temperature": 1.0,
        "kl": 0.001,
        "clip_low": 0.2,
        "clip_high": 0.28,
        "reward_form": "think",
        "answer_tokens": 512,
    },
}
"""What the published scripts set, for `--as-published`; docs/training.md has the differences."""

PUBLISHED_RATE = {Method.LORA: 1e-5, Method.FULL: 1e-5, Method.GRPO: 1e-6}


_USED_BY = {
    "lora_": {Method.LORA, Method.GRPO},
    "group": {Method.GRPO},
    "temperature": {Method.GRPO},
    "kl": {Method.GRPO},
    "clip_low": {Method.GRPO},
    "clip_high": {Method.GRPO},
    "reward_form": {Method.GRPO},
    "answer_tokens": {Method.GRPO},
    "as_published": {Method.GRPO},  # how rewards are compared; all else is in other settings
    "train_towers": {Method.FULL},
    "offload": {Method.FULL},
}  # by how a setting's name begins; others matter to every method


class LearningSettings(FrozenModel):
    """How long the model learns, and how fast."""

    PANEL: ClassVar[str | None] = "Learning"

    epochs: int = Field(1, ge=1, description="Times that each window is learned from.")
    batch: int = Field(64, ge=1, description="Windows of one step, over all workers.")
    max_steps: int | None = Field(None, ge=1, description="Stop after N steps.")
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Learning rate at its highest.",
        json_schema_extra=flag(metavar="RATE", default="1e-5, with grpo 1e-6"),
    )
    warmup: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of the steps in which the learning rate rises.",
        json_schema_extra=flag(metavar="SHARE"),
    )
    weight_decay: float = Field(0.1, ge=0, description="Weight decay of AdamW.")
    beta1: float = Field(0.9, ge=0, lt=1, description="First beta of AdamW.")
    beta2: float = Field(0.95, ge=0, lt=1, description="Second beta of AdamW.")
    clip_norm: float = Field(1.0, gt=0, description="Largest norm of the gradients of a step.")
    balance: Balance = Field(
        Balance.NONE,
        description="What to do about the rarer label: nothing, give both the same weight in the "
        "loss, or draw as many windows of each.",
    )
    balance_loss: float | None = Field(
        None,
        ge=0,
        description="Weight of the loss that balances the experts.",
        json_schema_extra=flag(default="that of the model's config"),
    )
    simple_epochs: int = Field(
        0, ge=0, description="First epochs, in which only the simpler questions are asked."
    )
    ask: tuple[str, ...] = Field(
        (),
        description="Question of the profile whose labels are learned, besides the first one's. "
        "Repeat the flag.",
        json_schema_extra=flag(metavar="NAME", default="all that have labels"),
    )
    modality_dropout: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the looks that see the picture alone, or the sound alone.",
        json_schema_extra=flag(metavar="SHARE"),
    )
    shuffle_windows: int = Field(
        256, ge=1, description="Decoded windows that are kept back, so that a step mixes videos."
    )
    seed: int = Field(0, ge=0, description="Seed of all that is drawn.")
    train_towers: bool = Field(
        False, description="Let the vision and audio towers learn too (--method full)."
    )


class LoraSettings(FrozenModel):
    """What the low-rank updates are made of."""

    PANEL: ClassVar[str | None] = "Low-rank updates (lora, grpo)"

    lora_rank: int = Field(8, ge=1, description="Rank of an update.")
    lora_alpha: float = Field(32.0, gt=0, description="Scale of an update, divided by its rank.")
    lora_dropout: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="Share of an update's inputs that are dropped in training.",
        json_schema_extra=flag(metavar="SHARE"),
    )
    lora_layers: LoraLayers = Field(
        LoraLayers.ALL,
        description="Linear layers that are updated: all, or those of attention alone.",
    )
    lora_experts: bool = Field(False, description="Update the experts too.")
    lora_router: bool = Field(False, description="Update the routers too.")


class RewardSettings(FrozenModel):
    """How answers are drawn and rewarded."""

    PANEL: ClassVar[str | None] = "Rewards (grpo)"

    group: int = Field(8, ge=2, description="Answers that are drawn for each window.")
    temperature: float = Field(1.0, gt=0, description="Temperature at which they are drawn.")
    reward_form: RewardForm = Field(
        RewardForm.ANSWER,
        description="Form that is rewarded: the answer alone, or after a think block as published.",
    )
    answer_tokens: int = Field(
        16, ge=8, le=4096, description="Length of the longest answer that is drawn, in tokens."
    )
    clip_low: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="How far below 1 the ratio of probabilities counts.",
        json_schema_extra=flag(default="no limit"),
    )
    clip_high: float | None = Field(
        None,
        gt=0,
        description="How far above 1 the ratio of probabilities counts.",
        json_schema_extra=flag(default="no limit"),
    )
    kl: float = Field(
        0.04, ge=0, description="Weight of the divergence from the model at the start."
    )


class WatchSettings(FrozenModel):
    """When a training is evaluated and saved, and when it gives up."""

    PANEL: ClassVar[str | None] = "Watching"

    evaluate_every: int | None = Field(
        None,
        ge=1,
        description="Evaluate and save after N steps.",
        json_schema_extra=flag(default="after each epoch"),
    )
    patience: int | None = Field(
        None, ge=1, description="Stop after N evaluations without a better one."
    )
    tensorboard: bool = Field(False, description="Write events for TensorBoard to OUT/tensorboard.")
    cost_per_hour: float | None = Field(
        None,
        ge=0,
        description="What all machines of the training cost together, for the plan.",
        json_schema_extra=flag(metavar="PRICE"),
    )
    max_lost: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share of the windows of a split that may be undecodable.",
        json_schema_extra=flag(metavar="SHARE"),
    )


class WorkerSettings(FrozenModel):
    """Where the training works."""

    PANEL: ClassVar[str | None] = "Machines"

    arithmetic: Arithmetic | None = Field(
        None,
        description="Numbers in which the model computes: bf16 or float32.",
        json_schema_extra=flag(
            metavar="CHOICE", choices=False, default="bf16 on GPUs, float32 on CPUs"
        ),
    )
    workers: int | None = Field(
        None,
        ge=1,
        description="Processes that train, each with one GPU.",
        json_schema_extra=flag(default="as many as there are GPUs, else 1"),
    )
    worker_cpus: float = Field(1.0, gt=0, description="CPU cores that each worker asks for.")
    decoders: int | None = Field(
        None,
        ge=1,
        description="Processes of each worker that decode.",
        json_schema_extra=flag(default="as many as there are free CPU cores"),
    )
    token_budget: int | None = Field(
        None,
        ge=1,
        description="Tokens of one pass through the model.",
        json_schema_extra=flag(default="16,384 on GPUs"),
    )
    checkpointing: bool | None = Field(
        None,
        description="Compute activations twice, to save memory.",
        json_schema_extra=flag(default="on GPUs"),
    )
    offload: bool = Field(
        False,
        description="Keep weights and moments in the memory of the CPU (--method full).",
    )
    max_failures: int = Field(
        3, ge=-1, description="Restarts after a worker was lost; -1 for no limit."
    )
    model_cache: str | None = Field(
        None,
        description="Folder in which each node keeps a model that comes from an object store.",
        json_schema_extra=flag(metavar="FOLDER"),
    )


class TrainSettings(WorkerSettings, WatchSettings, RewardSettings, LoraSettings, LearningSettings):
    """Defaults are near the published ones; `AS_PUBLISHED` has those of the scripts."""

    PANEL: ClassVar[str | None] = None

    labels: str = Field(
        description="Labelled manifest: an output of prepare.py.",
        json_schema_extra=flag(metavar="URI"),
    )
    model: str = Field(
        description="Base model: a folder, s3://…, or tiny.",
        json_schema_extra=flag(metavar="URI"),
    )
    out: str = Field(
        description="Folder or s3://… prefix for checkpoints and the trained model.",
        json_schema_extra=flag(metavar="URI"),
    )
    method: Method = Field(
        Method.LORA,
        description="What learns: low-rank updates, every parameter, or low-rank updates from "
        "rewards.",
    )
    profile: str | None = Field(
        None,
        description="Prompt, and how clips are shown: a built-in profile (seed, seed-32, seed-448, "
        "swift-4.6 …) or a YAML file.",
        json_schema_extra=flag(
            metavar="NAME|FILE", default="what the base's training recorded, else seed"
        ),
    )
    as_published: bool = Field(
        False, description="Take the settings of the published scripts where no flag is given."
    )
    plan: bool = Field(False, description="Print what the training would take, and do nothing.")

    @field_validator("ask", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Accept `face, voice` for a list."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.simple_epochs >= self.epochs and self.simple_epochs:
            raise ValueError("--simple-epochs leaves no epoch for the question itself")
        if self.method is not Method.FULL and self.train_towers:
            raise ValueError("--train-towers goes with --method full")
        if self.method is not Method.FULL and self.offload:
            raise ValueError("--offload goes with --method full")
        if self.modality_dropout and self.method is Method.GRPO:
            raise ValueError("--modality-dropout goes with --method lora or full")
        if self.arithmetic is not None and self.arithmetic.is_fp8:
            raise ValueError(
                f"--arithmetic {self.arithmetic} is for scoring; train in bf16 or float32"
            )
        if self.lora_experts and self.lora_dropout:
            raise ValueError(
                "--lora-experts: the experts' update takes no dropout; give --lora-dropout 0"
            )
        return self

    @property
    def idle(self) -> set[str]:
        """Names of the settings that this method does not look at, or that ask for nothing."""
        unused = {name for name in ("ask", "modality_dropout") if not getattr(self, name)}
        return unused | {
            name
            for name in type(self).model_fields
            for start, methods in _USED_BY.items()
            if name.startswith(start) and self.method not in methods
        }

    @property
    def rate(self) -> float:
        """The learning rate at its highest."""
        return self.learning_rate or PUBLISHED_RATE[self.method]


def train_settings(**values: object) -> TrainSettings:
    """Return validated settings; raise ConfigError with one sentence that names the flag.

    With `as_published`, what is not given is as the published scripts have it for the method.
    """
    if values.get("as_published"):
        try:
            preset = AS_PUBLISHED[Method(str(values.get("method", Method.LORA)))]
        except ValueError:
            preset = {}  # the method is refused below
        values = {**preset, **values}
    return validate_settings(
        TrainSettings, values, "--labels, --model and --out (or --demo and --out)"
    )
