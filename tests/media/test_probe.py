"""What the probe says of real files before they are decoded."""

import time

import numpy as np
import pytest
import videos
from decoding import decode_all

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.probe import _Packets, probe


def found(path):
    return probe(path, limits=Limits(), deadline=time.monotonic() + 60)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts", "v.avi", "v.mov"])
def test_expected_times_are_those_of_the_frames(tmp_path, name):
    path = videos.make_numbered(tmp_path / name, n_frames=130, sound=videos.TONE)
    probed = found(path)
    assert (probed.width_px, probed.height_px) == (320, 240)
    assert np.abs(probed.times_s - np.arange(130) / 25).max() < 0.001
    assert probed.duration_s == pytest.approx(5.2, abs=0.001)
    assert probed.audio_stream == 1
    assert 0 < probed.cpu_s < 2


def test_packets_that_an_edit_list_hides_do_not_count(tmp_path, numbered):
    probed = found(videos.make_trimmed(tmp_path / "v.mp4", numbered, start_s=3.0))
    assert len(probed.times_s) == pytest.approx(225, abs=2)
    assert probed.duration_s == pytest.approx(9.0, abs=0.08)


@pytest.mark.parametrize("default", [0, 1])
def test_the_default_sound_track_is_chosen(tmp_path, default):
    probed = found(videos.make_two_tracks(tmp_path / "v.mkv", default=default))
    assert probed.audio_stream == 1 + default


def test_a_multitude_of_tags_does_not_hide_the_sound(tmp_path):
    tags = "\n".join(f"tag{n}={'x' * 200}" for n in range(2000))
    chapters = "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=x\n" * 2000
    (tmp_path / "tags.txt").write_text(f";FFMETADATA1\n{tags}\n{chapters}")
    source = videos.make_numbered(tmp_path / "s.mkv", n_frames=50, sound=videos.TONE)
    path = tmp_path / "v.mkv"
    inputs = ("-i", source, "-i", tmp_path / "tags.txt")
    videos.run_ffmpeg(*inputs, "-map", "0", "-map_metadata", "1", "-c", "copy", path)
    assert found(path).audio_stream == 1


def test_of_a_hundred_tracks_one_is_decoded(tmp_path, numbered):
    tracks = [word for _ in range(100) for word in ("-map", "0:a")]
    path = tmp_path / "v.mkv"
    videos.run_ffmpeg("-i", numbered, "-map", "0:v", *tracks, "-c", "copy", path)
    decoded = decode_all(path, limits=Limits(max_memory_bytes=512 << 20))
    assert decoded.facts.error is None and decoded.facts.has_audio
    assert decoded.facts.decode_cpu_s < 10


def test_no_sound_is_no_track(tmp_path):
    assert found(videos.make_numbered(tmp_path / "v.mp4", n_frames=25)).audio_stream is None


def test_a_missing_codec_is_no_crash(tmp_path):
    path = videos.make_numbered(tmp_path / "v.mp4", n_frames=25)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError) as caught:
        found(path)
    assert caught.value.kind in {ErrorKind.DECODE, ErrorKind.NO_VIDEO}


def test_times_at_both_ends_of_64_bits_are_a_very_long_video():
    packets = _Packets(Limits())
    for ticks in (-(2**63) + 1, 2**63 - 1):
        packets.feed(f"#tb 0: 1/1000\n0, {ticks}, {ticks}, 40, 10, 0x0\n".encode())
    _, times_s, duration_s = packets.timeline()
    assert len(times_s) == 2 and times_s[0] == 0 and duration_s > 1e16
