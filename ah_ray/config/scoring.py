"""All that changes a clip's score, and the fingerprint of it."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum

from ah_ray.config.windows import Windows
from ah_ray.profile import Profile
from ah_ray.validation import FrozenModel

SCORING_VERSION = 2
"""Raised by hand when code changes a clip's score; part of every config_fingerprint."""


class Arithmetic(StrEnum):
    """In what numbers the model computes. All but the named products of fp8 stay in bf16."""

    FLOAT32 = "float32"
    BF16 = "bf16"
    # Only where they are named. Each computes more in 8 bits than the one before it.
    FP8_EXPERTS = "fp8-experts"  # the experts' products
    FP8 = "fp8"  # the language model's large products: experts, and projections of attention
    FP8_VISION = "fp8-vision"  # and those of the vision tower's blocks

    @property
    def is_fp8(self) -> bool:
        """Return whether products are computed in 8 bits."""
        return self in FP8_KINDS


FP8_KINDS = (Arithmetic.FP8_EXPERTS, Arithmetic.FP8, Arithmetic.FP8_VISION)
"""The arithmetics with products in 8 bits, from the fewest to the most."""


class OneModel(FrozenModel):
    """One of several models that score each clip."""

    name: str
    fingerprint: str


class Scoring(FrozenModel):
    """All that changes a clip's score. One OUT holds one of these."""

    model: str
    model_fingerprint: str
    profile: Profile
    windows: Windows
    arithmetic: Arithmetic
    models: tuple[OneModel, ...] = ()  # where several score each clip: those, in their order

    def each_alone(self) -> tuple[Scoring, ...]:
        """The scorings of several models one by one, as runs of their own would have them."""
        return tuple(
            self.model_copy(
                update={"model": one.name, "model_fingerprint": one.fingerprint, "models": ()}
            )
            for one in self.models
        )

    @property
    def fingerprint(self) -> str:
        """16 hex digits; names and places (of model and profile) do not enter."""
        content = {
            "scoring_version": SCORING_VERSION,
            "model": self.model_fingerprint,
            "profile": self.profile.describe_scoring(),
            "windows": self.windows.model_dump(mode="json"),
            "arithmetic": self.arithmetic.value,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
