"""Values of JSON that somebody else wrote: of the kind that is expected, or nothing. Pure."""

from __future__ import annotations

import json
import math
from typing import Any

from ah_ray.errors import ConfigError

Fields = dict[str, Any]


def parse_json(data: bytes) -> Any:
    """Return the content of a file. Raise ConfigError with problem and remedy if it is no JSON."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"it is not JSON: {problem}; export it again") from None


def fields_of(value: object) -> Fields:
    """Return an object's members; none of anything else."""
    return value if isinstance(value, dict) else {}


def items_of(value: object) -> list[Any]:
    """Return a list's entries; none of anything else."""
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    """Return a text without spaces around it, or a number as text; empty for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def number_of(value: object) -> float | None:
    """Return a finite number, which may be written as a text; None for anything else."""
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None
