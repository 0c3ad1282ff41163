"""Find the profile with which ms-swift showed clips to a model, from the version that it records.

Found by running 4.0.0 and 4.6.0 and by reading the releases between them (their template for
Qwen3-Omni, `swift/template/templates/qwen.py`):

    up to 4.0.1     the frame reader sizes by factor 28, the processor again by 32    seed
    4.0.2 to 4.5    both size by factor 32 (the processor no more from 4.5 on)         seed-32
    from 4.6        the same, and each clip has its own seconds between frames         swift-4.6
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ah_ray.errors import ConfigError
from ah_ray.profile import FirstResize, Profile, load_profile

TEMPLATES = {"qwen3_omni"}

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(.*)", re.ASCII | re.DOTALL)
_SIZED_BY_32 = (4, 0, 2)
_SIZED_ONCE = (4, 5, 0)
_TIMED_BY_CLIP = (4, 6, 0)
_PROCESSOR = {"min_pixels": 128 * 32**2, "max_pixels": 768 * 32**2}

_FRAMES = {"fps", "fps_min_frames"}
_LIMITS = {
    "video_min_token_num", "video_max_token_num", "video_min_pixels", "video_max_pixels",
}  # fmt: skip
_WITHOUT_EFFECT = {
    "min_pixels", "max_pixels", "image_min_token_num", "image_max_token_num",  # of still images
    "video_total_pixels", "fps_max_frames", "enable_audio_output", "max_ratio",
}  # fmt: skip
_FEWEST_FRAMES_AT_MOST = 60  # a window of 30 s at 2 fps: a limit above it changes nothing


def load_profile_of_version(version: str) -> Profile:
    """Return the built-in profile that shows clips as this version of ms-swift does.

    Raise ConfigError for text that is not a version, and for development versions around a change.
    """
    numbers, is_release = _parse_version(version)
    if not is_release and numbers in (_SIZED_BY_32, _TIMED_BY_CLIP):
        raise ConfigError(
            f"ms-swift {version} is a development version, from before or after a change in how "
            "clips are shown"
        )
    if numbers < _SIZED_BY_32:
        return load_profile("seed")
    return load_profile("seed-32" if numbers < _TIMED_BY_CLIP else "swift-4.6")


def load_profile_of_args(args: Mapping[str, Any]) -> Profile:
    """Return the profile for the `args.json` that ms-swift wrote beside a model.

    Raise ConfigError if it does not say how clips were shown, or if no profile can do the same.
    """
    version, template = args.get("swift_version"), args.get("template")
    if not isinstance(version, str):
        raise ConfigError("it names no swift_version")
    if template not in (None, *TEMPLATES):
        raise ConfigError(f"its template is {str(template)[:40]!r}, not one of Qwen3-Omni")
    profile = load_profile_of_version(version)
    given = args.get("model_kwargs") or {}
    if not isinstance(given, Mapping):
        raise ConfigError("its model_kwargs are not a mapping")
    given = {str(name).lower(): value for name, value in given.items()}
    _check_known(given, _parse_version(version)[0])
    changed = {name: given[name] for name in sorted(given.keys() & (_FRAMES | _LIMITS))}
    if not changed:
        return profile
    try:
        limited = _apply_limits(profile, given, _parse_version(version)[0])
        changes = ", ".join(f"{name}={value}" for name, value in changed.items())
        fields = {
            **limited.model_dump(),
            "fps": given.get("fps", profile.fps),
            "min_frames": _round_up_to_even(given.get("fps_min_frames", profile.min_frames)),
            "name": f"{profile.name} ({changes})"[:100],
        }
        return Profile(**fields)
    except (ValueError, TypeError, OverflowError):
        raise ConfigError("its model_kwargs hold values that no profile can have") from None


def _parse_version(version: str) -> tuple[tuple[int, int, int], bool]:
    """Return the three numbers of a version, and whether it is a release."""
    found = _VERSION.fullmatch(version.strip())
    if not found:
        raise ConfigError(f"{version[:40]!r} is no version of ms-swift, such as 4.6.0")
    major, minor, patch, rest = found.groups()
    is_release = re.match(r"\.?(post|\+|$)", rest) is not None
    return (int(major), int(minor), int(patch or 0)), is_release


def _check_known(given: Mapping[str, Any], version: tuple[int, int, int]) -> None:
    """Raise ConfigError for a setting that a profile cannot follow."""
    unknown = sorted(given.keys() - _FRAMES - _LIMITS - _WITHOUT_EFFECT)
    unknown = [name for name in unknown if name != "use_audio_in_video" or _is_on(given[name])]
    if "fps_max_frames" in given and not _is_large(given["fps_max_frames"]):
        unknown.append("fps_max_frames")
    if version < _SIZED_BY_32:  # it depended on the version of another package
        unknown += sorted(given.keys() & {"video_min_pixels", "video_max_pixels"})
    if unknown:
        raise ConfigError(f"it was trained with {unknown[0]}, which no profile can follow")


def _is_on(value: object) -> bool:
    return str(value).lower() not in ("false", "0", "no", "none", "")


def _is_large(value: object) -> bool:
    return str(value).isdecimal() and int(str(value)[:9]) >= _FEWEST_FRAMES_AT_MOST


def _round_up_to_even(n_frames: object) -> int:
    return -(-int(str(n_frames)) // 2) * 2


def _apply_limits(
    profile: Profile, given: Mapping[str, Any], version: tuple[int, int, int]
) -> Profile:
    """Return the profile with other limits, in the stage in which the frame reader applies them."""
    if not given.keys() & _LIMITS:
        return profile
    factor = 28 if version < _SIZED_BY_32 else 32
    limits = {
        name: _read_token_limit(given, name, default) * factor**2
        for name, default in (("min", 128), ("max", 768))
    }
    limits["max"] = max(limits["max"], int(limits["min"] * 1.05))  # as the reference has it
    fields = {"min_pixels": limits["min"], "max_pixels": limits["max"]}
    if version >= _SIZED_ONCE:
        return profile.model_copy(update=fields)
    first = FirstResize(factor=factor, **fields)
    return profile.model_copy(update={"first_resize": first, **_PROCESSOR})


def _read_token_limit(given: Mapping[str, Any], name: str, default: int) -> int:
    """Return a limit in tokens; one in pixels is rounded down to tokens of 32 px."""
    tokens, pixels = given.get(f"video_{name}_token_num"), given.get(f"video_{name}_pixels")
    if tokens is not None:
        return int(str(tokens))
    return default if pixels is None else int(str(pixels)) // 32**2
