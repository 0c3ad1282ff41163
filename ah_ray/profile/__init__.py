"""What a model is asked about a clip, and how the clip is shown to it: data, not code."""

from ah_ray.profile.answers import NO, YES, answer_word
from ah_ray.profile.loading import built_in_names, load_profile
from ah_ray.profile.profile import (
    DEFAULT_CONSTRUCT,
    SAMPLED,
    SOUND_HZ,
    FirstResize,
    Profile,
    ScaleIn,
)
from ah_ray.profile.question import Contrast, Question, Sees
from ah_ray.profile.slots import count_slots, fill_slots

__all__ = [
    "DEFAULT_CONSTRUCT",
    "NO",
    "SAMPLED",
    "SOUND_HZ",
    "YES",
    "Contrast",
    "FirstResize",
    "Profile",
    "Question",
    "ScaleIn",
    "Sees",
    "answer_word",
    "built_in_names",
    "count_slots",
    "fill_slots",
    "load_profile",
]
