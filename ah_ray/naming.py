"""Whether this process may name videos and folders in what it writes: not with `--hide-uris`.

Storage names an object in its errors by `name_in_message`, which returns `…` while names are
hidden. Text that leaves the process (to a terminal, a log, a run's summary) goes through
`hide_paths`, which also removes what looks like a path or a URI from any other source.
"""

from __future__ import annotations

import re

from ah_ray.escaping import escape_text

HIDDEN = "…"

_hidden = False


def hide_names(hidden: bool) -> None:
    """Hide names in this process from now on, or show them again."""
    global _hidden
    _hidden = hidden


def names_are_hidden() -> bool:
    """Return whether this process hides the names of videos and folders."""
    return _hidden


def name_in_message(uri: str) -> str:
    """Return a URI or path for a message: escaped on one line, or `…` while names are hidden."""
    return HIDDEN if _hidden else escape_text(uri)


def hide_paths(text: str) -> str:
    """Return text that leaves this process: without paths while names are hidden."""
    return remove_paths(text) if _hidden else text


_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_PLACE = re.compile(
    r"(?:(?<=[\s('\"=])|^)(?:[A-Za-z][\w+.-]*:)?//?(?=\S)"
    r"(?:[^\n:;'\"()]*(?=: )"  # as in "reading /study/Jane Doe: denied"
    r"|[^\n:;'\"()]*\.[A-Za-z0-9]{1,8}\b"  # to the last ending of a file
    r"|\S*)",
    re.MULTILINE,
)
_REST = re.compile(r"\S*(?:[^\s\d]/(?!s\b|h\b|H\b)[^\s\d]|://|\\)\S*")  # but MB/s and A/H


def remove_paths(text: str) -> str:
    """Return the text without quoted parts, absolute paths, URIs, and words that hold a slash.

    A name may hold spaces, so a path is assumed to reach to the next colon, or to the last file
    ending if there is one. A sentence with a gap is better than one with a name.
    """
    for pattern in (_QUOTED, _PLACE, _REST):
        text = pattern.sub(HIDDEN, text)
    return text
