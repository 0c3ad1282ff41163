"""Decode the windows of a video for training, with the decoder of the nightly job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ah_ray import clip_tables, storage
from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, ObjectDenied, ObjectMissing, VideoError
from ah_ray.media.decode import decode
from ah_ray.media.local_video import open_video
from ah_ray.media.windows import Given
from ah_ray.profile import Profile
from ah_ray.records import Clip, Video

VISITED = pa.schema([("visit", pa.int64()), ("last", pa.bool_()), *clip_tables.FIELDS])
"""What a visit returns: each window as a clip whose index is its place in `spans`, then a last row.

The last row has `last`, and the reason if nothing of the video could be decoded.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitSettings:
    profile: Profile
    limits: Limits


class WindowsDecoder:
    """Decode one video after another; what is wrong with one becomes a row, not an exception.

    A visit is a row of `visit` (its number), `uri`, and `spans`, by their start: structs of start_s
    and end_s. It returns rows of VISITED.
    """

    def __init__(self, settings: VisitSettings):
        self._profile = settings.profile
        self._limits = settings.limits

    def __call__(self, visits: pa.Table) -> Iterator[pa.Table]:
        for visit in visits.to_pylist():
            problem: dict[str, str] = {}
            try:
                yield from self._decode_visit(visit)
            except VideoError as error:
                problem = {"error_kind": error.kind, "error": str(error)}
            yield clip_tables.make_row(VISITED, visit=visit["visit"], last=True, **problem)

    def _decode_visit(self, visit: dict[str, Any]) -> Iterator[pa.Table]:
        spans = Given.of([(span["start_s"], span["end_s"]) for span in visit["spans"]])
        with (
            open_video(_find_video(visit["uri"]), self._limits) as file,
            closing(
                decode(file, profile=self._profile, windows=spans, limits=self._limits)
            ) as parts,
        ):
            for part in parts:
                if isinstance(part, Clip):
                    columns = clip_tables.clip_columns(part)
                    yield clip_tables.make_row(VISITED, visit=visit["visit"], last=False, **columns)
                elif not part.n_clips and part.error_kind:
                    raise VideoError(part.error_kind, part.error or "")


def _find_video(uri: str) -> Video:
    try:
        found = storage.stat(uri)
    except ObjectMissing:
        raise VideoError(ErrorKind.MISSING, "there is no such object") from None
    except ObjectDenied:
        raise VideoError(ErrorKind.DENIED, "reading the object is not permitted") from None
    return Video(
        video_id="",  # nobody asks it here
        uri=uri,
        etag=found.etag,
        size_bytes=found.size_bytes,
        last_modified=found.last_modified,
    )
