"""A profile: the prompt, and the sizes in which the model sees a clip. Data, not code.

The published code has two prompts that do not agree (training and inference), so the prompt is
never a constant of the scorer: `seed` is the training prompt, and users can bring their own file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from ah_ray.errors import ConfigError
from ah_ray.validation import FrozenModel, first_problem

BUILT_IN = Path(__file__).parent / "profiles"

YES, NO = "Yes", "No"
"""The two answer words: what the model is asked for, and what rows, tables and reports hold."""

SOUND_HZ = 16_000
"""The rate of all sound that a model hears."""
SAMPLED = "sampled"
FRAMES_PER_GRID = 2
"""Two frames that follow one another are one temporal grid of the model."""


MOST_PIXELS = 4096 * 4096
MOST_CHARACTERS = 100_000
"""Limits for what a profile may ask: it may come with a model that somebody else made."""


class ScaleIn(StrEnum):
    """The colours in which a decoded picture is scaled."""

    RGB = "rgb"  # converted at full size, then scaled, as the reference does
    YUV = "yuv"  # scaled as it was decoded, then converted


class FirstResize(FrozenModel):
    """A first resize that comes before the one to multiples of 32 px.

    The frame reader of the published work was called without the model's patch size, so it sized
    by factor 28, with limits of its own, and the processor then sized its result again.
    """

    factor: int = Field(ge=2, le=64, description="both sides become multiples of so many px")
    min_pixels: int = Field(ge=1)
    max_pixels: int = Field(ge=1, le=MOST_PIXELS)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_pixels > self.max_pixels:
            raise ValueError("first_resize: min_pixels is larger than max_pixels")
        return self


_SLOT = re.compile(r"(?P<escape>\\?)(?P<slot><(?:video|audio)>)")


def count_slots(text: str, slot: str) -> int:
    """Return how often a prompt's text holds `<video>` or `<audio>` as a place for the clip.

    Behind a backslash it is ordinary text, which the model reads.
    """
    found = _SLOT.finditer(text)
    return sum(match["slot"] == slot and not match["escape"] for match in found)


def fill_slots(text: str, filled: Mapping[str, str]) -> str:
    """Return a prompt's text with its slots filled, and ordinary text without the backslash."""
    return _SLOT.sub(
        lambda match: match["slot"] if match["escape"] else filled[match["slot"]], text
    )


def answer_word(is_yes: bool) -> str:
    """Return `Yes` or `No`."""
    return YES if is_yes else NO


class Profile(FrozenModel):
    """What the model is asked, and how a clip is presented to it.

    `user` holds `<video>` and `<audio>` once each; their order in the text is the order in which
    the model meets them. Behind a backslash they are ordinary text. `min_pixels` and `max_pixels`
    limit a frame as the model sees it, and `first_resize` what comes before that; media/resize.py
    has the arithmetic.

    `second_per_grid` places the frames in time. A number counts for every clip: 2.0 is what
    ms-swift before 4.6 used for every clip. `sampled` is each clip's own value, 2 ÷ (frames a
    second that it shows), as from ms-swift 4.6 on; with `floor_positions` all positions are then
    cut to integers, as that does in training (and does not when it infers).
    """

    name: str = Field(min_length=1, max_length=100)
    system: str | None = Field(None, max_length=MOST_CHARACTERS)
    user: str = Field(max_length=MOST_CHARACTERS)
    fps: float = Field(2.0, gt=0, le=120)
    min_frames: int = Field(4, ge=2, multiple_of=2)
    min_pixels: int = Field(ge=32 * 32)
    max_pixels: int = Field(ge=32 * 32, le=MOST_PIXELS)
    first_resize: FirstResize | None = None
    scale_in: ScaleIn = ScaleIn.RGB
    second_per_grid: float | Literal["sampled"]
    floor_positions: bool = False
    pixel_aspect: Literal["coded", "displayed"] = Field(
        "coded",
        description="how pictures with oblong pixels are shown: as they are stored, as the "
        "reference does, or as a player shows them",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.name.isprintable():  # it is in every row, and on the terminal
            raise ValueError("`name` holds characters that cannot be shown")
        for slot in ("<video>", "<audio>"):
            if count_slots(self.user, slot) != 1:
                raise ValueError(
                    f"`user` must hold {slot} exactly once (as words it is written \\{slot})"
                )
        if self.min_pixels > self.max_pixels:
            raise ValueError("min_pixels is larger than max_pixels")
        if not isinstance(self.second_per_grid, str) and not 0 < self.second_per_grid < math.inf:
            raise ValueError(f"second_per_grid is neither a number above 0 nor `{SAMPLED}`")
        return self

    def answer_text(self, is_yes: bool) -> str:
        """Return the whole answer that the model was trained to give: `<answer>Yes</answer>`."""
        return f"<answer>{answer_word(is_yes)}</answer>"

    def grid_seconds(self, seconds: float, n_frames: int) -> float:
        """Return the seconds from one temporal grid of a clip to the next.

        The clip shows `n_frames` of `seconds` of pictures.
        """
        if isinstance(self.second_per_grid, str):  # SAMPLED
            return FRAMES_PER_GRID * seconds / n_frames
        return self.second_per_grid

    @property
    def pixel_limit(self) -> int:
        """Return how many pixels a frame of a large picture has, before it is rounded to 32 px."""
        limits = [self.max_pixels]
        if self.first_resize is not None:
            limits.append(self.first_resize.max_pixels)
        return min(limits)


def built_in_names() -> list[str]:
    """Return the names of the profiles that come with ah_ray."""
    return sorted(path.stem for path in BUILT_IN.glob("*.yaml"))


def load_profile(name_or_file: str) -> Profile:
    """Return the built-in profile of this name, or a user's own from a YAML file.

    A file that `extends` a built-in profile names only what is different. Raise ConfigError if
    there is no such profile or file, or if its content is wrong.
    """
    built_in = name_or_file in built_in_names()
    path = BUILT_IN / f"{name_or_file}.yaml" if built_in else Path(name_or_file)
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError(
            f"--profile {name_or_file}: neither a built-in profile ({', '.join(built_in_names())}) "
            "nor a YAML file that can be read"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"--profile {name_or_file}: not valid YAML: {error}") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"--profile {name_or_file}: not a mapping of names to values")
    if (parent := fields.pop("extends", None)) is not None:
        if parent not in built_in_names() or parent == name_or_file:
            raise ConfigError(
                f"--profile {name_or_file}: it extends {str(parent)[:80]!r}, which is no built-in "
                f"profile ({', '.join(built_in_names())})"
            )
        fields = {**load_profile(parent).model_dump(exclude={"name"}), **fields}
    try:
        return Profile(**{"name": path.stem, **fields})
    except ValidationError as error:
        raise ConfigError(f"--profile {name_or_file}: {first_problem(error)}") from None
