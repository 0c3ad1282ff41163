"""The replica: an actor with a loaded model, which gives each clip its P(A/H)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pyarrow as pa

from ah_ray import logs
from ah_ray.interfaces.scorer import Scorer
from ah_ray.pipeline.actors import blocks
from ah_ray.pipeline.actors.format_check import FormatCheck
from ah_ray.pipeline.actors.model_families import ReplicaSettings, load_scorer
from ah_ray.records import Clip, ClipScore, failed_score


class Replica:
    """Turns FRAMES into SCORES. A model that is not the last adds its scores to FRAMES.

    Clips without frames pass through with their error.
    """

    _check_format: Callable[[Sequence[ClipScore]], None] | None = None

    def __init__(self, settings: ReplicaSettings):
        logs.start(settings.log)
        self._scorer = self._load(settings)
        self._check_format = FormatCheck(settings.say).see
        self._table = blocks.scores_table if settings.is_last else blocks.frames_with_scores

    def _load(self, settings: ReplicaSettings) -> Scorer:
        """Return the scorer of this replica. Tests override it with a scorer of their own."""
        return load_scorer(settings)

    def __call__(self, frames: pa.Table) -> pa.Table:
        clips = blocks.clips_of(frames)
        whole = [clip for clip in clips if clip.frames is not None]
        scored = iter(self._scorer.score(whole) if whole else [])
        scores = [failed_score(clip) if clip.frames is None else next(scored) for clip in clips]
        _log_unscored(frames, clips, scores)
        if self._check_format is not None:
            self._check_format(scores)
        return self._table(frames, scores)


def _log_unscored(frames: pa.Table, clips: Sequence[Clip], scores: Sequence[ClipScore]) -> None:
    """Log the clips that had frames and that this model could not score."""
    events = zip(frames["event"].to_pylist(), frames["video_id"].to_pylist(), strict=True)
    video_ids = (video_id for event, video_id in events if event == blocks.CLIP)
    for video_id, clip, score in zip(video_ids, clips, scores, strict=True):
        if clip.error_kind is None and score.error_kind is not None:
            level, index = logging.WARNING, clip.clip_index
            logs.event(
                "not scored", score.error or "", level=level, video_id=video_id, clip_index=index
            )
