"""Streams one version of a large object to a file. After a fault it continues where it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

from ah_ray.errors import ObjectChanged
from ah_ray.naming import name_in_message
from ah_ray.storage import retry
from ah_ray.storage.s3.client import run_coroutine

_PIECE_BYTES = 1 << 20


def download_version(
    bucket: str,
    key: str,
    file: BinaryIO,
    size_bytes: int,
    matching: Callable[[Callable[[str], None]], None],
) -> None:
    """Fill `file`, which is empty, with the object of this size.

    `matching(send)` calls `send` with the If-Match value of the version.
    """
    uri = f"s3://{bucket}/{key}"
    attempts = retry.Attempts(f"reading {name_in_message(uri)}")

    def stream(if_match: str) -> None:
        run_coroutine("reading", uri, _stream, bucket, key, file, if_match, size_bytes)

    while True:
        before = file.tell()
        try:
            return matching(stream)
        except retry.Transient as fault:
            if file.tell() >= size_bytes:  # all of it came, but the checksum is wrong
                file.seek(0)
                file.truncate()
            elif file.tell() > before:
                attempts.reset()
            attempts.after(fault)


async def _stream(
    client: Any, bucket: str, key: str, file: BinaryIO, if_match: str, size_bytes: int
) -> None:
    """Append to `file` what it does not have yet."""
    start = file.tell()
    condition = {"IfMatch": if_match} | ({"Range": f"bytes={start}-"} if start else {})
    response = await client.get_object(Bucket=bucket, Key=key, **condition)
    async with response["Body"] as body:
        if start + response["ContentLength"] != size_bytes:
            raise ObjectChanged(
                f"{name_in_message(f's3://{bucket}/{key}')} no longer has {size_bytes} bytes"
            )
        while piece := await body.read(_PIECE_BYTES):
            file.write(piece)
    if file.tell() != size_bytes:
        raise retry.Transient(f"{file.tell()} of {size_bytes} bytes came")
