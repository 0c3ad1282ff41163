"""Settings of a scoring job, and the configuration of an OUT, whose fingerprint is in every row."""

from ah_ray.config.limits import Limits
from ah_ray.config.score_job import (
    CohortSettings,
    Device,
    MachineSettings,
    ModelSettings,
    ScoreSettings,
    VerdictSettings,
    score_settings,
)
from ah_ray.config.scoring import FP8_KINDS, SCORING_VERSION, Arithmetic, OneModel, Scoring
from ah_ray.config.windows import Tail, WindowRules, Windows
from ah_ray.verdicts.reduction import Ensemble, Reduction

__all__ = [
    "FP8_KINDS",
    "SCORING_VERSION",
    "Arithmetic",
    "CohortSettings",
    "Device",
    "Ensemble",
    "Limits",
    "MachineSettings",
    "ModelSettings",
    "OneModel",
    "Reduction",
    "ScoreSettings",
    "Scoring",
    "Tail",
    "VerdictSettings",
    "WindowRules",
    "Windows",
    "score_settings",
]
