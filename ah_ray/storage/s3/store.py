"""Amazon S3 and stores with its protocol, through the client of s3fs.

Only the client comes from s3fs. Its file system is not used: it reads `?` and trailing slashes in
keys as syntax, caches listings without a limit, and drops conditions that it does not know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ah_ray.errors import ObjectMissing, StorageError
from ah_ray.naming import name_in_message
from ah_ray.storage import retry
from ah_ray.storage.conditional_writes import check_present, write_or_recognise
from ah_ray.storage.entry import Entry
from ah_ray.storage.ranged import open_version
from ah_ray.storage.s3.client import Response, run_coroutine, send_once, send_request
from ah_ray.storage.s3.download import download_version
from ah_ray.storage.s3.etags import send_if_match
from ah_ray.storage.s3.parts import PART_BYTES, write_parts
from ah_ray.storage.uri import bucket_and_key

T = TypeVar("T")

_PAGE = 1_000  # entries that one answer to a listing holds, at most
_BULK = 1_000  # keys that one DeleteObjects takes


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    bucket, folder = bucket_and_key(prefix)
    folder = folder.rstrip("/") + "/" if folder else ""
    place: dict[str, Any] = {"Bucket": bucket, "Prefix": folder, "MaxKeys": _PAGE}
    page = send_request("listing", prefix, "list_objects_v2", **place)
    if not page.get("Contents"):
        raise ObjectMissing(
            f"listing {name_in_message(prefix)}: nothing in the bucket has a name that begins so"
        )
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
        page = send_request("listing", prefix, "list_objects_v2", **place)


def list_folders(prefix: str) -> Iterator[str]:
    bucket, folder = bucket_and_key(prefix)
    folder = folder.rstrip("/") + "/" if folder else ""
    place: dict[str, Any] = {"Bucket": bucket, "Prefix": folder, "Delimiter": "/", "MaxKeys": _PAGE}
    while True:
        page = send_request("listing", prefix, "list_objects_v2", **place)
        for found in page.get("CommonPrefixes", ()):
            yield found["Prefix"].removeprefix(folder).rstrip("/")
        if not page.get("IsTruncated"):
            return
        place["ContinuationToken"] = page["NextContinuationToken"]


def _entry(bucket: str, key: str, n_folder: int, size_bytes: int, found: Response) -> Entry:
    return Entry(
        uri=f"s3://{bucket}/{key}",
        key=key[n_folder:],
        size_bytes=size_bytes,
        etag=found["ETag"].strip('"'),
        last_modified=found["LastModified"],
    )


def stat(uri: str) -> Entry:
    bucket, key = _bucket_and_key(uri)
    found = send_request("reading", uri, "head_object", Bucket=bucket, Key=key)
    return _entry(bucket, key, key.rfind("/") + 1, found["ContentLength"], found)


def _bucket_and_key(uri: str) -> tuple[str, str]:
    bucket, key = bucket_and_key(uri)
    if not key:
        raise ObjectMissing(f"{name_in_message(uri)} is a bucket, not an object in it")
    return bucket, key


def read_bytes(uri: str) -> bytes:
    return read_versioned(uri)[0]


def read_versioned(uri: str) -> tuple[bytes, str]:
    return retry.retry_call(lambda: _get(uri), f"reading {name_in_message(uri)}")


def _get(uri: str, **condition: str) -> tuple[bytes, str]:
    """Return the object, or the range that `condition` names, and its etag. Sends one request."""
    bucket, key = _bucket_and_key(uri)

    async def get(client: Any) -> tuple[bytes, str]:
        response = await client.get_object(Bucket=bucket, Key=key, **condition)
        async with response["Body"] as body:
            data = await body.read()
        if len(data) != response["ContentLength"]:
            raise retry.Transient(f"{len(data)} of {response['ContentLength']} bytes came")
        return data, response["ETag"].strip('"')

    timeout_s = retry.current_patience().call_timeout_s
    found: tuple[bytes, str] = run_coroutine("reading", uri, get, timeout_s=timeout_s)
    return found


def read_range(uri: str, start: int, stop: int, *, etag: str | None) -> bytes:
    wanted = {"Range": f"bytes={start}-{stop - 1}"}

    def get(**condition: str) -> bytes:
        return retry.retry_call(
            lambda: _get(uri, **wanted, **condition)[0], f"reading {name_in_message(uri)}"
        )

    if etag is None:
        return get()
    return _send_if_match(uri, "get_object", etag, lambda value: get(IfMatch=value))


def _send_if_match(uri: str, operation: str, etag: str, send: Callable[[str], T]) -> T:
    """Return `send(value of If-Match)`, in the form that this store accepts."""
    bucket, key = _bucket_and_key(uri)

    def present() -> str:
        response = send_request("reading", uri, "head_object", Bucket=bucket, Key=key)
        return str(response["ETag"])

    return send_if_match(bucket, operation, etag, send, present)


def open_read(uri: str) -> BinaryIO:
    """Open a file that reads ranges of the version that is there now."""
    return open_version(stat(uri), read_range)


def download(
    uri: str, path: Path, *, etag: str | None, size_bytes: int | None, n_streams: int = 1
) -> None:
    if etag is None or size_bytes is None:
        entry = stat(uri)
        etag = etag or entry.etag or ""
        size_bytes = (entry.size_bytes or 0) if size_bytes is None else size_bytes
    bucket, key = _bucket_and_key(uri)
    matching = partial(_send_if_match, uri, "get_object", etag)
    with path.open("wb", buffering=0) as file:
        download_version(bucket, key, file.fileno(), size_bytes, matching, n_streams)


def write_whole(uri: str, data: bytes) -> None:
    bucket, key = _bucket_and_key(uri)
    send_request("writing", uri, "put_object", Bucket=bucket, Key=key, Body=data)


def write_file(uri: str, path: Path) -> None:
    """Write a large file in parts. A part that fails is sent again, not the whole file."""
    if path.stat().st_size <= PART_BYTES:
        write_whole(uri, path.read_bytes())
    else:
        write_parts(uri, path)


def replace_file(uri: str, path: Path, etag: str | None) -> None:
    if path.stat().st_size > PART_BYTES:
        check_present(uri, etag, stat)  # some stores ignore the condition of a write in parts

    def write(**condition: str) -> None:
        bucket, key = _bucket_and_key(uri)
        if path.stat().st_size > PART_BYTES:
            write_parts(uri, path, **condition)
        else:
            fields = {"Bucket": bucket, "Key": key, "Body": path.read_bytes(), **condition}
            send_request("writing", uri, "put_object", **fields)

    if etag is None:
        write(IfNoneMatch="*")
    else:
        _send_if_match(uri, "put_object", etag, lambda value: write(IfMatch=value))


def create_exclusive(uri: str, data: bytes) -> str:
    return _put_if(uri, data, IfNoneMatch="*")


def replace_if(uri: str, data: bytes, etag: str) -> str:
    return _send_if_match(uri, "put_object", etag, lambda value: _put_if(uri, data, IfMatch=value))


def _put_if(uri: str, data: bytes, **condition: str) -> str:
    bucket, key = _bucket_and_key(uri)
    fields = {"Bucket": bucket, "Key": key, "Body": data, **condition}

    def put() -> str:
        return str(send_request("writing", uri, "put_object", **fields)["ETag"]).strip('"')

    return write_or_recognise(put, partial(read_versioned, uri), data)


def remove_if(uri: str, etag: str) -> None:
    bucket, key = _bucket_and_key(uri)

    def delete(value: str) -> None:
        send_request("removing", uri, "delete_object", Bucket=bucket, Key=key, IfMatch=value)

    _send_if_match(uri, "delete_object", etag, delete)


def remove(uris: Iterable[str]) -> None:
    keys = defaultdict(list)
    for uri in uris:
        bucket, key = _bucket_and_key(uri)
        keys[bucket].append({"Key": key})
    for bucket, found in keys.items():
        left = iter(found)
        while bulk := list(islice(left, _BULK)):
            _remove_bulk(bucket, bulk)


def _remove_bulk(bucket: str, keys: list[dict[str, str]]) -> None:
    place = f"s3://{bucket}"

    def delete() -> None:
        fields = {"Bucket": bucket, "Delete": {"Objects": keys, "Quiet": True}}
        kept = send_once("removing from", place, "delete_objects", **fields).get("Errors", ())
        if any(error["Code"] in ("InternalError", "SlowDown") for error in kept):
            raise retry.Transient(kept[0]["Code"])
        if kept:
            raise StorageError(
                f"removing {name_in_message(place + '/' + kept[0]['Key'])}: "
                f"{kept[0].get('Message', kept[0]['Code'])}; "
                "give the job's role leave to delete objects below OUT"
            )

    retry.retry_call(delete, f"removing from {name_in_message(place)}")
