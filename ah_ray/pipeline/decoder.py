"""The decoder: a CPU actor that turns a video into clips, one window after another."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import pyarrow as pa

from ah_ray import logs, storage
from ah_ray.config import Limits, Windows
from ah_ray.errors import Interrupted, StorageError, VideoError
from ah_ray.logs import LogSettings
from ah_ray.media.decode import decode
from ah_ray.media.on_disk import on_disk
from ah_ray.pipeline import blocks
from ah_ray.profile import Profile
from ah_ray.records import Clip, Video, VideoFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeSettings:
    """All that a decoder needs to know."""

    profile: Profile
    windows: Windows
    limits: Limits
    log: LogSettings = field(default_factory=LogSettings)


class Decoder:
    """Reads one video after another; yields its clips while it decodes, then its facts.

    Nothing that is wrong with a video gets out as an exception: it becomes a clip without frames,
    or facts with an error. What storage fails to deliver becomes a `lost` row with the reason; what
    was interrupted, one without: it counts as if this process had died of it.
    """

    def __init__(self, settings: DecodeSettings):
        self._profile = settings.profile
        self._windows = settings.windows
        self._limits = settings.limits
        logs.start(settings.log)
        _give_memory_back()

    def __call__(self, videos: pa.Table) -> Iterator[pa.Table]:
        """VIDEOS in, FRAMES out, one clip a table: memory does not grow with the length."""
        for video in blocks.videos_of(videos):
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
            yield blocks.video_frames(video, replace(facts, storage_retries=storage.new_retries()))
            _log(video, facts)

    def _frames(self, video: Video) -> Generator[pa.Table, None, VideoFacts]:
        profile, windows, limits = self._profile, self._windows, self._limits
        with (
            on_disk(video, limits) as path,
            closing(decode(path, profile=profile, windows=windows, limits=limits)) as parts,
        ):
            for part in parts:
                if isinstance(part, Clip):
                    yield blocks.clip_frames(video, part)
                else:
                    facts = part
        return facts


def _log(video: Video, facts: VideoFacts) -> None:
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


def _give_memory_back() -> None:
    """Clips come and go by the megabyte: what they leave goes to the system, not to a pool.

    Without it a decoder holds some 30 MB more. `mallopt` and `malloc_trim` are glibc's.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for threshold in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            libc.mallopt(threshold, 1_000_000)
        libc.malloc_trim(0)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
