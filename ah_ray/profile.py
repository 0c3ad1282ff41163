"""A profile: the prompt, and the sizes in which a clip is shown to the model. Data, not code.

The published code has two prompts that do not agree (training and inference), so the prompt is
never a constant of the scorer: `seed` is the training one, and a user brings another as a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ah_ray.errors import ConfigError

BUILT_IN = Path(__file__).parent / "profiles"

YES = "<answer>Yes</answer>"
NO = "<answer>No</answer>"
"""The two answers, as every profile asks for them and as the models were trained to give them."""


class Profile(BaseModel):
    """What the model is asked, and how much it is shown.

    `user` holds `<video>` and `<audio>` once each; their order in the text is the order in which
    the model meets them. Sizes are in pixels per frame, of the frame as the model sees it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    system: str | None = None
    user: str
    fps: float = Field(2.0, gt=0, le=120)
    min_frames: int = Field(4, ge=2, multiple_of=2)
    min_pixels: int = Field(ge=32 * 32)
    max_pixels: int = Field(ge=32 * 32)
    second_per_grid: float = Field(gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.name.isprintable():  # it stands in every row, and on the terminal
            raise ValueError("`name` holds characters that cannot be shown")
        for slot in ("<video>", "<audio>"):
            if self.user.count(slot) != 1:
                raise ValueError(f"`user` must hold {slot} exactly once")
        if self.min_pixels > self.max_pixels:
            raise ValueError("min_pixels is larger than max_pixels")
        return self


def built_in_names() -> list[str]:
    return sorted(path.stem for path in BUILT_IN.glob("*.yaml"))


def load_profile(name_or_file: str) -> Profile:
    """The built-in profile of that name, or a user's own from a YAML file.

    Raises ConfigError if there is no such profile or file, or if its content is wrong.
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
    try:
        return Profile(**{"name": path.stem, **fields})
    except ValidationError as error:
        raise ConfigError(f"--profile {name_or_file}: {first_problem(error)}") from None


def first_problem(error: ValidationError) -> str:
    """One line for a pydantic error: where, what."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
