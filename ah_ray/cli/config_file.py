"""The settings of a job: those in the file of `--config`, and the flags over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ah_ray.errors import ConfigError


def given_settings(
    flags: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the settings of a command line by name: those in the file of `--config`, and over them
    the flags that were given.

    `flags` are a job's parameters by name. Only `None` and an empty list mean that a flag was not
    given: 0, False and an empty text are values, and win over the file. Paths become text.
    `names` are the settings by the names that a file may give them, where the two differ.
    Raise ConfigError if the file cannot be read.
    """
    given = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in flags.items()
        if not (value is None or (isinstance(value, list | tuple) and not value))
    }
    config = given.pop("config", None)
    file = read_config_file(None if config is None else Path(config))
    return {**{(names or {}).get(name, name): value for name, value in file.items()}, **given}


def read_config_file(path: Path | None) -> dict[str, Any]:
    """Return the settings in a YAML file by name, without a file none. Raise ConfigError if it
    cannot be read, or is no mapping."""
    if path is None:
        return {}
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"--config {path}: not valid YAML: {error}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"--config {path}: not a mapping of names to values")
    return {str(name).replace("-", "_"): value for name, value in settings.items()}
