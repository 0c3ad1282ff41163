"""Removes the name of a video from a sentence, for `--hide-uris`. Pure.

Rows are treated by it (output/row.py), everything else that leaves a process by ah_ray/naming.py.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote

from ah_ray.escaping import escape_text
from ah_ray.naming import HIDDEN


def redact_name(text: str, uri: str) -> str:
    """Return the text without the URI or any part of it, in each form that messages use.

    If a folder has the name of an ordinary word, that word is removed too: a sentence with a gap is
    better than one with a name.
    """
    forms = {form for part in _parts(uri) for form in _forms(part)}
    for form in sorted(forms, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)
    return text


def _forms(part: str) -> tuple[str, ...]:
    plain = " ".join(part.split())  # as in a row's error, whose lines are joined
    return part, quote(part), repr(part)[1:-1], escape_text(part), plain, escape_text(plain)


def _parts(uri: str) -> set[str]:
    """Return each sequence of the path's components, and the file's name without its ending."""
    path = uri.split("://", 1)[-1]
    components = [part for part in path.split("/") if part]
    runs = {
        "/".join(components[first:last])
        for first in range(len(components))
        for last in range(first + 1, len(components) + 1)
    }
    runs |= {uri, path, PurePosixPath(path).stem}
    return {run for run in runs if len(run.strip()) > 1}
