"""The moments of a cohort for which an output has its highest, lowest or most doubtful scores.

from ah_ray.study.review.moments import Surest, surest_moments

for moment in surest_moments("s3://study/scores", top=10, surest=Surest.YES):
    print(moment.video.video_id, moment.start_s, moment.p_ah)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.output.config import OutputConfig, require_config
from ah_ray.output.stream import open_finished_tables
from ah_ray.output.table_files import Tables
from ah_ray.profile import NO, YES
from ah_ray.records import Video
from ah_ray.study.review.settings import Surest
from ah_ray.verdicts.verdict import clip_threshold_in_tables

_CLIP = ("video_id", "clip_index", "start_s", "end_s", "p_ah", "answer")
VIDEO_COLUMNS = ("video_id", "uri", "etag", "size_bytes", "last_modified")
_BATCH_ROWS = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A scored clip, or a whole video; times are in seconds from the video's first picture."""

    video: Video  # its uri is null if the output holds no names
    clip_index: int | None  # None: the whole video
    start_s: float
    end_s: float
    p_ah: float
    answer: str  # Yes or No


def surest_moments(out: str, *, top: int = 10, surest: Surest = Surest.YES) -> list[Moment]:
    """Return the `top` clips of an output, the surest first, or all if there are no more.

    Clips with equal scores are in the order of video_id and time. The table of clips is read once,
    in bounded memory. Raise ConfigError if `out` is not a finished output.
    """

    def rank(clips: pa.Table, config: OutputConfig) -> pa.Table:
        found = clips.filter(_wanted(clips, surest))
        threshold = clip_threshold_in_tables(config.reduction)
        return found.append_column("rank", _rank(found["p_ah"], surest, threshold))

    return _foremost_moments(out, top, _CLIP, rank)


def contrasting_moments(out: str, contrast: str, *, top: int = 10) -> list[Moment]:
    """Return the `top` clips of an output in which a contrast is largest, the largest first.

    Raise ConfigError if `out` is not a finished output, or has no such contrast.
    """

    def rank(clips: pa.Table, config: OutputConfig) -> pa.Table:
        known = {one.name for profile in config.profiles for one in profile.contrasts}
        if contrast not in known:
            raise ConfigError(
                f"{out} has no contrast {contrast}; it has {', '.join(sorted(known)) or 'none'}"
            )
        contrasts = clips["contrasts"].combine_chunks()
        name, distance = pc.list_flatten(contrasts).flatten()
        is_this = pc.equal(name, contrast)
        found = clips.take(pc.list_parent_indices(contrasts).filter(is_this))
        return found.append_column("rank", pc.negate(distance.filter(is_this)))

    return _foremost_moments(out, top, (*_CLIP, "contrasts"), rank)


def _foremost_moments(
    out: str,
    top: int,
    columns: tuple[str, ...],
    rank: Callable[[pa.Table, OutputConfig], pa.Table],
) -> list[Moment]:
    """Return the clips with the lowest ranks. `rank` adds a column of this name, and may filter."""
    out = storage.normalise(out)
    try:
        config = require_config(out)
        with open_finished_tables(out) as tables:
            clips = _foremost(tables, top, columns, lambda found: rank(found, config))
            videos = {
                row["video_id"]: video_in(row) for row in _rows_of(tables, clips, VIDEO_COLUMNS)
            }
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    return [Moment(video=videos[clip.pop("video_id")], **clip) for clip in clips.to_pylist()]


def _foremost(
    tables: Tables, top: int, columns: tuple[str, ...], rank: Callable[[pa.Table], pa.Table]
) -> pa.Table:
    kept = [*_CLIP, "rank"]
    best = rank(tables.clips.schema.empty_table().select(columns)).select(kept)
    for batch in tables.clips.batches(columns, _BATCH_ROWS):
        found = rank(pa.Table.from_batches([batch])).select(kept)
        order = [(name, "ascending") for name in ("rank", "video_id", "clip_index")]
        best = pa.concat_tables([best, found]).sort_by(order).slice(0, top)
    return best.drop_columns("rank")


def _wanted(clips: pa.Table, surest: Surest) -> pa.ChunkedArray:
    if surest is Surest.DOUBTFUL:
        return pc.is_valid(clips["p_ah"])
    return pc.fill_null(pc.equal(clips["answer"], YES if surest is Surest.YES else NO), False)


def _rank(p_ah: pa.ChunkedArray, surest: Surest, threshold: float) -> pa.ChunkedArray:
    """Return a rank that is lower for clips that are surer, or nearer to the threshold."""
    if surest is Surest.YES:
        return pc.negate(p_ah)
    return p_ah if surest is Surest.NO else pc.abs(pc.subtract(p_ah, threshold))


def _rows_of(tables: Tables, clips: pa.Table, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    wanted = pc.unique(clips["video_id"])
    for batch in tables.verdicts.batches(columns, _BATCH_ROWS):
        yield from batch.filter(pc.is_in(batch["video_id"], wanted)).to_pylist()


def video_in(row: dict[str, Any]) -> Video:
    """Return the video of a row that has VIDEO_COLUMNS."""
    return Video(**{name: row[name] for name in VIDEO_COLUMNS})
