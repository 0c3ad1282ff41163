"""Where a recording lies, as a URL that a browser may follow. Pure."""

from __future__ import annotations

from urllib.parse import quote

from ah_ray import storage

_SAFE = "/~!$'()*,=:@"  # of those that a path may hold unescaped: no '?', '#', '%', '&', '"', '<'


def link(uri: str) -> str:
    """`file:///…` of a local path, else the URI; a moment is `#t=SECONDS` behind it.

    Names in rows are as they are, so '#', '?' and '%' in them are escaped here. storage.scheme
    knows stores only, so no link is a script.
    """
    scheme = storage.scheme(uri)
    path = uri.split("://", 1)[-1]
    if scheme == "file":
        return "file://" + quote(path, safe=_SAFE, errors="surrogateescape")
    return f"{scheme}://" + quote(path, safe=_SAFE)
