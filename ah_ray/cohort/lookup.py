"""Looks up the videos of a manifest in storage: listed in bulk, or one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import takewhile
from typing import Any

from ah_ray import storage
from ah_ray.cohort.listing import make_video
from ah_ray.cohort.manifest import ManifestEntry
from ah_ray.errors import ErrorKind, ObjectDenied, ObjectMissing
from ah_ray.records import FROM_MANIFEST, Video

_LOOKED_UP_SINGLY = ("file", "http", "https")
_THREADS = 16
_BATCH = 1_000
_LISTING_PAYS_FROM = 20  # entries
_ENTRIES_PER_PAGE = 10  # listing a page takes about as long as this many single requests


def look_up_videos(listed: Sequence[ManifestEntry]) -> Iterator[list[Video]]:
    """Yield the videos of a manifest, in its order, some at a time.

    A video that is missing or may not be read has a `problem_kind`. Raise StorageError for faults
    that are not a single video's.
    """
    known = _list_shared_folders(listed)
    with ThreadPoolExecutor(_THREADS) as threads:
        for start in range(0, len(listed), _BATCH):
            batch = listed[start : start + _BATCH]
            yield list(threads.map(lambda one: _look_up_video(one, known), batch))


def _look_up_video(one: ManifestEntry, known: dict[str, storage.Entry | None]) -> Video:
    """Look up one video. `known` holds None for videos that a complete listing did not contain.

    Its entry is removed from `known`, which saves memory.
    """
    if one.problem is not None:
        return _unreadable_video(one, ErrorKind.REFUSED, one.problem)
    try:
        try:
            entry = known.pop(one.uri)
        except KeyError:
            entry = storage.stat(one.uri)
    except (ObjectMissing, ObjectDenied) as error:
        return _unreadable_video(one, error.kind, str(error))
    if entry is None:
        return _unreadable_video(one, ErrorKind.MISSING, f"{one.uri}: there is no such object")
    return replace(make_video(entry, one.video_id), **_columns(one))


def _columns(one: ManifestEntry) -> dict[str, Any]:
    return {name: getattr(one, name) for name in FROM_MANIFEST}


def _unreadable_video(one: ManifestEntry, kind: ErrorKind, problem: str) -> Video:
    return Video(
        video_id=one.video_id,
        uri=one.uri,
        etag=None,
        size_bytes=None,
        last_modified=None,
        problem_kind=kind,
        problem=problem,
        **_columns(one),
    )


def _list_shared_folders(listed: Sequence[ManifestEntry]) -> dict[str, storage.Entry | None]:
    """Return entries by URI, from listing the folder that all of a bucket's videos share.

    A listing stops when it has taken as long as looking up each video would: then the folder holds
    far more objects than the manifest names. Local files and web servers are never listed, because
    looking up each is as fast, or what a listing does anyway.
    """
    by_bucket: dict[str, list[str]] = defaultdict(list)
    for one in listed:
        if one.problem is None and storage.scheme(one.uri) not in _LOOKED_UP_SINGLY:
            by_bucket["/".join(one.uri.split("/", 3)[:3])].append(one.uri)
    known: dict[str, storage.Entry | None] = {}
    for uris in by_bucket.values():
        if len(uris) >= _LISTING_PAYS_FROM:
            known.update(_list_below(common_folder(min(uris), max(uris)), uris))
    return known


def common_folder(first: str, last: str) -> str:
    """Return the deepest folder that holds both, and so all objects that sort between them."""
    parts = list(zip(first.split("/")[:-1], last.split("/")[:-1], strict=False))
    return "/".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], parts))


def _list_below(folder: str, uris: Sequence[str]) -> dict[str, storage.Entry | None]:
    """Return the entries of listed `uris`. If the listing is complete, the others are None."""
    wanted = {uri: uri for uri in uris}
    met: dict[str, storage.Entry | None] = {}
    pages_left = len(uris) // _ENTRIES_PER_PAGE
    try:
        for page in storage.list_pages(folder):
            for entry in page:
                if uri := wanted.get(entry.uri):
                    met[uri] = replace(entry, uri=uri, key="")  # one string for each of a million
            pages_left -= 1
            if len(met) == len(wanted) or pages_left <= 0:
                return met
    except (ObjectMissing, ObjectDenied):
        return met  # looking up each shows which of the two it is
    return dict.fromkeys(wanted) | met
