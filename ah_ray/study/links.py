"""The place of a recording, as a URL that a browser can follow. Pure."""

from __future__ import annotations

from urllib.parse import quote

from ah_ray import storage

_SAFE = "/~!$'()*,=:@"  # a path may hold these unescaped: not '?', '#', '%', '&', '"', '<'


def recording_url(uri: str) -> str:
    """Return `file:///…` for a local path, else the URI with its path escaped.

    Append `#t=SECONDS` for a moment. Names in rows are not escaped, so '#', '?' and '%' in them are
    escaped here. storage.scheme knows only stores, so no URL is a script.
    """
    scheme = storage.scheme(uri)
    path = uri.split("://", 1)[-1]
    if scheme == "file":
        return "file://" + quote(path, safe=_SAFE, errors="surrogateescape")
    return f"{scheme}://" + quote(path, safe=_SAFE)
