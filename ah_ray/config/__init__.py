"""FrozenModel, validated settings of a scoring run, and the fingerprint of what changes a score."""

from ah_ray.config.score import (
    CohortSettings,
    Device,
    MachineSettings,
    ModelSettings,
    ScoreSettings,
    VerdictSettings,
    score_settings,
)
from ah_ray.config.scoring import SCORING_VERSION, Arithmetic, OneModel, Scoring
from ah_ray.config.video import Limits, Tail, WindowRules, Windows
from ah_ray.verdicts.reduction import Ensemble, Reduction

__all__ = [
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
