"""Decodes a whole test video, and checks what holds for every one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import videos

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.profile import load_profile
from ah_ray.records import Clip, VideoFacts

PROFILE = load_profile("tiny").model_copy(update={"min_pixels": 65_536, "max_pixels": 65_536})
"""The training prompt at about 256 · 256 px: large enough to read a frame's number."""


@dataclass(frozen=True)
class Decoded:
    clips: list[Clip]
    facts: VideoFacts

    @property
    def numbers(self) -> list[list[int]]:
        """The numbers that the frames of each clip show."""
        return [[videos.read_number(frame) for frame in clip.frames] for clip in self.clips]

    @property
    def kinds(self) -> list[str | None]:
        return [clip.error_kind for clip in self.clips]


def decode_all(path: Path, *, limits: Limits | None = None, **windows: object) -> Decoded:
    """Decodes a whole video, and checks what holds for every one."""
    *clips, facts = decode(
        path, profile=PROFILE, windows=Windows(**windows), limits=limits or Limits()
    )
    assert isinstance(facts, VideoFacts)
    assert [clip.clip_index for clip in clips] == list(range(facts.n_clips))
    for clip in clips:
        assert (clip.frames is None) == (clip.samples is None) == (clip.error is not None)
        if clip.frames is not None:
            assert len(clip.frames) % 2 == 0
            assert clip.samples.shape == (round(16_000 * (clip.end_s - clip.start_s)),)
    failed = next((clip for clip in clips if clip.error), None)
    if clips:
        assert (facts.error_kind, facts.error) == (
            (failed.error_kind, failed.error) if failed else (None, None)
        )
    for message in [facts.error, *(clip.error for clip in clips)]:
        assert not message or ("\n" not in message and str(path.parent) not in message)
        assert not message or (path.name not in message and "0x" not in message)
    return Decoded(clips, facts)
