"""Videos and clips of an output that may be drawn: all that have a score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.output.config import OutputConfig, require_config
from ah_ray.output.stream import open_finished_tables
from ah_ray.output.table_files import Tables, open_tables
from ah_ray.study.review.draw import Candidate, Draw, Strata, Unit, draw
from ah_ray.study.review.moments import VIDEO_COLUMNS, Moment, video_in

_BATCH_ROWS = 16_384
_Key = tuple[str, int | None]  # video_id, and the clip's index; None: the whole video


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMoments:
    """What was drawn of an output: its moments, each with the number of its stratum."""

    config: OutputConfig
    draw: Draw[_Key]
    moments: tuple[tuple[int, Moment], ...]
    n_without_score: int  # videos that cannot be drawn, since they have no verdict


def draw_moments(out: str, *, n: int, unit: Unit, strata: Strata, seed: int) -> DrawnMoments:
    """Draw whole videos, or clips, of an output at random.

    Raise ConfigError if `out` is not a finished output, or nothing in it has a score.
    """
    out = storage.normalise(out)
    try:
        config = require_config(out)
        with open_finished_tables(out) as tables:
            rows = _videos(tables) if unit is Unit.VIDEO else _clips(tables)
            found = draw((_candidate(row) for row in rows), n, strata, seed)
            if not found.drawn:
                raise ConfigError(f"{out} has no {unit} with a score, so there is none to draw")
            moments = tuple(_moments(tables, found))
            n_scored = sum(pc.count(b["p_ah"]).as_py() for b in tables.verdicts.batches(("p_ah",)))
            n_without = tables.verdicts.file.metadata.num_rows - n_scored
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    return DrawnMoments(config=config, draw=found, moments=moments, n_without_score=n_without)


def scored_video_ids(out: str) -> set[str]:
    """Return the ids of all videos of an output that have a verdict; none if it is unreadable."""
    try:
        with open_tables(storage.normalise(out)) as tables:
            return set() if tables is None else {row["video_id"] for row in _videos(tables)}
    except StorageError:
        return set()


def _videos(tables: Tables) -> Iterator[dict[str, Any]]:
    for batch in tables.verdicts.batches(("video_id", "p_ah", "answer"), _BATCH_ROWS):
        for row in batch.filter(pc.is_valid(batch["p_ah"])).to_pylist():
            yield {**row, "clip_index": None}


def _clips(tables: Tables) -> Iterator[dict[str, Any]]:
    for batch in tables.clips.batches(("video_id", "clip_index", "p_ah", "answer"), _BATCH_ROWS):
        yield from batch.filter(pc.is_valid(batch["p_ah"])).to_pylist()


def _candidate(row: dict[str, Any]) -> Candidate[_Key]:
    video_id, index = row["video_id"], row["clip_index"]
    place = "" if index is None else f" {index:09d}"
    return Candidate(
        key=f"{video_id}{place}", p_ah=row["p_ah"], answer=row["answer"], what=(video_id, index)
    )


def _moments(tables: Tables, found: Draw[_Key]) -> Iterator[tuple[int, Moment]]:
    """Yield the moments that were drawn, with their videos and their times."""
    stratum = {key: number for number, key in found.drawn}
    wanted = sorted({video_id for video_id, _ in stratum})
    columns = (*VIDEO_COLUMNS, "duration_s", "p_ah", "answer")
    videos = {row["video_id"]: row for row in _rows(tables, "verdicts", columns, wanted)}
    for video_id, row in videos.items():
        if (number := stratum.get((video_id, None))) is not None:
            yield (
                number,
                Moment(
                    video=video_in(row),
                    clip_index=None,
                    start_s=0.0,
                    end_s=row["duration_s"],
                    p_ah=row["p_ah"],
                    answer=row["answer"],
                ),
            )
    if all(index is None for _, index in stratum):
        return
    of_clip = ("video_id", "clip_index", "start_s", "end_s", "p_ah", "answer")
    for clip in _rows(tables, "clips", of_clip, wanted):
        key = (clip["video_id"], clip["clip_index"])
        if key in stratum:
            fields = {name: clip[name] for name in of_clip if name != "video_id"}
            yield stratum[key], Moment(video=video_in(videos[clip["video_id"]]), **fields)


def _rows(
    tables: Tables, name: str, columns: Sequence[str], video_ids: Sequence[str]
) -> Iterator[dict[str, Any]]:
    table = tables.verdicts if name == "verdicts" else tables.clips
    wanted = pa.array(video_ids, pa.string())
    for batch in table.batches(columns, _BATCH_ROWS):
        yield from batch.filter(pc.is_in(batch["video_id"], wanted)).to_pylist()
