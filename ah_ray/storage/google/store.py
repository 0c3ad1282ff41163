"""Objects in Google Cloud Storage, through Google's own client.

An object's generation names one version of its content, and is its etag in this project: Google's
own etags also change with the metadata. Each range is read, and the lease replaced and removed, on
the condition that the object still has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from google.cloud.storage import Blob

from ah_ray.errors import ObjectChanged, ObjectMissing
from ah_ray.naming import name_in_message
from ah_ray.storage import retry
from ah_ray.storage.conditional_writes import check_present, write_or_recognise
from ah_ray.storage.entry import Entry
from ah_ray.storage.google.client import bucket_of, object_at, one_request
from ah_ray.storage.google.errors import translate_errors
from ah_ray.storage.ranged import copy_version, open_version
from ah_ray.storage.removal import remove_each, remove_version
from ah_ray.storage.uri import as_folder, parent

T = TypeVar("T")

_PAGE = 1_000
_ABSENT = "0"  # the generation of an object that is not there
_NEVER = 1  # and one that no object has
_FIELDS = "items(name,size,generation,updated),prefixes,nextPageToken"


def _call(doing: str, uri: str, action: Callable[[], T]) -> T:
    """Return `action()`, with its errors translated and with retries."""
    return retry.retry_translated(action, translate_errors, doing, uri)


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    found_any = False
    for page, _ in _pages(prefix, None):
        found_any = found_any or bool(page)
        entries = [_entry(_uri(prefix, found.name), prefix, found) for found in page]
        entries = [entry for entry in entries if not _is_folder(entry)]
        if entries:
            yield entries
    if not found_any:
        raise ObjectMissing(
            f"listing {name_in_message(prefix)}: nothing in the bucket has a name that begins so"
        )


def list_folders(prefix: str) -> Iterator[str]:
    for _, folders in _pages(prefix, "/"):
        for name in sorted(folders):
            yield name.rstrip("/").rpartition("/")[2]


def _pages(prefix: str, delimiter: str | None) -> Iterator[tuple[list[Blob], set[str]]]:
    """Yield what is below a folder, or with a delimiter right below it: objects and folders."""
    bucket, folder = bucket_of(prefix)
    folder = as_folder(folder) if folder else ""
    place: dict[str, Any] = {"prefix": folder, "delimiter": delimiter, "fields": _FIELDS}
    token = None

    def fetch() -> tuple[list[Blob], set[str], str | None]:
        listed = bucket.list_blobs(page_size=_PAGE, page_token=token, **place, **one_request())
        page = list(next(listed.pages, ()))
        return page, listed.prefixes, listed.next_page_token

    while True:
        page, folders, token = _call("listing", prefix, fetch)
        yield page, folders
        if not token:
            return


def _uri(prefix: str, key: str) -> str:
    bucket = prefix.removeprefix("gs://").partition("/")[0]
    return f"gs://{bucket}/{key}"


def _is_folder(entry: Entry) -> bool:
    """Return whether an object stands for a folder, as the console writes them."""
    return entry.uri.endswith("/") and entry.size_bytes == 0


def _entry(uri: str, prefix: str, found: Blob) -> Entry:
    return Entry(
        uri=uri,
        key=uri.removeprefix(as_folder(prefix)),
        size_bytes=found.size,
        etag=str(found.generation),
        last_modified=found.updated,
    )


def stat(uri: str) -> Entry:
    handle = object_at(uri)
    _call("reading", uri, lambda: handle.reload(**one_request()))
    return _entry(uri, parent(uri), handle)


def read_bytes(uri: str) -> bytes:
    return read_versioned(uri)[0]


def read_versioned(uri: str) -> tuple[bytes, str]:
    handle = object_at(uri)
    data = _read(uri, handle)
    return data, str(handle.generation)


def read_range(uri: str, start: int, stop: int, *, etag: str | None) -> bytes:
    handle = object_at(uri)
    data = _read(uri, handle, start=start, end=stop - 1, **_matching(etag))
    _check_version(uri, handle, etag)  # some servers with this protocol ignore the condition
    return data


def _read(uri: str, handle: Blob, **wanted: Any) -> bytes:
    """Return the stored bytes. `raw`: an object with Content-Encoding gzip is not unpacked."""
    options = {**wanted, "raw_download": True}
    data: bytes = _call(
        "reading", uri, lambda: handle.download_as_bytes(**options, **one_request())
    )
    return data


def _check_version(uri: str, handle: Blob, etag: str | None) -> None:
    """Raise ObjectChanged if a response was of another generation than this one."""
    if etag is not None and str(handle.generation) != etag:
        raise ObjectChanged(
            f"reading {name_in_message(uri)}: it is no longer the object that was listed"
        )


def _matching(etag: str | None) -> dict[str, int]:
    """Return the condition that the object has this generation; none for None."""
    if etag is None:
        return {}
    return {"if_generation_match": int(etag) if etag.isdecimal() else _NEVER}


def open_read(uri: str) -> BinaryIO:
    """Open a file that reads ranges of the version that is there now."""
    return open_version(stat(uri), read_range)


def download(uri: str, path: Path, *, etag: str | None, size_bytes: int | None) -> None:
    found = stat(uri)
    read = partial(read_range, uri, etag=found.etag)
    copy_version(found, read, path, etag=etag, size_bytes=size_bytes)


def write_whole(uri: str, data: bytes) -> None:
    _upload(uri, data)


def write_file(uri: str, path: Path) -> None:
    _upload(uri, path)


def replace_file(uri: str, path: Path, etag: str | None) -> None:
    check_present(uri, etag, stat)  # some servers ignore the condition of a large upload
    _upload(uri, path, **_matching(_ABSENT if etag is None else etag))


def create_exclusive(uri: str, data: bytes) -> str:
    return _upload_if(uri, data, _ABSENT)


def replace_if(uri: str, data: bytes, etag: str) -> str:
    return _upload_if(uri, data, etag)


def _upload_if(uri: str, data: bytes, etag: str) -> str:
    write = partial(_upload, uri, data, **_matching(etag))
    return write_or_recognise(write, partial(read_versioned, uri), data)


def _upload(uri: str, data: bytes | Path, **condition: int) -> str:
    """Write an object, which appears when it is whole. Return its generation."""
    handle = object_at(uri)

    def upload() -> None:
        options = {"checksum": "crc32c", **condition, **one_request()}
        if isinstance(data, bytes):
            handle.upload_from_string(data, "application/octet-stream", **options)
        else:
            handle.upload_from_filename(str(data), "application/octet-stream", **options)

    _call("writing", uri, upload)
    return str(handle.generation)


def remove_if(uri: str, etag: str) -> None:
    remove_version(uri, lambda it: _delete(it, **_matching(etag)), stat)


def remove(uris: Iterable[str]) -> None:
    remove_each(_delete, uris)


def _delete(uri: str, **condition: int) -> None:
    handle = object_at(uri)
    _call("removing", uri, lambda: handle.delete(**condition, **one_request()))
