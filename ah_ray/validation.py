"""FrozenModel settings models, and the one sentence that names the flag of a wrong setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ah_ray.errors import ConfigError

Settings = TypeVar("Settings", bound=BaseModel)


class FrozenModel(BaseModel):
    """The base of all settings and records: instances do not change, and unknown names are errors.

    A model that reads files of later versions sets `extra="ignore"` for itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    PANEL: ClassVar[str | None] = None
    """The panel of `--help` for the flags made from a class's own fields; see `ah_ray.flag`."""


class JobSettings(FrozenModel):
    """The settings of a job: as in `FrozenModel`, and no text is blank."""

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        texts = value if isinstance(value, (list, tuple)) else (value,)
        if any(isinstance(text, str) and not text.strip() for text in texts):
            raise ValueError("is empty: give a value, or leave it out")
        return value


def first_problem(error: ValidationError) -> str:
    """Return the first problem that pydantic found as one line: the field, then what is wrong."""
    problem = error.errors()[0]
    field = ".".join(str(part) for part in problem["loc"])
    message = _message(problem)
    return f"{field}: {message}" if field else message


def validate_settings(kind: type[Settings], values: dict[str, object], needed: str) -> Settings:
    """Return the settings of a job. Raise ConfigError with one sentence that names the flag.

    `needed` names the flags that the job cannot do without.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else ""
        message = _message(problem)
        if problem["type"] == "extra_forbidden":
            known = ", ".join(sorted(kind.model_fields))
            raise ConfigError(f"{name}: there is no such setting; choose from {known}") from None
        if problem["type"] == "missing":
            raise ConfigError(
                f"--{name.replace('_', '-')} is missing: {needed} are needed"
            ) from None
        flag = f"--{name.replace('_', '-')}: " if name else ""
        raise ConfigError(f"{flag}{message}") from None


def _message(problem: Mapping[str, object]) -> str:
    return str(problem["msg"]).removeprefix("Value error, ")
