"""The client of s3fs: credentials, endpoint, connections, and the thread that its loop runs in.

botocore's own environment applies: AWS_ENDPOINT_URL, AWS_PROFILE, AWS_REGION and the rest.
"""

from __future__ import annotations

import functools
import os
from datetime import datetime
from typing import Any

import s3fs
from aiobotocore.session import AioSession
from botocore.utils import parse_timestamp
from fsspec.asyn import sync

from ah_ray.errors import shown
from ah_ray.storage import retry
from ah_ray.storage.s3_errors import told

_CLIENT = {
    "connect_timeout": 3,
    "read_timeout": 20,
    "max_pool_connections": 32,
    "retries": {"mode": "standard", "total_max_attempts": 1},  # retry.py's are counted
}


def _timestamp(text: str) -> datetime:
    """As botocore's, but for what listings hold: there it takes 40 of 50 ms for each page."""
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return parse_timestamp(text)


@functools.cache
def _file_system(_process: int, _settings: frozenset[tuple[str, str]]) -> s3fs.S3FileSystem:
    session = AioSession()
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_timestamp)
    return s3fs.S3FileSystem(
        session=session,
        skip_instance_cache=True,
        use_listings_cache=False,
        config_kwargs=dict(_CLIENT),
    )


def _current() -> s3fs.S3FileSystem:
    """One for each process (its loop does not survive a fork) and each set of AWS_* settings."""
    settings = frozenset((k, v) for k, v in os.environ.items() if k.startswith("AWS_"))
    return _file_system(os.getpid(), settings)


def run(doing: str, uri: str, coroutine, *args, timeout_s: float | None = None) -> Any:
    """Runs `coroutine(client, *args)` once; raises `Transient` or one of the project's errors."""
    files = _current()

    async def connected():
        return await coroutine(await files.set_session(), *args)

    with told(doing, uri):
        return sync(files.loop, connected, timeout=timeout_s)


def once(doing: str, uri: str, operation: str, **fields) -> dict:
    """One small request, by botocore's name for it."""

    async def request(client):
        return await getattr(client, operation)(**fields)

    return run(doing, uri, request, timeout_s=retry.current_patience().call_timeout_s)


def call(doing: str, uri: str, operation: str, **fields) -> dict:
    """The same, with retries."""
    return retry.call(lambda: once(doing, uri, operation, **fields), f"{doing} {shown(uri)}")
