"""Thumbnails: a picture from the middle of each of a video's highest clips.

They show people, so they are made only with `--with-frames`, and only from the content that was
scored: a recording that has changed since has none.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, Interrupted, ObjectChanged, StorageError, VideoError
from ah_ray.media.decode import decode
from ah_ray.media.jpeg import encode_jpeg
from ah_ray.media.local_video import open_video
from ah_ray.media.windows import Given
from ah_ray.profile import Profile
from ah_ray.records import Clip, Video

PER_VIDEO = 3
Row = dict[str, Any]
_LOOK = Profile(
    name="thumbnails",
    user="<video><audio>",
    fps=0.4,
    min_frames=2,
    min_pixels=32 * 32,
    max_pixels=192 * 128,
    second_per_grid=1.0,
)
"""How pictures are picked and sized. No model sees them."""

_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnails:
    """Pictures of videos, and why others have none. Each scored video is in one of the fields."""

    by_video: dict[str, dict[int, str]]  # video_id → clip_index → JPEG in base64
    missing: dict[str, str]  # video_id → why; may name the recording


def take_thumbnails(
    verdicts: pa.Table, clips: pa.Table, progress: Callable[[], None] = lambda: None
) -> Thumbnails:
    """Return pictures of rows of VERDICTS and CLIPS. Call `progress` after each video."""
    highest = _highest_clips(clips)
    rows = [
        row
        for row in verdicts.select(
            ["video_id", "uri", "etag", "size_bytes", "last_modified"]
        ).to_pylist()
        if row["video_id"] in highest
    ]
    found: dict[str, dict[int, str]] = {}
    missing: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as threads:
        for row, pictures in threads.map(lambda row: (row, _take(row, highest)), rows):
            progress()
            if isinstance(pictures, str):
                missing[row["video_id"]] = pictures
            else:
                found[row["video_id"]] = pictures
    return Thumbnails(by_video=found, missing=missing)


def _highest_clips(clips: pa.Table) -> dict[str, list[Row]]:
    """Return the PER_VIDEO clips with the highest p_ah of each video, in the order of time."""
    good = clips.filter(pc.is_valid(clips["p_ah"]))
    good = good.select(["video_id", "clip_index", "start_s", "end_s", "p_ah"]).to_pylist()
    return {
        video_id: sorted(
            sorted(some, key=lambda clip: -clip["p_ah"])[:PER_VIDEO], key=itemgetter("start_s")
        )
        for video_id, some in groupby(good, itemgetter("video_id"))
    }


def _take(row: Row, highest: dict[str, list[Row]]) -> dict[int, str] | str:
    """Return pictures by clip_index, or why there is none."""
    wanted = highest[row["video_id"]]
    try:
        pictures = {
            wanted[place]["clip_index"]: base64.b64encode(picture).decode()
            for place, picture in _decoded(Video(**row), wanted)
        }
    except ObjectChanged:
        return "the recording is no longer what was scored"
    except (VideoError, StorageError, Interrupted) as error:
        is_gone = isinstance(error, VideoError) and error.kind is ErrorKind.MISSING
        return "the recording is no longer where it was scored" if is_gone else str(error)
    return pictures or "no picture of its highest clips could be decoded"


def _decoded(video: Video, wanted: list[Row]) -> Iterator[tuple[int, bytes]]:
    spans = Given.of([(clip["start_s"], clip["end_s"]) for clip in wanted])
    limits = Limits()
    with (
        open_video(video, limits) as file,
        closing(decode(file, profile=_LOOK, windows=spans, limits=limits)) as parts,
    ):
        for part in parts:
            if isinstance(part, Clip) and part.frames is not None:
                yield part.clip_index, encode_jpeg(part.frames[len(part.frames) // 2])
