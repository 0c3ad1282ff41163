"""Taking the name of a video out of a sentence, for `--hide-uris`. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote

from ah_ray.errors import shown

HIDDEN = "…"


def redacted(text: str, uri: str) -> str:
    """`text` without the URI, or any part of it, in each of the forms that messages use.

    A folder called like an ordinary word takes that word with it: a sentence with a gap is better
    than one with a name.
    """
    forms = {form for part in _parts(uri) for form in _forms(part)}
    for form in sorted(forms, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)
    return text


def _forms(part: str) -> tuple[str, ...]:
    plain = " ".join(part.split())  # of a row's error, whose lines are joined
    return part, quote(part), repr(part)[1:-1], shown(part), plain, shown(plain)


def _parts(uri: str) -> set[str]:
    """Each run of the path's components, and the file's name without its ending."""
    path = uri.split("://", 1)[-1]
    components = [part for part in path.split("/") if part]
    runs = {
        "/".join(components[first:last])
        for first in range(len(components))
        for last in range(first + 1, len(components) + 1)
    }
    runs |= {uri, path, PurePosixPath(path).stem}
    return {run for run in runs if len(run.strip()) > 1}
