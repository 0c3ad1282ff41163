"""Amazon S3 and what speaks its protocol, through the client of s3fs.

Only the client is s3fs's. Its file system calls are not used: they read `?` and trailing slashes
in keys as syntax, cache listings without bound, and drop conditions that they do not know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from ah_ray.errors import ObjectChanged, ObjectMissing, PreconditionFailed, StorageError, shown
from ah_ray.storage import retry
from ah_ray.storage.entry import Entry
from ah_ray.storage.ranged import open_ranged
from ah_ray.storage.s3_client import call, once, run
from ah_ray.storage.s3_parts import PART_BYTES, write_parts
from ah_ray.storage.uri import bucket_and_key

_PIECE_BYTES = 1 << 20
_BULK = 1_000  # keys that one DeleteObjects takes


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    bucket, folder = bucket_and_key(prefix)
    folder = folder.rstrip("/") + "/" if folder else ""
    place = {"Bucket": bucket, "Prefix": folder, "MaxKeys": 1_000}
    page = call("listing", prefix, "list_objects_v2", **place)
    if not page.get("Contents"):
        raise ObjectMissing(f"listing {prefix}: nothing in the bucket has a name that begins so")
    while True:
        entries = [
            _entry(bucket, found["Key"], len(folder), found["Size"], found)
            for found in page.get("Contents", ())
            if not (found["Key"].endswith("/") and found["Size"] == 0)  # a console's "folder"
        ]
        if entries:
            yield entries
        if not page.get("IsTruncated"):
            return
        place["ContinuationToken"] = page["NextContinuationToken"]
        page = call("listing", prefix, "list_objects_v2", **place)


def _entry(bucket: str, key: str, n_folder: int, size_bytes: int, found: dict) -> Entry:
    return Entry(
        uri=f"s3://{bucket}/{key}",
        key=key[n_folder:],
        size_bytes=size_bytes,
        etag=found["ETag"].strip('"'),
        last_modified=found["LastModified"],
    )


def stat(uri: str) -> Entry:
    bucket, key = _object(uri)
    found = call("reading", uri, "head_object", Bucket=bucket, Key=key)
    return _entry(bucket, key, key.rfind("/") + 1, found["ContentLength"], found)


def _object(uri: str) -> tuple[str, str]:
    bucket, key = bucket_and_key(uri)
    if not key:
        raise ObjectMissing(f"{uri} is a bucket, not an object in it")
    return bucket, key


def read_bytes(uri: str) -> bytes:
    return read_versioned(uri)[0]


def read_versioned(uri: str) -> tuple[bytes, str]:
    return retry.call(lambda: _get(uri), f"reading {shown(uri)}")


def _get(uri: str, **condition: str) -> tuple[bytes, str]:
    """The whole object, or the range that `condition` names, and its etag. One request."""
    bucket, key = _object(uri)

    async def get(client):
        response = await client.get_object(Bucket=bucket, Key=key, **condition)
        async with response["Body"] as body:
            data = await body.read()
        if len(data) != response["ContentLength"]:
            raise retry.Transient(f"{len(data)} of {response['ContentLength']} bytes came")
        return data, response["ETag"].strip('"')

    return run("reading", uri, get, timeout_s=retry.current_patience().call_timeout_s)


def read_range(uri: str, start: int, stop: int, *, etag: str | None) -> bytes:
    condition = {"Range": f"bytes={start}-{stop - 1}"}
    if etag is not None:
        condition["IfMatch"] = f'"{etag}"'
    return retry.call(lambda: _get(uri, **condition)[0], f"reading {shown(uri)}")


def open_read(uri: str) -> BinaryIO:
    """Reads by ranges, of the version that was there when it was opened."""
    entry = stat(uri)
    return open_ranged(
        lambda start, stop: read_range(uri, start, stop, etag=entry.etag), entry.size_bytes
    )


def download(uri: str, path: Path, *, etag: str | None, size_bytes: int | None) -> None:
    """Streams to `path`; after a fault it goes on from where it was, on the same version."""
    if etag is None or size_bytes is None:
        now = stat(uri)
        etag, size_bytes = etag or now.etag, now.size_bytes if size_bytes is None else size_bytes
    attempts = retry.Attempts(f"reading {shown(uri)}")
    with path.open("wb") as file:
        while True:
            before = file.tell()
            try:
                return run("reading", uri, _stream, uri, file, etag, size_bytes)
            except retry.Transient as fault:
                if file.tell() >= size_bytes:  # all of it came, but its checksum is another
                    file.seek(0)
                    file.truncate()
                elif file.tell() > before:
                    attempts.reset()
                attempts.after(fault)


async def _stream(client, uri: str, file: BinaryIO, etag: str, size_bytes: int) -> None:
    """Appends to `file` what it does not have yet."""
    bucket, key = _object(uri)
    start = file.tell()
    condition = {"IfMatch": f'"{etag}"'} | ({"Range": f"bytes={start}-"} if start else {})
    response = await client.get_object(Bucket=bucket, Key=key, **condition)
    async with response["Body"] as body:
        if start + response["ContentLength"] != size_bytes:
            raise ObjectChanged(f"{shown(uri)} no longer has the {size_bytes} bytes it had")
        while piece := await body.read(_PIECE_BYTES):
            file.write(piece)
    if file.tell() != size_bytes:
        raise retry.Transient(f"{file.tell()} of {size_bytes} bytes came")


def write_whole(uri: str, data: bytes) -> None:
    bucket, key = _object(uri)
    call("writing", uri, "put_object", Bucket=bucket, Key=key, Body=data)


def write_file(uri: str, path: Path) -> None:
    """By parts if it is large; a part that fails is sent again, not the whole."""
    if path.stat().st_size <= PART_BYTES:
        write_whole(uri, path.read_bytes())
    else:
        write_parts(uri, path)


def create_exclusive(uri: str, data: bytes) -> str:
    return _put_if(uri, data, IfNoneMatch="*")


def replace_if(uri: str, data: bytes, etag: str) -> str:
    return _put_if(uri, data, IfMatch=f'"{etag}"')


def _put_if(uri: str, data: bytes, **condition: str) -> str:
    """An attempt whose answer was lost (aiohttp repeats some unseen) may be the one that won."""
    bucket, key = _object(uri)
    try:
        fields = {"Bucket": bucket, "Key": key, "Body": data, **condition}
        return call("writing", uri, "put_object", **fields)["ETag"].strip('"')
    except PreconditionFailed:
        written, etag = read_versioned(uri)
        if written == data:
            return etag
        raise


def remove_if(uri: str, etag: str) -> None:
    bucket, key = _object(uri)
    call("removing", uri, "delete_object", Bucket=bucket, Key=key, IfMatch=f'"{etag}"')


def remove(uris: Iterable[str]) -> None:
    keys = defaultdict(list)
    for uri in uris:
        bucket, key = _object(uri)
        keys[bucket].append({"Key": key})
    for bucket, found in keys.items():
        left = iter(found)
        while bulk := list(islice(left, _BULK)):
            _remove_bulk(bucket, bulk)


def _remove_bulk(bucket: str, keys: list[dict]) -> None:
    place = f"s3://{bucket}"

    def delete() -> None:
        fields = {"Bucket": bucket, "Delete": {"Objects": keys, "Quiet": True}}
        kept = once("removing from", place, "delete_objects", **fields).get("Errors", ())
        if any(error["Code"] in ("InternalError", "SlowDown") for error in kept):
            raise retry.Transient(kept[0]["Code"])
        if kept:
            raise StorageError(
                f"removing {place}/{kept[0]['Key']}: {kept[0].get('Message', kept[0]['Code'])}; "
                "give the job's role leave to delete objects below OUT"
            )

    retry.call(delete, f"removing from {place}")
