"""What storage knows of the videos that a manifest names: listed in bulk, or one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import takewhile

from ah_ray import storage
from ah_ray.cohort.listing import video_of
from ah_ray.cohort.manifest import Listed
from ah_ray.errors import ErrorKind, ObjectDenied, ObjectMissing
from ah_ray.records import Video

_THREADS = 16
_BATCH = 1_000
_LISTING_PAYS_FROM = 20  # entries
_NOT_LISTED = object()
_ENTRIES_PER_PAGE = 10  # a page of a listing costs about as much time as this many single looks


def look_up(listed: Sequence[Listed]) -> Iterator[list[Video]]:
    """The videos of a manifest, in its order, some at a time.

    One that is not there, or may not be read, comes with its `problem_kind`. Raises StorageError
    for what is no fault of a video.
    """
    known = _list_where_it_pays(listed)
    with ThreadPoolExecutor(_THREADS) as threads:
        for start in range(0, len(listed), _BATCH):
            batch = listed[start : start + _BATCH]
            yield list(threads.map(lambda one: _video(one, known), batch))


def _video(one: Listed, known: dict[str, storage.Entry | None]) -> Video:
    """`known` holds None for what a whole listing of its folder did not show; it is used up."""
    try:
        entry = known.pop(one.uri, _NOT_LISTED)
        if entry is _NOT_LISTED:
            entry = storage.stat(one.uri)
    except ObjectMissing as error:
        return _unreadable(one, ErrorKind.MISSING, str(error))
    except ObjectDenied as error:
        return _unreadable(one, ErrorKind.DENIED, str(error))
    if entry is None:
        return _unreadable(one, ErrorKind.MISSING, f"{one.uri}: there is no such object")
    return video_of(entry, one.video_id)


def _unreadable(one: Listed, kind: ErrorKind, problem: str) -> Video:
    return Video(
        video_id=one.video_id,
        uri=one.uri,
        etag=None,
        size_bytes=None,
        last_modified=None,
        problem_kind=kind,
        problem=problem,
    )


def _list_where_it_pays(listed: Sequence[Listed]) -> dict[str, storage.Entry | None]:
    """Entries by URI, from listing the folder that all of a bucket's videos share.

    A listing is given up when it has cost as much as looking at each would: the folder holds far
    more than the manifest names. Local files are never listed: a look at each is as cheap.
    """
    by_bucket: dict[str, list[str]] = defaultdict(list)
    for one in listed:
        if storage.scheme(one.uri) != "file":
            by_bucket["/".join(one.uri.split("/", 3)[:3])].append(one.uri)
    known: dict[str, storage.Entry | None] = {}
    for uris in by_bucket.values():
        if len(uris) >= _LISTING_PAYS_FROM:
            known.update(_listed_below(common_folder(min(uris), max(uris)), uris))
    return known


def common_folder(first: str, last: str) -> str:
    """The deepest folder that holds both, and so all that sort between them."""
    parts = list(zip(first.split("/")[:-1], last.split("/")[:-1], strict=False))
    return "/".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], parts))


def _listed_below(folder: str, uris: Sequence[str]) -> dict[str, storage.Entry | None]:
    """Of `uris`, those that were met; the others are None only if the listing was whole."""
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
        return met  # a look at each tells which of the two it is
    return dict.fromkeys(wanted) | met
