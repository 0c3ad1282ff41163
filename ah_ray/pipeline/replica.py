"""The replica: an actor with a loaded model that gives each clip its P(A/H)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from ah_ray import logs
from ah_ray.config import Arithmetic
from ah_ray.logs import LogSettings
from ah_ray.omni.local_copy import Say, local_adapter, local_checkpoint
from ah_ray.pipeline import blocks
from ah_ray.profile import Profile
from ah_ray.records import Clip, ClipScore


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSettings:
    """All that a replica needs to know."""

    model: str  # a directory, or the URI of one that each node copies to its own disk once
    base_fingerprint: str  # of the model without its adapters: the copy must be that very one
    adapters: tuple[str, ...]
    cache: Path | None
    profile: Profile
    arithmetic: Arithmetic
    n_gpus: int  # of one replica: its layers are shared out over them; 0: it runs on the CPU
    is_last: bool = True  # of several models, each of which scores every clip
    say: Say  # told what is copied and loaded, and how fast it was
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def devices(self) -> tuple[str, ...]:
        """Ray shows an actor only the GPUs that it was given, and counts them from 0."""
        return tuple(f"cuda:{n}" for n in range(self.n_gpus)) or ("cpu",)


class Scorer(Protocol):
    """What a replica asks of the model."""

    def score(self, clips: list[Clip]) -> list[ClipScore]: ...


class Replica:
    """FRAMES in, SCORES out; of a model that is not the last, FRAMES with its scores beside them.

    Clips that came without frames pass through with their error.
    """

    def __init__(self, settings: ReplicaSettings):
        logs.start(settings.log)
        self._scorer = load_scorer(settings)
        self._table = blocks.scores_table if settings.is_last else blocks.passed_on

    def __call__(self, frames: pa.Table) -> pa.Table:
        clips = blocks.clips_of(frames)
        whole = [clip for clip in clips if clip.frames is not None]
        scored = iter(self._scorer.score(whole) if whole else [])
        scores = [failed(clip) if clip.frames is None else next(scored) for clip in clips]
        _log(frames, clips, scores)
        return self._table(frames, scores)


def load_scorer(settings: ReplicaSettings) -> Scorer:
    """The model on this actor's device, or its layers shared out over several.

    On a CPU each clip is a pass of its own: there packing gains little, and so the same clip gets
    the same P to the last bit, whatever arrives beside it.
    """
    from ah_ray.omni.scorer import Scorer as OmniScorer  # torch: only where a model is loaded

    checkpoint = local_checkpoint(
        settings.model,
        settings.cache,
        settings.say,
        expected_fingerprint=settings.base_fingerprint,
    )
    return OmniScorer.load(
        checkpoint,
        adapters=[
            local_adapter(adapter, settings.cache, settings.say) for adapter in settings.adapters
        ],
        profile=settings.profile,
        arithmetic=settings.arithmetic,
        devices=settings.devices,
        token_budget=None if settings.n_gpus else 1,
        say=settings.say,
    )


def _log(frames: pa.Table, clips: Sequence[Clip], scores: Sequence[ClipScore]) -> None:
    """What this model itself could not score, by video."""
    events = zip(frames["event"].to_pylist(), frames["video_id"].to_pylist(), strict=True)
    video_ids = (video_id for event, video_id in events if event == blocks.CLIP)
    for video_id, clip, score in zip(video_ids, clips, scores, strict=True):
        if clip.error_kind is None and score.error_kind is not None:
            level, index = logging.WARNING, clip.clip_index
            logs.event(
                "not scored", score.error or "", level=level, video_id=video_id, clip_index=index
            )


def failed(clip: Clip) -> ClipScore:
    return ClipScore(
        clip_index=clip.clip_index,
        start_s=clip.start_s,
        end_s=clip.end_s,
        p_ah=None,
        error_kind=clip.error_kind,
        error=clip.error,
    )
