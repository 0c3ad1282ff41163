"""The replica: an actor with a loaded model, which gives each clip its P(A/H)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ah_ray import logs
from ah_ray.config import Scoring
from ah_ray.interfaces.callbacks import MessageCallback
from ah_ray.interfaces.scorer import Scorer
from ah_ray.logs import LogSettings
from ah_ray.omni.weights.download import fetch_adapter, fetch_checkpoint
from ah_ray.pipeline.actors import blocks
from ah_ray.pipeline.actors.format_check import FormatCheck
from ah_ray.records import Clip, ClipScore, failed_score


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSettings:
    """All that a replica needs to know."""

    model: str  # a directory, or the URI of one that each node copies to its own disk once
    base_fingerprint: str  # of the model without its adapters: the copy must be that very one
    adapters: tuple[str, ...]
    cache: Path | None
    scoring: Scoring  # its profile and arithmetic say how clips are scored
    n_gpus: int  # of one replica, over which its layers are spread; 0: it runs on the CPU
    is_last: bool = True  # of the models that score each clip, one after another
    say: MessageCallback  # gets sentences about what is copied and loaded, and how fast
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the devices of one replica. Ray shows an actor only its own GPUs, from 0 on."""
        return tuple(f"cuda:{n}" for n in range(self.n_gpus)) or ("cpu",)


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
        """Return the scorer of this replica. A subclass may return another model's."""
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


def load_scorer(settings: ReplicaSettings) -> Scorer:
    """Return the model, loaded onto this actor's device, or with its layers spread over several.

    On a CPU each clip is a pass of its own. Packing gains little there, and so a clip gets the same
    probability to the last bit, independent of the clips that arrive with it.
    """
    from ah_ray.omni.scorer import OmniScorer  # torch: only where a model is loaded

    checkpoint = fetch_checkpoint(
        settings.model,
        settings.cache,
        settings.say,
        expected_fingerprint=settings.base_fingerprint,
    )
    return OmniScorer.load(
        checkpoint,
        adapters=[
            fetch_adapter(adapter, settings.cache, settings.say) for adapter in settings.adapters
        ],
        profile=settings.scoring.profile,
        arithmetic=settings.scoring.arithmetic,
        devices=settings.devices,
        token_budget=None if settings.n_gpus else 1,
        on_message=settings.say,
    )


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
