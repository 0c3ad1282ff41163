"""The cohort of a prefix: every object below it whose name ends as a video's does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ah_ray import storage
from ah_ray.errors import ErrorKind
from ah_ray.records import Video

_EXAMPLES = 3
_ENDINGS = 30
NO_ENDING = "(no ending)"
NOT_UTF8 = "(name is not UTF-8)"
OTHERS = "(other endings)"


@dataclass(slots=True)
class Ignored:
    """What lies below the prefix and is not scored, for the summary: never dropped in silence."""

    count: Counter[str] = field(default_factory=Counter)  # by ending, lower case
    examples: dict[str, list[str]] = field(default_factory=dict)  # some keys of each ending

    def add(self, ending: str, key: str) -> None:
        if ending not in self.count and len(self.count) >= _ENDINGS:
            ending = OTHERS
        self.count[ending] += 1
        examples = self.examples.setdefault(ending, [])
        if len(examples) < _EXAMPLES:
            examples.append(key)

    def __len__(self) -> int:
        return self.count.total()


def is_utf8(name: str) -> bool:
    """False for a local name whose bytes are no text: no column can hold it."""
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
    """The videos below a prefix, page by page; all others go to `ignored`.

    `endings` are compared in lower case. What lies below the folder `exclude` (the OUT of this
    run, if it is within the prefix) is not looked at.
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
            elif entry.key.lower().endswith(wanted):
                videos.append(video_of(entry, identify(entry.key)))
            else:
                ignored.add(_ending(entry.key), entry.key)
        if videos:
            yield videos


def _ending(key: str) -> str:
    """Only what looks like one: the rest of a name after a dot may tell whose it is."""
    suffix = PurePosixPath(key).suffix.lower()
    if not suffix:
        return NO_ENDING
    return suffix if _PLAIN_ENDING.fullmatch(suffix) else OTHERS


_PLAIN_ENDING = re.compile(r"\.[a-z0-9]{1,8}", re.ASCII)


def video_of(entry: storage.Entry, video_id: str) -> Video:
    """What a listing tells of a video."""
    gone = entry.etag is None
    return Video(
        video_id=video_id,
        uri=entry.uri,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        last_modified=entry.last_modified,
        problem_kind=ErrorKind.MISSING if gone else None,
        problem="it is a link to nothing, or not a file" if gone else None,
    )
