"""Writes one version of a large object to a file. After a fault it continues where it was.

A file may be filled by several streams at once, each writing parts to their places, so that one
connection of a store does not set the rate. A range carries no checksum of the object: what guards
it on the way is TLS.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

from ah_ray.errors import ObjectChanged
from ah_ray.naming import name_in_message
from ah_ray.storage import retry
from ah_ray.storage.s3.client import run_coroutine

PART_BYTES = 64 << 20
"""What a stream reads by one request, where there are several. Smaller objects have one."""

_PIECE_BYTES = 1 << 20

Matching = Callable[[Callable[[str], None]], None]
"""`matching(send)` calls `send` with the If-Match value of the version."""


class _Part:
    """The bytes of a file from `start` to `stop`, which are filled from their start."""

    def __init__(self, descriptor: int, start: int, stop: int):
        self._descriptor = descriptor
        self.start, self.at, self.stop = start, start, stop

    def write(self, data: bytes) -> None:
        """Write more of the part. Raise OSError if the disk is full."""
        left = memoryview(data)
        while left:
            n_written = os.pwrite(self._descriptor, left, self.at)
            self.at += n_written
            left = left[n_written:]


def download_version(
    bucket: str,
    key: str,
    descriptor: int,
    size_bytes: int,
    matching: Matching,
    n_streams: int = 1,
) -> None:
    """Fill an empty file with the object of this size, by `n_streams` streams at most."""
    if n_streams == 1 or size_bytes <= PART_BYTES:
        _fill(bucket, key, _Part(descriptor, 0, size_bytes), size_bytes, matching)
        return
    parts = [
        _Part(descriptor, start, min(size_bytes, start + PART_BYTES))
        for start in range(0, size_bytes, PART_BYTES)
    ]
    with ThreadPoolExecutor(n_streams) as threads:
        filling = [threads.submit(_fill, bucket, key, part, size_bytes, matching) for part in parts]
        try:
            for done in wait(filling, return_when=FIRST_EXCEPTION).done:
                done.result()
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _fill(bucket: str, key: str, part: _Part, size_bytes: int, matching: Matching) -> None:
    uri = f"s3://{bucket}/{key}"
    attempts = retry.Attempts(f"reading {name_in_message(uri)}")

    def stream(if_match: str) -> None:
        run_coroutine("reading", uri, _stream, bucket, key, part, if_match, size_bytes)

    while True:
        before = part.at
        try:
            return matching(stream)
        except retry.Transient as fault:
            if part.at >= part.stop:  # all of it came, but the checksum is wrong
                part.at = part.start
            elif part.at > before:
                attempts.reset()
            attempts.after(fault)


async def _stream(
    client: Any, bucket: str, key: str, part: _Part, if_match: str, size_bytes: int
) -> None:
    """Append to the part what it does not have yet."""
    condition = {"IfMatch": if_match}
    if part.at or part.stop < size_bytes:
        condition["Range"] = f"bytes={part.at}-{part.stop - 1}"
    response = await client.get_object(Bucket=bucket, Key=key, **condition)
    async with response["Body"] as body:
        if part.at + response["ContentLength"] != part.stop:
            raise ObjectChanged(
                f"{name_in_message(f's3://{bucket}/{key}')} no longer has {size_bytes} bytes"
            )
        while piece := await body.read(_PIECE_BYTES):
            part.write(piece)
    if part.at != part.stop:
        raise retry.Transient(f"{part.at} of {part.stop} bytes came")
