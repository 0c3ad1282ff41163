"""Redirects of http(s) servers: followed within the host that the user named, and to no other."""

from __future__ import annotations

from types import SimpleNamespace

import aiohttp
from yarl import URL


class RedirectError(OSError):
    """The server redirects to another host."""


async def _check_redirect(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    parameters: aiohttp.TraceRequestRedirectParams,
) -> None:
    """Raise RedirectError if a response redirects to another host than the user named.

    The user trusts the host that they named. That host must not choose other hosts, for example
    inside a private network, to be read in its place.
    """
    asked = parameters.url
    target = asked.join(URL(parameters.response.headers.get("Location", "")))
    if (target.scheme, target.host, target.port) != (asked.scheme, asked.host, asked.port):
        raise RedirectError(f"the server redirects to another host, {target.host}:{target.port}")


_TRACE = aiohttp.TraceConfig()
_TRACE.on_request_redirect.append(_check_redirect)

ONE_HOST = {"client_kwargs": {"trace_configs": [_TRACE]}}
"""Settings for fsspec's http(s) file system."""


def find_redirect(error: BaseException | None) -> RedirectError | None:
    """Return the RedirectError that caused a driver's error; None if there is none."""
    while error is not None and not isinstance(error, RedirectError):
        error = error.__cause__ or error.__context__
    return error
