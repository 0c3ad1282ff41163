"""The cohort of a prefix: every object below it whose name has the ending of a video."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ah_ray import storage
from ah_ray.records import Video

_EXAMPLES = 3
_ENDINGS = 30
NO_ENDING = "(no ending)"
NOT_UTF8 = "(name is not UTF-8)"
OTHERS = "(other endings)"
OF_MACOS = "._* (notes of macOS about a file)"


@dataclass(slots=True)
class Ignored:
    """Counts of the objects below the prefix that are not scored, for the summary."""

    count: Counter[str] = field(default_factory=Counter)  # by ending, lower case
    examples: dict[str, list[str]] = field(default_factory=dict)  # some keys of each ending

    def add(self, ending: str, key: str) -> None:
        """Count one, and keep its key if there are few examples of its ending."""
        if ending not in self.count and len(self.count) >= _ENDINGS:
            ending = OTHERS
        self.count[ending] += 1
        examples = self.examples.setdefault(ending, [])
        if len(examples) < _EXAMPLES:
            examples.append(key)

    def __len__(self) -> int:
        return self.count.total()


def is_utf8(name: str) -> bool:
    """Return False for a local name whose bytes are not UTF-8: no column can hold it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def list_videos(
    prefix: str,
    *,
    endings: Sequence[str],
    identify: Callable[[str], str],
    ignored: Ignored,
    exclude: str | None = None,
) -> Iterator[list[Video]]:
    """Yield the videos below a prefix, page by page. Count all other objects in `ignored`.

    `endings` are compared in lower case. Objects below the folder `exclude` (the OUT of this run,
    if it is within the prefix) are skipped.
    """
    wanted = tuple(ending.lower() for ending in endings)
    own = storage.as_folder(storage.normalise(exclude)) if exclude else None
    for page in storage.list_pages(prefix):
        videos = []
        for entry in page:
            if own and entry.uri.startswith(own):
                continue
            if not is_utf8(entry.key):
                ignored.add(NOT_UTF8, ascii(entry.key))
            elif entry.key.rpartition("/")[2].startswith("._"):
                ignored.add(OF_MACOS, entry.key)
            elif entry.is_folder or entry.key.lower().endswith(wanted):
                videos.append(make_video(entry, identify(entry.key)))
            else:
                ignored.add(_ending(entry.key), entry.key)
        if videos:
            yield videos


def _ending(key: str) -> str:
    """Return the ending if it looks like one: other text after a dot may name a person."""
    suffix = PurePosixPath(key).suffix.lower()
    if not suffix:
        return NO_ENDING
    return suffix if _PLAIN_ENDING.fullmatch(suffix) else OTHERS


_PLAIN_ENDING = re.compile(r"\.[a-z0-9]{1,8}", re.ASCII)


def make_video(entry: storage.Entry, video_id: str) -> Video:
    """Return the video of a listed object, or of a folder that may not be listed."""
    return Video(
        video_id=video_id,
        uri=entry.uri,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        last_modified=entry.last_modified,
        problem_kind=entry.problem_kind,
        problem=entry.problem,
    )
