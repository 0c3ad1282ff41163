"""Decodes one file of any kind, and says which of the decoder's promises was broken.

It watches its own process, so one file is decoded in it at a time.
"""

from __future__ import annotations

import math
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

from ah_ray.config import Limits, Windows
from ah_ray.errors import ErrorKind
from ah_ray.media import decode_process
from ah_ray.media.decode import decode
from ah_ray.pipeline.actors import blocks
from ah_ray.profile import SOUND_HZ, Profile
from ah_ray.records import Clip, Video, VideoFacts

VIDEO_KINDS = {
    ErrorKind.UNREADABLE, ErrorKind.NO_VIDEO, ErrorKind.REFUSED, ErrorKind.TIMEOUT,
    ErrorKind.DECODE,
}  # fmt: skip
CLIP_KINDS = {ErrorKind.REFUSED, ErrorKind.TIMEOUT, ErrorKind.DECODE}
SLACK_S = 3.0
"""What ending a process, and a machine that others use too, may take beyond the limit."""

GROWTH_BYTES = 160 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file."""

    status: str  # ok, partial, failed
    kind: str | None
    seconds: float
    violations: tuple[str, ...]


def watched_decode(path: Path, *, profile: Profile, windows: Windows, limits: Limits) -> Outcome:
    """`path` is alone in its folder, and so is what TMPDIR names: what appears there is a leak."""
    before = _Belongings.now(path)
    clips: list[Clip] = []
    n_good = 0
    facts: VideoFacts | None = None
    broken: list[str] = []
    started = time.monotonic()
    allowed_s = limits.timeout_for(path.stat().st_size) + SLACK_S
    try:
        with _alarm(allowed_s + SLACK_S):
            for part in decode(path, profile=profile, windows=windows, limits=limits):
                if facts is not None:
                    broken.append("something follows the facts")
                elif isinstance(part, VideoFacts):
                    facts = part
                else:
                    broken += _wrong_clip(part, len(clips))
                    n_good += part.frames is not None
                    if len(clips) < 3:
                        broken += _no_row(blocks.clip_frames, part)
                    # Without its content: what the decoder holds is measured, not what we do.
                    clips.append(replace(part, frames=None, samples=None))
    except Exception as error:  # of any kind: nothing may be raised
        broken.append(f"raised {type(error).__name__}: {str(error)[:200]}")
    seconds = time.monotonic() - started
    if seconds > allowed_s:
        broken.append(f"took {seconds:.1f} s, {allowed_s:.0f} are allowed")
    if facts is None:
        broken.append("no facts came")
    else:
        broken += _wrong_facts(facts, clips, path, limits)
        broken += _no_row(blocks.video_frames, facts)
    broken += before.left_behind(path)
    status = "failed" if not n_good else "ok" if n_good == len(clips) else "partial"
    kind = facts.error_kind if facts else None
    return Outcome(
        status=status, kind=kind, seconds=seconds, violations=tuple(dict.fromkeys(broken))
    )


class _Overran(Exception):
    """The decoder did not come back; raised in its midst, so that the trace shows where."""


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(_number: int, _frame: object) -> None:
        raise _Overran(f"still at work after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True, slots=True)
class _Belongings:
    """What this process has at one moment."""

    children: frozenset[psutil.Process]
    descriptors: frozenset[str]
    files: frozenset[Path]
    resident_bytes: int

    @classmethod
    def now(cls, path: Path) -> _Belongings:
        decode_process._server()  # stays for the recordings that follow
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        return cls(_children(), _descriptors(), _files(path), psutil.Process().memory_info().rss)

    def left_behind(self, path: Path) -> Iterator[str]:
        if more := _children() - self.children:
            yield f"left processes: {[child.name() for child in more]}"
        if more := _descriptors() - self.descriptors:
            yield f"left descriptors: {sorted(more)}"
        if more := _files(path) - self.files:
            yield f"left files: {sorted(file.name for file in more)}"
        if (growth := _peak_bytes() - self.resident_bytes) > GROWTH_BYTES:
            yield f"took {growth >> 20} MiB of memory beside the decoder's"


def _children() -> frozenset[psutil.Process]:
    return frozenset(psutil.Process().children(recursive=True))


def _descriptors() -> frozenset[str]:
    return frozenset(entry.name for entry in Path("/proc/self/fd").iterdir())


def _files(path: Path) -> frozenset[Path]:
    return frozenset(path.parent.rglob("*")) | frozenset(_temporary().rglob("*"))


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _peak_bytes() -> int:
    rows = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return int(rows["VmHWM"].split()[0]) * 1024


def _wrong_clip(clip: Clip, index: int) -> Iterator[str]:
    if clip.clip_index != index:
        yield f"clip {clip.clip_index} in the place of {index}"
    if not 0 <= clip.start_s < clip.end_s < math.inf:
        yield f"a window from {clip.start_s} to {clip.end_s}"
    if clip.error_kind is not None:
        if clip.error_kind not in CLIP_KINDS:
            yield f"a clip is {clip.error_kind}"
        if clip.frames is not None or clip.samples is not None or not clip.error:
            yield "a failed clip has content, or no reason"
        return
    n_samples = round(SOUND_HZ * (clip.end_s - clip.start_s))
    frames, samples = clip.frames, clip.samples
    if frames.dtype != np.uint8 or frames.ndim != 4 or not len(frames) or len(frames) % 2:
        yield f"frames are {frames.dtype} {frames.shape}"
    elif frames.shape[1] % 32 or frames.shape[2] % 32 or frames.shape[3] != 3:
        yield f"frames are {frames.shape}"
    if samples.dtype != np.float32 or samples.shape != (n_samples,):
        yield f"samples are {samples.dtype} {samples.shape}, not {n_samples}"
    elif len(samples) and not np.abs(samples).max() <= 1:
        yield "samples are not in −1…1"


def _wrong_facts(facts: VideoFacts, clips: list[Clip], path: Path, limits: Limits) -> Iterator[str]:
    if facts.n_clips != len(clips):
        yield f"{len(clips)} clips came, {facts.n_clips} are counted"
    if facts.error_kind is not None and facts.error_kind not in VIDEO_KINDS:
        yield f"the video is {facts.error_kind}"
    failed = next((clip for clip in clips if clip.error_kind), None)
    expected = (failed.error_kind, failed.error) if failed else (None, None)
    if clips and (facts.error_kind, facts.error) != expected:
        yield f"facts say {facts.error!r}, the clips {expected[1]!r}"
    if not clips and not (facts.error_kind and facts.error):
        yield "no clips, and no reason"
    for message in {facts.error, *(clip.error for clip in clips)} - {None}:
        if not message.isprintable() or path.name in message or str(path.parent) in message:
            yield f"an error that is no plain sentence: {message!r}"
    for name in ("duration_s", "fps"):
        value = getattr(facts, name)
        if value is not None and not 0 <= value < math.inf:
            yield f"{name} is {value}"
    if (facts.width_px or 1) * (facts.height_px or 1) > limits.max_pixels:
        yield f"{facts.width_px}×{facts.height_px} px"


def _no_row(made: Callable[[Video, Any], pa.Table], part: Clip | VideoFacts) -> Iterator[str]:
    """What decoders hand over must fit the tables of the pipeline."""
    video = Video(video_id="x", uri="/x", etag="x", size_bytes=1, last_modified=None)
    try:
        made(video, part)
    except Exception as error:
        yield f"no row can be made of it: {error!r}"
