"""The reducer: an actor that gathers a video's scores and writes its row when they are complete."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from ah_ray import logs, storage
from ah_ray.errors import StorageError
from ah_ray.logs import LogSettings
from ah_ray.pipeline.actors import blocks
from ah_ray.records import VERDICT, ClipScore, Committed, Lost, Scored, Video, VideoFacts

Commit = Callable[[Scored], blocks.Row]
"""Writes the row of a complete video, and returns it."""


@dataclass(slots=True)
class _Gathering:
    clips: dict[int, ClipScore] = field(default_factory=dict)  # by index: a retry may send twice
    whole: tuple[Video, VideoFacts] | None = None

    def is_complete(self) -> bool:
        return self.whole is not None and len(self.clips) == self.whole[1].n_clips

    def as_scored(self) -> Scored:
        assert self.whole is not None, "not complete"
        video, facts = self.whole
        clips = [self.clips[index] for index in sorted(self.clips)]
        return Scored(video=video, facts=facts, clips=clips)


class Reducer:
    """Gathers SCORES by video; several calls may run at once, writing different videos.

    It holds only scores, never frames, and only of videos that are not complete. If its process
    dies, those are lost from this pass, and the healing loop finds their rows missing.
    """

    def __init__(self, commit: Commit, log: LogSettings | None = None):
        logs.start(log or LogSettings())
        self._commit = commit
        self._gathering: dict[str, _Gathering] = {}
        self._done: set[str] = set()
        self._lock = threading.Lock()

    def add(self, scores: pa.Table) -> tuple[list[Committed | Lost], pa.Table]:
        """Add SCORES, and write the rows of the videos that they complete.

        Return an outcome for each of these videos, and a VERDICT table of the rows written.
        """
        with self._lock:
            complete = self._take(scores)
        rows: list[blocks.Row] = []
        outcomes = [self._write_row(scored, rows) for scored in complete]
        return outcomes, pa.Table.from_pylist(rows, schema=VERDICT)

    def _take(self, scores: pa.Table) -> list[Scored]:
        complete = []
        for row in scores.to_pylist():
            video_id = row["video_id"]
            if row["event"] == blocks.LOST:
                self._gathering.pop(video_id, None)
            if row["event"] == blocks.LOST or video_id in self._done:
                continue
            gathering = self._gathering.setdefault(video_id, _Gathering())
            if row["event"] == blocks.CLIP:
                score = blocks.score_of(row)
                gathering.clips.setdefault(score.clip_index, score)
            else:
                gathering.whole = blocks.video_of(row)
            if gathering.is_complete():
                complete.append(self._gathering.pop(video_id).as_scored())
                self._done.add(video_id)
        return complete

    def _write_row(self, scored: Scored, rows: list[blocks.Row]) -> Committed | Lost:
        try:
            row = self._commit(scored)
        except StorageError as error:
            video_id = scored.video.video_id
            logs.event("not written", str(error), level=logging.ERROR, video_id=video_id)
            return Lost(video_id=scored.video.video_id, error=str(error))
        rows.append(row)
        fields = {name: row[name] for name in ("video_id", "status", "error_kind", "n_clips")}
        logs.event("row", row["error"] or "", **fields)
        return committed_row(row, storage.take_new_retries())


def committed_row(row: blocks.Row, storage_retries: int = 0) -> Committed:
    """Return what the driver needs to know of a row that was written."""
    return Committed(
        video_id=row["video_id"],
        status=row["status"],
        error_kind=row["error_kind"],
        n_clips=row["n_clips"],
        duration_s=row["duration_s"] or 0.0,
        size_bytes=row["size_bytes"] or 0,
        storage_retries=storage_retries,
    )
