"""Azure's blobs, through Azure's own client.

An etag names one version of a blob. Each range is read, and the lease replaced and removed, on the
condition that the blob still has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from azure.core import MatchConditions
from azure.storage.blob import BlobPrefix, BlobProperties

from ah_ray.errors import ObjectMissing
from ah_ray.naming import name_in_message
from ah_ray.storage import retry
from ah_ray.storage.azure.client import blob, container_and_key, time_limits
from ah_ray.storage.azure.errors import translate_errors
from ah_ray.storage.conditional_writes import write_or_recognise
from ah_ray.storage.entry import Entry
from ah_ray.storage.ranged import copy_version, open_version
from ah_ray.storage.removal import remove_each, remove_version
from ah_ray.storage.uri import as_folder, parent

T = TypeVar("T")

_PAGE = 1_000


def _call(doing: str, uri: str, action: Callable[[], T]) -> T:
    """Return `action()`, with its errors translated and with retries."""
    return retry.retry_translated(action, translate_errors, doing, uri)


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    found_any = False
    for page in _pages(prefix, None):
        found_any = found_any or bool(page)
        entries = [
            _entry(_uri(prefix, found.name), prefix, found)
            for found in page
            if not _is_folder(found)
        ]
        if entries:
            yield entries
    if not found_any:
        raise ObjectMissing(
            f"listing {name_in_message(prefix)}: nothing in the container has a name that begins so"
        )


def list_folders(prefix: str) -> Iterator[str]:
    for page in _pages(prefix, "/"):
        for found in page:
            if isinstance(found, BlobPrefix):
                yield found.name.rstrip("/").rpartition("/")[2]


def _pages(prefix: str, delimiter: str | None) -> Iterator[list[Any]]:
    """Yield the blobs below a folder, or with a delimiter what is right below it, page by page."""
    container, folder = container_and_key(prefix)
    folder = as_folder(folder) if folder else ""
    place: dict[str, Any] = {"name_starts_with": folder, "results_per_page": _PAGE}
    token = None

    def fetch() -> tuple[list[Any], str | None]:
        listed: Any  # pages of the two have a token, which their types do not know
        if delimiter:
            listed = container.walk_blobs(delimiter=delimiter, **place, **time_limits())
        else:
            listed = container.list_blobs(include=["metadata"], **place, **time_limits())
        pages = listed.by_page(token)
        return list(next(pages, ())), pages.continuation_token

    while True:
        page, token = _call("listing", prefix, fetch)
        yield page
        if not token:
            return


def _uri(prefix: str, key: str) -> str:
    store = prefix.removeprefix("az://").partition("/")[0]
    return f"az://{store}/{key}"


def _is_folder(found: BlobProperties) -> bool:
    """Return whether a blob stands for a folder, as tools and hierarchical accounts write them."""
    marked = (found.metadata or {}).get("hdi_isfolder", "").lower() == "true"
    return marked or (found.name.endswith("/") and found.size == 0)


def _entry(uri: str, prefix: str, found: BlobProperties) -> Entry:
    return Entry(
        uri=uri,
        key=uri.removeprefix(as_folder(prefix)),
        size_bytes=found.size,
        etag=found.etag.strip('"'),
        last_modified=found.last_modified,
    )


def stat(uri: str) -> Entry:
    client = blob(uri)
    found = _call("reading", uri, lambda: client.get_blob_properties(**time_limits()))
    if _is_folder(found):
        raise ObjectMissing(f"reading {name_in_message(uri)}: it is a folder")
    return _entry(uri, parent(uri), found)


def read_bytes(uri: str) -> bytes:
    return read_versioned(uri)[0]


def read_versioned(uri: str) -> tuple[bytes, str]:
    client = blob(uri)

    def read() -> tuple[bytes, str]:
        reader = client.download_blob(max_concurrency=1, **time_limits())
        return reader.readall(), reader.properties.etag.strip('"')

    return _call("reading", uri, read)


def read_range(uri: str, start: int, stop: int, *, etag: str | None) -> bytes:
    client = blob(uri)

    def read() -> bytes:
        reader = client.download_blob(
            start, stop - start, validate_content="md5", **_matching(etag), **time_limits()
        )
        data: bytes = reader.readall()
        if len(data) != reader.size:
            raise retry.Transient(f"{len(data)} of {reader.size} bytes came")
        return data

    return _call("reading", uri, read)


def _matching(etag: str | None) -> dict[str, Any]:
    """Return the condition that the blob has this etag; none for None."""
    if etag is None:
        return {}
    return {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}


def open_read(uri: str) -> BinaryIO:
    """Open a file that reads ranges of the version that is there now."""
    return open_version(stat(uri), read_range)


def download(uri: str, path: Path, *, etag: str | None, size_bytes: int | None) -> None:
    found = stat(uri)
    read = partial(read_range, uri, etag=found.etag)
    copy_version(found, read, path, etag=etag, size_bytes=size_bytes)


def write_whole(uri: str, data: bytes) -> None:
    _upload(uri, data, overwrite=True)


def write_file(uri: str, path: Path) -> None:
    _upload_file(uri, path, overwrite=True)


def replace_file(uri: str, path: Path, etag: str | None) -> None:
    _upload_file(uri, path, overwrite=etag is not None, **_matching(etag))


def create_exclusive(uri: str, data: bytes) -> str:
    write = partial(_upload, uri, data, overwrite=False)
    return write_or_recognise(write, partial(read_versioned, uri), data)


def replace_if(uri: str, data: bytes, etag: str) -> str:
    write = partial(_upload, uri, data, overwrite=True, **_matching(etag))
    return write_or_recognise(write, partial(read_versioned, uri), data)


def _upload_file(uri: str, path: Path, **condition: Any) -> None:
    with path.open("rb") as file:
        _upload(uri, file, length=path.stat().st_size, **condition)


def _upload(uri: str, data: bytes | BinaryIO, **options: Any) -> str:
    """Write a blob; a large one in blocks, which become the blob all at once. Return its etag."""
    client = blob(uri)

    def upload() -> str:
        if not isinstance(data, bytes):
            data.seek(0)
        written = client.upload_blob(data, **options, **time_limits())
        return str(written["etag"]).strip('"')

    return _call("writing", uri, upload)


def remove_if(uri: str, etag: str) -> None:
    remove_version(uri, lambda it: _delete(it, **_matching(etag)), stat)


def remove(uris: Iterable[str]) -> None:
    remove_each(_delete, uris)


def _delete(uri: str, **condition: Any) -> None:
    """Delete a blob and its snapshots: a person who withdraws must not stay in these."""
    client = blob(uri)
    options = {"delete_snapshots": "include", **condition, **time_limits()}
    _call("removing", uri, partial(client.delete_blob, **options))
