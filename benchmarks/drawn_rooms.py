"""Clips of drawn people, each in a room of their own, for choosing.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ah_ray.media.ffmpeg import synthetic
from ah_ray.media.ffmpeg.synthetic import Scene, draw_face, sing
from ah_ray.records import Clip

SIZE_PX, FPS, SECONDS = 64, 2, 5.0  # as the profile `tiny` shows a clip


@dataclass(frozen=True)
class Person:
    """How somebody looks and sounds; most of it the tiny model has never met."""

    share_ah: float  # of their clips
    clarity: float  # how far mouth and pitch move
    light: float  # what brightness is multiplied by
    grain: float  # noise of the picture, in levels of 0 … 255
    hiss: float  # noise of the sound
    loudness: float


def draw_person(random: np.random.Generator) -> Person:
    return Person(
        share_ah=random.beta(1, 4),
        clarity=float(np.clip(np.exp(random.normal(np.log(0.25), 0.7)), 0.03, 0.9)),
        light=float(random.choice([1.0, 1.0, 0.6, 0.35, 0.25])),
        grain=float(random.choice([0, 10, 30])),
        hiss=float(random.choice([0.0, 0.0, 0.1, 0.3])),
        loudness=float(random.choice([1.0, 0.3, 0.1])),
    )


def draw_clips(n_clips: Sequence[int], seed: int) -> Iterator[tuple[int, bool, Clip]]:
    """Yield (person, whether A/H is shown, clip) for so many clips of each person."""
    random = np.random.default_rng([seed, 16])
    for number, n in enumerate(n_clips):
        person = draw_person(random)
        for _ in range(n):
            shows_ah, smiling = bool(random.random() < person.share_ah), bool(random.random() < 0.5)
            scene = Scene(
                smiling=smiling, rising=smiling != shows_ah, seed=int(random.integers(2**31))
            )
            yield number, shows_ah, draw_clip(scene, person, random)


def draw_clip(scene: Scene, person: Person, random: np.random.Generator) -> Clip:
    before = synthetic._CLARITY
    synthetic._CLARITY = (0.6 * person.clarity, min(1.0, 1.5 * person.clarity))
    try:
        picture = np.stack(list(draw_face(scene, size_px=SIZE_PX, fps=FPS))) * person.light
        sound = sing(scene) * person.loudness
    finally:
        synthetic._CLARITY = before
    picture = picture + random.normal(0, person.grain, picture.shape)
    sound = sound + random.normal(0, person.hiss, len(sound))
    return Clip(
        clip_index=0,
        start_s=0.0,
        end_s=SECONDS,
        frames=picture.clip(0, 255).astype(np.uint8),
        samples=sound.astype(np.float32),
    )
