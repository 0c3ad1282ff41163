"""Load a profile: a built-in one by its name, or a user's own file."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from ah_ray.errors import ConfigError
from ah_ray.profile.profile import Profile
from ah_ray.validation import first_problem

BUILT_IN = Path(__file__).parents[1] / "profiles"


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
        fields = {**load_profile(parent).model_dump(by_alias=True, exclude={"name"}), **fields}
    try:
        return Profile(**{"name": path.stem, **fields})
    except ValidationError as error:
        raise ConfigError(f"--profile {name_or_file}: {first_problem(error)}") from None
