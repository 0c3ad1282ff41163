"""Windows that are named one by one: the same clips as those that follow from the length."""

from __future__ import annotations

import numpy as np
import pytest
import videos
from decoding import PROFILE

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.media.windows import Given


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """12 s at 25 fps, with sound."""
    folder = tmp_path_factory.mktemp("given")
    return videos.make_numbered(folder / "v.mp4", n_frames=300, sound=videos.TONE)


def clips_of(path, windows):
    *clips, facts = decode(path, profile=PROFILE, windows=windows, limits=Limits())
    assert facts.n_clips == len(clips)
    return clips


def numbers(clip):
    return [videos.read_number(frame) for frame in clip.frames]


def test_the_same_clips(numbered):
    regular = clips_of(numbered, Windows(hop_s=2.5, tail="keep"))
    spans = [(clip.start_s, clip.end_s) for clip in regular]
    given = clips_of(numbered, Given.of(spans[::-1]))
    for one, other in zip(given, regular, strict=True):
        assert (one.clip_index, one.start_s, one.end_s) == (
            other.clip_index, other.start_s, other.end_s,
        )  # fmt: skip
        assert np.array_equal(one.frames, other.frames)
        assert np.array_equal(one.samples, other.samples)


def test_marked_intervals_wherever_they_lie(numbered):
    spans = [(1.0, 6.0), (2.2, 4.4), (2.2, 3.0), (9.5, 11.2)]
    clips = clips_of(numbered, Given.of(spans))
    assert [(clip.start_s, clip.end_s) for clip in clips] == sorted(spans)
    for clip in clips:
        seen = numbers(clip)
        assert seen[0] == round(25 * clip.start_s)
        assert seen[-1] == pytest.approx(25 * clip.end_s - 1, abs=1)
        assert len(clip.samples) == round(16_000 * (clip.end_s - clip.start_s))


def test_what_lies_beyond_the_end(numbered):
    clips = clips_of(numbered, Given.of([(10.0, 15.0), (12.5, 14.0)]))
    assert [(clip.start_s, clip.end_s) for clip in clips] == [(10.0, pytest.approx(12.0))]


def test_decoding_ends_with_the_last_of_them(tmp_path, numbered):
    long = videos.make_looped(tmp_path / "long.mp4", numbered, times=40)
    (_, facts), (*_, whole) = (
        decode(long, profile=PROFILE, windows=windows, limits=Limits())
        for windows in (Given.of([(1.0, 4.0)]), Windows())
    )
    assert facts.n_clips == 1 and whole.n_clips == 96
    # All packets are read, which tells how long it is; few of its pictures are decoded.
    assert facts.duration_s == whole.duration_s
    assert facts.decode_cpu_s < whole.decode_cpu_s / 3
