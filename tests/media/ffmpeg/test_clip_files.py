"""Windows cut to files of their own: as long as they should be, in step, and telling nothing."""

from __future__ import annotations

import wave

import numpy as np
import pytest
import videos
from seen_file import look_at

from ah_ray.config import Limits, Windows
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.decode import decode
from ah_ray.media.ffmpeg.clip_files import write_clip
from ah_ray.profile import load_profile
from ah_ray.records import Clip


@pytest.fixture
def cut(tmp_path):
    def run(source, start_s, end_s):
        mp4, wav = tmp_path / "clip.mp4", tmp_path / "clip.wav"
        write_clip(source, start_s=start_s, end_s=end_s, mp4=mp4, wav=wav, limits=Limits())
        return mp4, wav

    return run


def samples_of(wav) -> np.ndarray:
    with wave.open(str(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


@pytest.mark.parametrize(
    ("start_s", "end_s", "n_frames"),
    [(0, 5, 125), (5, 10, 125), (7, 12, 125), (10, 11.5, 38), (0.51, 5.51, 125), (2.2, 2.6, 10)],
)
def test_lengths(numbered, cut, start_s, end_s, n_frames):
    mp4, wav = cut(numbered, start_s, end_s)
    seen = look_at(mp4)
    assert len(seen.times_s) == n_frames and seen.times_s[0] == 0
    assert seen.container_s <= max(end_s - start_s, n_frames / 25) + 0.001
    assert len(samples_of(wav)) == round((end_s - start_s) * 16_000)


def test_the_pictures_are_those_of_the_window(numbered, cut):
    mp4, _ = cut(numbered, 5, 10)
    profile = load_profile("seed-448")
    frames = [
        next(one for one in decode(path, profile=profile, windows=Windows(), limits=Limits())
             if isinstance(one, Clip) and one.clip_index == index).frames
        for path, index in ((numbered, 1), (mp4, 0))
    ]  # fmt: skip
    numbers = [[videos.read_number(frame) for frame in clip] for clip in frames]
    assert numbers[0] == numbers[1] and min(numbers[0]) >= 125


def test_the_sound_is_that_of_the_window(tmp_path, cut):
    """A tone from second 3 on: in a window from second 2, it begins after one second."""
    source = videos.make_numbered(tmp_path / "late.mp4", sound="if(lt(t,3),0,0.5*sin(2*PI*440*t))")
    _, wav = cut(source, 2, 7)
    loud = np.flatnonzero(np.abs(samples_of(wav)) > 3000)
    assert loud[0] / 16_000 == pytest.approx(1.0, abs=0.02)


def test_without_sound_there_is_silence(tmp_path, cut):
    mp4, wav = cut(videos.make_numbered(tmp_path / "mute.mp4", n_frames=100), 0.5, 3.5)
    assert not look_at(mp4).has_sound
    assert len(samples_of(wav)) == 48_000 and not samples_of(wav).any()


def test_odd_sizes_and_metadata(tmp_path, cut):
    source = videos.make_plain(
        tmp_path / "odd.mkv", "testsrc2=s=321x241:r=25", seconds=2,
        options=("-pix_fmt", "yuv444p", "-metadata", "title=Ann at home"),
    )  # fmt: skip
    mp4, wav = cut(source, 0, 2)
    assert (look_at(mp4).width_px, look_at(mp4).height_px) == (320, 240)
    assert b"Ann at home" not in mp4.read_bytes() + wav.read_bytes()


def test_what_cannot_be_cut_is_reported(tmp_path, cut):
    with pytest.raises(VideoError) as caught:
        cut(videos.make_garbage(tmp_path / "noise.mp4"), 0, 5)
    assert caught.value.kind is ErrorKind.UNREADABLE


def test_no_clip_fills_the_disk(numbered, cut, tmp_path, monkeypatch):
    monkeypatch.setattr("ah_ray.media.ffmpeg.clip_files.MAX_FILE_BYTES", 8 << 10)
    with pytest.raises(VideoError, match="ffmpeg could not cut it"):
        cut(numbered, 0, 5)
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 8 << 10


def test_a_window_without_a_picture_is_reported(tmp_path, numbered, cut):
    source = videos.make_truncated(tmp_path / "short.mp4", numbered, share=0.5)
    cut(source, 0, 2)
    with pytest.raises(VideoError):
        cut(source, 9, 12)
