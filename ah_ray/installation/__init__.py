"""What is installed of this package: its version, and the packages that it was installed without.

Two distributions hold the same code. `ah-ray` brings all that any command needs. `ah-ray-light`
brings what reading an output needs, and the rest as extras (light/pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from ah_ray.errors import ConfigError

_FULL, _LIGHT = "ah-ray", "ah-ray-light"

_STORES = {
    "gcs": {"google"},
    "azure": {"azure"},
}
_EXTRAS = {
    "report": {
        "jinja2", "markupsafe", "numpy", "psutil", "pydantic", "pydantic_core", "regex", "rich",
        "typer", "yaml",
    },
    "clips": {"av", "ffmpeg", "imageio_ffmpeg"},
    "s3": {"aiobotocore", "aiohttp", "botocore", "s3fs", "yarl"},
    "train": {
        "accelerate", "grpc", "peft", "ray", "requests", "safetensors", "tensorboardX",
        "tokenizers", "torch", "transformers",
    },
} | _STORES  # fmt: skip
"""Extra → the modules that its packages bring."""


def ah_ray_version() -> str:
    """Return the version of this package."""
    return version(_FULL if _is_installed(_FULL) else _LIGHT)


def missing_package(error: ModuleNotFoundError) -> ConfigError | None:
    """Return the error of a package that an extra would have brought; None for any other module."""
    name = (error.name or "").partition(".")[0]
    extra = next((extra for extra, modules in _EXTRAS.items() if name in modules), None)
    if extra is None:
        return None
    if _is_installed(_LIGHT):
        wanted = f"'{_LIGHT}[{extra}]'"
    else:
        wanted = f"'{_FULL}[{extra}]'" if extra in _STORES else _FULL
    return ConfigError(f"this needs the package {name}, which is missing: pip install {wanted}")


@contextmanager
def missing_packages_as_errors() -> Iterator[None]:
    """Raise ConfigError instead where a package of an extra is imported, and missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from None


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
