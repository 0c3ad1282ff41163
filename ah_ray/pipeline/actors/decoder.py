"""The decoder: a CPU actor that turns a video into clips, one window after another."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import pyarrow as pa

from ah_ray import logs, storage
from ah_ray.config import Limits, Scoring
from ah_ray.errors import Interrupted, StorageError, VideoError
from ah_ray.interfaces.callbacks import MessageCallback
from ah_ray.logs import LogSettings
from ah_ray.media.decode import decode
from ah_ray.media.local_video import open_video
from ah_ray.media.sandbox.cage import describe_missing, missing_guards
from ah_ray.pipeline.actors import blocks
from ah_ray.records import Clip, Video, VideoFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeSettings:
    """All that a decoder needs to know."""

    scoring: Scoring  # its windows and its profile say what is decoded
    limits: Limits
    require_cage: bool = False  # decode nothing where a guard of the cage is missing
    say: MessageCallback | None = None  # gets the name of each guard that is missing
    log: LogSettings = field(default_factory=LogSettings)


class Decoder:
    """Reads one video after another, and yields its clips while it decodes, then its facts.

    A fault of a video is never raised: it becomes a clip without frames, or facts with an error. A
    video that storage does not deliver becomes a `lost` row with the reason. One whose decoding was
    interrupted becomes a `lost` row without a reason, as if this process had died with it.
    """

    def __init__(self, settings: DecodeSettings):
        self._scoring = settings.scoring
        self._limits = settings.limits
        logs.start(settings.log)
        missing = missing_guards()
        self._refusal = describe_missing(missing) if missing and settings.require_cage else None
        if missing and settings.say is not None:
            settings.say(describe_missing(missing))
        _return_freed_memory()

    def __call__(self, videos: pa.Table) -> Iterator[pa.Table]:
        """Yield FRAMES of VIDEOS, one clip a table, so that memory stays bounded."""
        for video in blocks.videos_of(videos):
            if self._refusal is not None:
                yield blocks.lost_frames(video, self._refusal)
                continue
            try:
                facts = yield from self._frames(video)
            except VideoError as error:
                facts = VideoFacts(n_clips=0, error_kind=error.kind, error=str(error))
            except Interrupted as error:
                yield blocks.lost_frames(video, None)
                logs.event("lost", str(error), level=logging.WARNING, video_id=video.video_id)
                continue
            except StorageError as error:
                yield blocks.lost_frames(video, str(error))
                logs.event("lost", str(error), level=logging.WARNING, video_id=video.video_id)
                continue
            yield blocks.video_frames(
                video, replace(facts, storage_retries=storage.take_new_retries())
            )
            _log_video(video, facts)

    def _frames(self, video: Video) -> Generator[pa.Table, None, VideoFacts]:
        scoring, limits = self._scoring, self._limits
        profile, windows = scoring.profile, scoring.windows
        with (
            open_video(video, limits) as file,
            closing(decode(file, profile=profile, windows=windows, limits=limits)) as parts,
        ):
            for part in parts:
                if isinstance(part, Clip):
                    yield blocks.clip_frames(video, part)
                else:
                    facts = part
        return facts


def _log_video(video: Video, facts: VideoFacts) -> None:
    logs.event(
        "decoded",
        facts.error or "",
        level=logging.WARNING if facts.error_kind else logging.INFO,
        video_id=video.video_id,
        error_kind=facts.error_kind,
        n_clips=facts.n_clips,
        duration_s=facts.duration_s,
        decode_s=round(facts.decode_s, 3),
    )


def _return_freed_memory() -> None:
    """Return freed memory to the system instead of keeping it for the next clip.

    Clips have megabytes, and without this a decoder holds some 30 MB more. `mallopt` and
    `malloc_trim` are functions of glibc.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for threshold in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            libc.mallopt(threshold, 1_000_000)
        libc.malloc_trim(0)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
