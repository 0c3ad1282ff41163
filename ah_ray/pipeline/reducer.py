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
from ah_ray.pipeline import blocks
from ah_ray.records import VERDICT, ClipScore, Scored, Video, VideoFacts

Commit = Callable[[Scored], dict]
"""Writes the row of a complete video, and returns it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What the driver is told of a row that has been written."""

    video_id: str
    status: str
    error_kind: str | None
    n_clips: int
    duration_s: float
    size_bytes: int = 0
    storage_retries: int = 0  # of the reducer, since it last wrote a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A video that storage kept from us: no row in this pass."""

    video_id: str
    error: str


@dataclass(slots=True)
class _Gathering:
    clips: dict[int, ClipScore] = field(default_factory=dict)  # by index: a retry may send twice
    whole: tuple[Video, VideoFacts] | None = None

    def complete(self) -> bool:
        return self.whole is not None and len(self.clips) == self.whole[1].n_clips

    def scored(self) -> Scored:
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
        """Takes a SCORES table in; returns what became of the videos that it completed, and the
        rows that were written."""
        with self._lock:
            complete = self._take(scores)
        rows: list[dict] = []
        outcomes = [self._written(scored, rows) for scored in complete]
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
            if gathering.complete():
                complete.append(self._gathering.pop(video_id).scored())
                self._done.add(video_id)
        return complete

    def _written(self, scored: Scored, rows: list[dict]) -> Committed | Lost:
        try:
            row = self._commit(scored)
        except StorageError as error:
            video_id = scored.video.video_id
            logs.event("not written", str(error), level=logging.ERROR, video_id=video_id)
            return Lost(video_id=scored.video.video_id, error=str(error))
        rows.append(row)
        fields = {name: row[name] for name in ("video_id", "status", "error_kind", "n_clips")}
        logs.event("row", row["error"] or "", **fields)
        return committed_row(row, storage.new_retries())


def committed_row(row: dict, storage_retries: int = 0) -> Committed:
    """What is told of a row that has been written."""
    return Committed(
        video_id=row["video_id"],
        status=row["status"],
        error_kind=row["error_kind"],
        n_clips=row["n_clips"],
        duration_s=row["duration_s"] or 0.0,
        size_bytes=row["size_bytes"] or 0,
        storage_retries=storage_retries,
    )
