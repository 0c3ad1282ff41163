"""The windows of a plan as its message holds them, and back.

Both sides of the socket use this module: it imports nothing of libav, so that a process that only
asks for clips never loads it.
"""

from __future__ import annotations

from typing import Any

from ah_ray.config import Windows
from ah_ray.media.windows import Cut, Given, Regular


def cut_fields(cut: Cut) -> dict[str, Any]:
    """Return the windows of a plan as fields that JSON can hold.

    Raises:
        TypeError: They are of a class that has no message.
    """
    if isinstance(cut, Regular):
        return {"regular": cut.windows.model_dump(mode="json")}
    if isinstance(cut, Given):
        return {"given": cut.spans}
    raise TypeError(f"windows of the class {type(cut).__name__} cannot be sent")


def read_cut(fields: dict[str, Any]) -> Cut:
    """Return the windows that `cut_fields` made into these fields."""
    if "regular" in fields:
        return Regular(Windows(**fields["regular"]))
    return Given.of([tuple(span) for span in fields["given"]])
