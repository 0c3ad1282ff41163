"""Clips with labels, and settings, for the tests of what learns from them."""

from __future__ import annotations

import torch
from drawn_clips import draw_clip

from ah_ray.training.data.questions import LabelledClip
from ah_ray.training.settings import TrainSettings, train_settings

CPU = torch.device("cpu")


def settings_of(**values: object) -> TrainSettings:
    needed = {"labels": "labels", "model": "tiny", "out": "out"}
    return train_settings(**{**needed, **values})


def label_drawing(seed: int, label: bool, **drawn: object) -> LabelledClip:
    weight = drawn.pop("weight", 1.0)
    return LabelledClip(window=seed, clip=draw_clip(seed, **drawn), label=label, weight=weight)
