"""The moments of a cohort of which an output is surest, or most in doubt.

from ah_ray.study.review.moments import Surest, surest_moments

for moment in surest_moments("s3://study/scores", top=10, surest=Surest.YES):
    print(moment.video.video_id, moment.start_s, moment.p_ah)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.records import Video
from ah_ray.results.outputs import read_config
from ah_ray.results.reducers import NO, YES
from ah_ray.results.row_files import NOT_PARQUET
from ah_ray.results.stream import not_together
from ah_ray.results.table_files import Tables, damaged, open_tables
from ah_ray.study.report.words import clip_threshold

_CLIP = ("video_id", "clip_index", "start_s", "end_s", "p_ah", "answer")
_VIDEO = ("video_id", "uri", "etag", "size_bytes", "last_modified")
_BATCH_ROWS = 16_384


class Surest(StrEnum):
    """Which moments are wanted."""

    YES = "yes"  # answered Yes, the highest p_ah first
    NO = "no"  # answered No, the lowest first
    DOUBTFUL = "doubtful"  # nearest to where a Yes begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A scored clip, and the video it lies in; times in seconds from its first picture."""

    video: Video  # its uri is null if the output holds no names
    clip_index: int
    start_s: float
    end_s: float
    p_ah: float
    answer: str  # Yes or No


def surest_moments(out: str, *, top: int = 10, surest: Surest = Surest.YES) -> list[Moment]:
    """The `top` clips of an output, the surest first; fewer if there are no more of that answer.

    Of equal scores the order is by video_id and time. The table of clips is gone through once, in
    bounded memory. Raises ConfigError if `out` is no finished output.
    """
    out = storage.normalise(out)
    try:
        config = read_config(out)
        if config is None:
            raise ConfigError(f"{out} is no output of ah_ray: it has no config.json")
        with open_tables(out) as tables:
            if tables is None:
                raise not_together(out)
            clips = _foremost(tables, top, surest, clip_threshold(config.reduction))
            videos = {row["video_id"]: _video(row) for row in _rows_of(tables, clips, _VIDEO)}
    except NOT_PARQUET as error:
        raise damaged(out, error) from None
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    return [Moment(video=videos[clip.pop("video_id")], **clip) for clip in clips.to_pylist()]


def _foremost(tables: Tables, top: int, surest: Surest, threshold: float) -> pa.Table:
    best = tables.clips.schema_arrow.empty_table().select(_CLIP)
    rank = pa.array([], pa.float64())
    best = best.append_column("rank", rank)
    for batch in tables.clips.iter_batches(_BATCH_ROWS, columns=list(_CLIP)):
        found = pa.Table.from_batches([batch])
        found = found.filter(_wanted(found, surest))
        found = found.append_column("rank", _rank(found["p_ah"], surest, threshold))
        order = [(name, "ascending") for name in ("rank", "video_id", "clip_index")]
        best = pa.concat_tables([best, found]).sort_by(order).slice(0, top)
    return best.drop_columns("rank")


def _wanted(clips: pa.Table, surest: Surest) -> pa.ChunkedArray:
    if surest is Surest.DOUBTFUL:
        return pc.is_valid(clips["p_ah"])
    return pc.fill_null(pc.equal(clips["answer"], YES if surest is Surest.YES else NO), False)


def _rank(p_ah: pa.ChunkedArray, surest: Surest, threshold: float) -> pa.ChunkedArray:
    """The lower, the surer (or the more in doubt)."""
    if surest is Surest.YES:
        return pc.negate(p_ah)
    return p_ah if surest is Surest.NO else pc.abs(pc.subtract(p_ah, threshold))


def _rows_of(tables: Tables, clips: pa.Table, columns: tuple[str, ...]) -> Iterator[dict]:
    wanted = pc.unique(clips["video_id"])
    for batch in tables.verdicts.iter_batches(_BATCH_ROWS, columns=list(columns)):
        yield from batch.filter(pc.is_in(batch["video_id"], wanted)).to_pylist()


def _video(row: dict) -> Video:
    return Video(**{name: row[name] for name in _VIDEO})
