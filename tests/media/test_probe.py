"""What the probe says of real files before they are decoded."""

import time

import pytest
import videos
from decoding import decode_all

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.probe import Probe, probe


def probe_file(path):
    return probe(path, limits=Limits(), deadline=time.monotonic() + 60)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts", "v.avi", "v.mov"])
def test_length_tracks_and_pictures_are_those_of_the_file(tmp_path, name):
    path = videos.make_numbered(tmp_path / name, n_frames=130, sound=videos.TONE)
    probed = probe_file(path)
    assert probed.n_pictures == 130
    assert probed.duration_s == probed.planned_s == pytest.approx(5.2, abs=0.002)
    assert (probed.picture_track, probed.sound_track) == (0, 1)
    assert probed.unscored_sound_s == 0


def test_packets_that_an_edit_list_hides_do_not_count(tmp_path, numbered):
    probed = probe_file(videos.make_trimmed(tmp_path / "v.mp4", numbered, start_s=3.0))
    assert probed.n_pictures == pytest.approx(225, abs=2)
    assert probed.duration_s == pytest.approx(9.0, abs=0.08)


@pytest.mark.parametrize("default", [0, 1])
def test_the_default_sound_track_is_chosen(tmp_path, default):
    probed = probe_file(videos.make_two_tracks(tmp_path / "v.mkv", default=default))
    assert probed.sound_track == 1 + default


def test_a_multitude_of_tags_does_not_hide_the_sound(tmp_path):
    tags = "\n".join(f"tag{n}={'x' * 200}" for n in range(2000))
    chapters = "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=x\n" * 2000
    (tmp_path / "tags.txt").write_text(f";FFMETADATA1\n{tags}\n{chapters}")
    source = videos.make_numbered(tmp_path / "s.mkv", n_frames=50, sound=videos.TONE)
    path = tmp_path / "v.mkv"
    inputs = ("-i", source, "-i", tmp_path / "tags.txt")
    videos.run_ffmpeg(*inputs, "-map", "0", "-map_metadata", "1", "-c", "copy", path)
    assert probe_file(path).sound_track == 1


def test_of_a_hundred_tracks_one_is_decoded(tmp_path, numbered):
    tracks = [word for _ in range(100) for word in ("-map", "0:a")]
    path = tmp_path / "v.mkv"
    videos.run_ffmpeg("-i", numbered, "-map", "0:v", *tracks, "-c", "copy", path)
    decoded = decode_all(path, limits=Limits(max_memory_bytes=512 << 20))
    assert decoded.facts.error is None and decoded.facts.has_audio
    assert decoded.facts.decode_cpu_s < 10


def test_no_sound_is_no_track(tmp_path):
    assert probe_file(videos.make_numbered(tmp_path / "v.mp4", n_frames=25)).sound_track is None


def test_a_missing_codec_is_no_crash(tmp_path):
    path = videos.make_numbered(tmp_path / "v.mp4", n_frames=25)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError) as caught:
        probe_file(path)
    assert caught.value.kind in {ErrorKind.DECODE, ErrorKind.NO_VIDEO}


def test_a_file_that_was_cut_off_says_how_long_it_was_meant_to_be(tmp_path, numbered):
    probed = probe_file(videos.make_truncated(tmp_path / "v.mp4", numbered, share=0.5))
    assert probed.planned_s == pytest.approx(12.0, abs=0.1)
    assert 3 < probed.duration_s < 9


RIGHT = {
    "planned_s": 12.0, "duration_s": 12.0, "n_pictures": 300, "picture_track": 0,
    "sound_track": 1, "first_s": -0.5, "unscored_sound_s": 0.0,
}  # fmt: skip


def test_a_right_answer_is_taken():
    assert Probe.of(RIGHT, Limits()) == Probe(**RIGHT)
    assert Probe.of({**RIGHT, "sound_track": None}, Limits()).sound_track is None


JUNK = [float("nan"), float("inf"), -float("inf"), 1e300, "12", None, [], {}, True, 1 << 80]


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("value", JUNK, ids=repr)
def test_an_answer_that_cannot_be_true_is_damage(name, value):
    if name == "sound_track" and value is None:
        return
    with pytest.raises(VideoError) as caught:
        Probe.of({**RIGHT, name: value}, Limits())
    assert caught.value.kind is ErrorKind.DECODE


def test_an_answer_beyond_the_limits_is_damage():
    for name, most in {"planned_s": 12.0, "duration_s": 12.0, "n_pictures": 1440}.items():
        limits = Limits(max_duration_s=12.0)
        Probe.of({**RIGHT, name: most}, limits)
        with pytest.raises(VideoError):
            Probe.of({**RIGHT, name: most + 1}, limits)
