"""All settings of `jobs/train.py`, by the names of its flags (and of `--config FILE`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ah_ray.config import Arithmetic
from ah_ray.training.order import Balance
from ah_ray.validation import validated


class Method(StrEnum):
    """What learns, and from what."""

    LORA = "lora"  # low-rank updates of chosen layers, from labels
    FULL = "full"  # every parameter, from labels
    GRPO = "grpo"  # low-rank updates, from rewards for the model's own answers


class LoraLayers(StrEnum):
    """Which linear layers of the language model get a low-rank update."""

    ALL = "all"  # attention and, where a layer has no experts, its dense network
    ATTENTION = "attention"


PUBLISHED_RATE = {Method.LORA: 1e-5, Method.FULL: 1e-5, Method.GRPO: 1e-6}


_USED_BY = {
    "lora_": {Method.LORA, Method.GRPO},
    "group": {Method.GRPO},
    "temperature": {Method.GRPO},
    "kl": {Method.GRPO},
    "train_towers": {Method.FULL},
    "offload": {Method.FULL},
}  # by how a setting's name begins; others matter to every method


class TrainSettings(BaseModel):
    """Defaults are the published ones, or ms-swift's where nothing was published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: str  # what jobs/prepare.py wrote
    model: str
    out: str
    method: Method = Method.LORA
    profile: str | None = None  # `seed`; `tiny` for the tiny checkpoint
    model_cache: str | None = None

    epochs: int = Field(1, ge=1)
    batch: int = Field(64, ge=1, description="windows of one step, over all workers")
    max_steps: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    warmup: float = Field(0.05, ge=0, le=1, description="share of the steps")
    weight_decay: float = Field(0.1, ge=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    clip_norm: float = Field(1.0, gt=0)
    balance: Balance = Balance.NONE
    balance_loss: float | None = Field(None, ge=0, description="of experts; null: as in the config")
    simple_epochs: int = Field(0, ge=0)
    shuffle_windows: int = Field(256, ge=1)
    seed: int = Field(0, ge=0)

    lora_rank: int = Field(8, ge=1)
    lora_alpha: float = Field(32.0, gt=0)
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    lora_layers: LoraLayers = LoraLayers.ALL
    lora_experts: bool = False
    lora_router: bool = False
    train_towers: bool = False

    group: int = Field(8, ge=2, description="answers drawn for a window")
    temperature: float = Field(1.0, gt=0)
    kl: float = Field(0.04, ge=0)

    evaluate_every: int | None = Field(None, ge=1, description="steps; null: after each epoch")
    patience: int | None = Field(None, ge=1, description="evaluations without a better one")

    arithmetic: Arithmetic | None = None  # float32 on CPU, bf16 on GPU
    workers: int | None = Field(None, ge=1)  # GPUs; one on CPU
    worker_cpus: float = Field(1.0, gt=0)
    decoders: int | None = Field(None, ge=1, description="of each worker")
    token_budget: int | None = Field(None, ge=1, description="tokens of one pass")
    checkpointing: bool | None = None  # of activations; on GPUs unless named
    offload: bool = False  # weights and optimiser to the CPU's memory (full)
    max_failures: int = Field(3, ge=-1, description="restarts after a lost worker")
    tensorboard: bool = False
    plan: bool = False
    cost_per_hour: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.simple_epochs >= self.epochs and self.simple_epochs:
            raise ValueError("--simple-epochs leaves no epoch for the question itself")
        if self.method is not Method.FULL and self.train_towers:
            raise ValueError("--train-towers goes with --method full")
        if self.method is not Method.FULL and self.offload:
            raise ValueError("--offload goes with --method full")
        if self.arithmetic is Arithmetic.FP8:
            raise ValueError("--arithmetic fp8 is for scoring; train in bf16 or float32")
        if self.lora_experts and self.lora_dropout:
            raise ValueError(
                "--lora-experts: the experts' update takes no dropout; give --lora-dropout 0"
            )
        return self

    @property
    def idle(self) -> set[str]:
        """Names of the settings that this method does not look at."""
        return {
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
    """Validated settings; raises ConfigError with one sentence that names the flag."""
    return validated(TrainSettings, values, "--labels, --model and --out (or --demo and --out)")
