"""The decoder: a CPU actor that turns a video into clips, one window after another."""

from __future__ import annotations

import ctypes
import logging
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import pyarrow as pa

from ah_ray import logs, storage
from ah_ray.config import Limits, Windows
from ah_ray.errors import (
    ErrorKind,
    ObjectChanged,
    ObjectDenied,
    ObjectMissing,
    StorageError,
    VideoError,
)
from ah_ray.logs import LogSettings
from ah_ray.media.decode import decode
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
    or facts with an error. What storage fails to deliver becomes a `lost` row.
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
            except StorageError as error:
                yield blocks.lost_frames(video, str(error))
                logs.event("lost", str(error), level=logging.WARNING, video_id=video.video_id)
                continue
            yield blocks.video_frames(video, replace(facts, storage_retries=storage.new_retries()))
            _log(video, facts)

    def _frames(self, video: Video) -> Generator[pa.Table, None, VideoFacts]:
        profile, windows, limits = self._profile, self._windows, self._limits
        with _local_copy(video, limits) as path:
            with closing(decode(path, profile=profile, windows=windows, limits=limits)) as parts:
                for part in parts:
                    if isinstance(part, Clip):
                        yield blocks.clip_frames(video, part)
                    else:
                        facts = part
            if storage.local_path(video.uri) and storage.stat(video.uri).etag != video.etag:
                raise ObjectChanged(f"{video.uri} changed while it was read")
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


@contextmanager
def _local_copy(video: Video, limits: Limits) -> Iterator[Path]:
    """The video as a file: in place if it is local, else copied to this node's disk."""
    if video.size_bytes is not None and video.size_bytes > limits.max_bytes:
        raise VideoError(
            ErrorKind.REFUSED,
            f"{video.size_bytes:,} bytes are over --max-bytes {limits.max_bytes:,}",
        )
    try:
        path = storage.local_path(video.uri)
        if path is not None:
            if storage.stat(video.uri).etag != video.etag:
                raise ObjectChanged(f"{video.uri} changed since it was listed")
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="ah_ray-") as folder:
            # With its ending, which ffmpeg weighs too: a bucket and a folder give the same rows.
            path = Path(folder) / f"video{PurePosixPath(video.uri).suffix[:16]}"
            storage.download(video.uri, path, etag=video.etag, size_bytes=video.size_bytes)
            yield path
    except ObjectMissing:
        raise VideoError(ErrorKind.MISSING, "the object vanished after it was listed") from None
    except ObjectDenied:
        raise VideoError(ErrorKind.DENIED, "reading the object is not permitted") from None
