"""Where the recordings are that annotations name, and their ids.

With --videos they are looked for among the videos of that cohort: by video_id, by path, then by the
name of the file alone. Without, beside the annotations, and where these say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from ah_ray import storage
from ah_ray.cohort import open_cohort
from ah_ray.cohort.identity import video_id_of
from ah_ray.cohort.manifest import resolve_uri
from ah_ray.errors import ConfigError

_SLASHES = re.compile(r"[\\/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlace:
    """Where a recording is, its id, and its path below the folder that the id is made from."""

    uri: str
    video_id: str
    key: str


class MediaPlaces:
    """Finds recordings by the names that annotations have for them."""

    def __init__(self, source: str, videos: str | None, id_key: bytes | None):
        """`source` is the folder of the annotations, `videos` what --videos names."""
        self._source, self._videos, self._id_key = source, videos, id_key
        self._by_name: dict[str, MediaPlace | None] = {}  # None: several are called so
        self._known: dict[tuple[str, ...], MediaPlace | None] = {}
        if videos is not None:
            self._list_cohort(storage.normalise(videos))

    def find(self, names: Sequence[str], folder: str, video_id: str | None) -> MediaPlace | None:
        """Return the recording that is called so in a file of this folder; None if there is none.

        `video_id` is the recording's where an export of ours is annotated. Raise StorageError if
        storage does not say.
        """
        key = (folder, video_id or "", *names)
        if key not in self._known:
            self._known[key] = (
                self._in_cohort(names, video_id)
                if self._videos
                else self._beside(names, folder, video_id)
            )
        return self._known[key]

    def _list_cohort(self, root: str) -> None:
        for video in open_cohort(root, id_key=self._id_key):
            path = video.uri.removeprefix(storage.as_folder(root))
            place = MediaPlace(uri=video.uri, video_id=video.video_id, key=path)
            for name in (video.video_id, video.uri, path):
                self._by_name[name] = place
            base = f"/{_base_name(video.uri)}"  # no path of a cohort begins so
            self._by_name[base] = None if base in self._by_name else place

    def _in_cohort(self, names: Sequence[str], video_id: str | None) -> MediaPlace | None:
        if video_id is not None and (place := self._by_name.get(video_id)) is not None:
            return place
        for path in _paths_of(names):
            base = _base_name(path)
            for known in (path, base.rpartition(".")[0] or base, f"/{base}"):
                if (place := self._by_name.get(known)) is not None:
                    return place
        return None

    def _beside(self, names: Sequence[str], folder: str, video_id: str | None) -> MediaPlace | None:
        for uri in _candidates(_paths_of(names), folder):
            if storage.exists(uri):
                path = uri.removeprefix(storage.as_folder(self._source))
                return MediaPlace(
                    uri=uri, video_id=video_id or video_id_of(path, self._id_key), key=path
                )
        return None


def _candidates(paths: Sequence[str], folder: str) -> Iterator[str]:
    """Yield the places where a recording may be: where its names say, then beside the file."""
    for path in paths:
        try:
            yield resolve_uri(path, folder)
        except ConfigError:  # a place that a file may not name, or one on another machine
            continue
    for path in paths:
        if (base := _base_name(path)) not in ("", ".", ".."):
            yield storage.join(folder, base)


def _paths_of(names: Sequence[str]) -> list[str]:
    """Return the paths and URIs that a tool's URLs stand for: as they are, and unescaped."""
    paths: dict[str, None] = {}
    for name in names:
        path = name
        if name.startswith("file:"):
            path = re.sub(r"^/(?=\./|[A-Za-z]:)", "", re.sub(r"^file:(?://)?", "", name))
        path = path.removeprefix("./")
        paths[path] = None
        if "%" in path:
            paths[unquote(path, errors="surrogateescape")] = None
    return list(paths)


def _base_name(path: str) -> str:
    return _SLASHES.split(path)[-1]
