"""The settings of a job, checked: what is wrong with them is one sentence that names the flag."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ah_ray.errors import ConfigError

Settings = TypeVar("Settings", bound=BaseModel)


class JobSettings(BaseModel):
    """Settings of a job: they stay as they are, have known names, and no text of them is blank."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        texts = value if isinstance(value, (list, tuple)) else (value,)
        if any(isinstance(text, str) and not text.strip() for text in texts):
            raise ValueError("is empty: give a value, or leave it out")
        return value


def validated(kind: type[Settings], values: dict[str, object], needed: str) -> Settings:
    """Settings of a job; raises ConfigError with one sentence that names the flag.

    `needed` are the flags that the job cannot do without.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else ""
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            known = ", ".join(sorted(kind.model_fields))
            raise ConfigError(f"{name}: no such setting; there are {known}") from None
        if problem["type"] == "missing":
            raise ConfigError(
                f"--{name.replace('_', '-')} is missing: {needed} are needed"
            ) from None
        flag = f"--{name.replace('_', '-')}: " if name else ""
        raise ConfigError(f"{flag}{message}") from None
