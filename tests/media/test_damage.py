"""Damaged videos: what is sound survives, what is not says so."""

import struct

import pytest
import videos
from decoding import decode_all

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind


def long_video(tmp_path, name="long.mp4", **settings):
    return videos.make_numbered(tmp_path / name, n_frames=750, sound=videos.TONE, **settings)


def test_a_damaged_stretch_fails_its_clips_and_the_others_survive(tmp_path):
    bad = videos.make_flipped(tmp_path / "bad.mp4", long_video(tmp_path))
    decoded = decode_all(bad)
    failed = [clip.clip_index for clip in decoded.clips if clip.error]
    assert decoded.facts.n_clips == 6
    assert failed and set(failed) <= {2, 3}
    assert decoded.facts.error_kind is ErrorKind.DECODE
    assert "damaged" in decoded.facts.error
    for clip in decoded.clips:
        if not clip.error:
            first = 125 * clip.clip_index
            assert videos.read_number(clip.frames[0]) == first


def test_damage_is_found_in_every_codec(tmp_path):
    for name, codec in {
        "vp9.webm": videos.VP9,
        "mpeg4.avi": videos.MPEG4,
        "h264.ts": videos.X264,
    }.items():
        source = videos.make_numbered(tmp_path / name, n_frames=750, codec=(*codec, "-g", "50"))
        decoded = decode_all(videos.make_flipped(tmp_path / f"bad-{name}", source))
        failed = [clip.clip_index for clip in decoded.clips if clip.error]
        assert failed and set(failed) <= {2, 3, 4}, name
        assert decoded.facts.n_clips == 6, name


def test_an_upload_that_was_cut_off_keeps_what_came(tmp_path):
    cut = videos.make_truncated(tmp_path / "cut.mp4", long_video(tmp_path), share=0.5)
    decoded = decode_all(cut)
    assert decoded.facts.n_clips == 6
    assert decoded.kinds[:2] == [None, None]
    assert set(decoded.kinds[3:]) == {ErrorKind.DECODE}
    assert "cut off" in decoded.facts.error
    assert 10 <= decoded.facts.duration_s <= 20


def test_a_matroska_file_that_was_cut_off_is_not_taken_for_a_short_video(tmp_path):
    content = long_video(tmp_path, "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    decoded = decode_all(tmp_path / "cut.mkv")
    assert decoded.facts.n_clips == 6
    assert decoded.kinds[:2] == [None, None] and decoded.kinds[-1] is ErrorKind.DECODE


def test_a_header_that_promises_ages_plans_no_more_than_the_limit(tmp_path):
    content = bytearray(videos.make_numbered(tmp_path / "w.mkv").read_bytes())
    duration = content.index(b"\x44\x89\x88") + 3  # the element Duration, in milliseconds
    for promised_s in (10_000.0, 1e9):
        content[duration : duration + 8] = struct.pack(">d", 1000 * promised_s)
        (tmp_path / "cut.mkv").write_bytes(content[: len(content) * 2 // 3])
        decoded = decode_all(tmp_path / "cut.mkv", limits=Limits(max_duration_s=60.0))
        assert decoded.kinds[0] is None and decoded.kinds[-1] is ErrorKind.DECODE
        assert decoded.facts.n_clips == 12 and "cut off" in decoded.facts.error


INTACT = {
    "gradual refresh": (*videos.X264[:4], "-x264-params", "intra-refresh=1:keyint=50"),
    "open groups": ("-c:v", "libx264", "-x264-params", "open-gop=1:keyint=50:bframes=3"),
    "interlaced": ("-c:v", "libx264", "-flags", "+ildct+ilme"),
    "HEVC": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"),
    "MPEG-2": ("-c:v", "mpeg2video", "-q:v", "2"),
}


@pytest.mark.parametrize("kind", INTACT)
def test_unusual_streams_are_not_taken_for_damaged_ones(tmp_path, kind):
    path = videos.make_numbered(tmp_path / "v.ts", codec=INTACT[kind], sound=videos.TONE)
    decoded = decode_all(path)
    assert decoded.kinds == [None, None]
    assert [numbers[0] for numbers in decoded.numbers] == [0, 125]


def test_a_recording_that_was_joined_late_starts_at_its_first_whole_picture(tmp_path):
    codec = ("-c:v", "libx264", "-x264-params", "open-gop=1:keyint=50:bframes=3")
    content = videos.make_numbered(tmp_path / "v.ts", codec=codec).read_bytes()
    (tmp_path / "late.ts").write_bytes(content[188 * 100 :])
    decoded = decode_all(tmp_path / "late.ts")
    first = decoded.numbers[0][0]
    assert first > 0 and decoded.kinds[0] is None
    assert decoded.facts.duration_s == pytest.approx((300 - first) / 25, abs=0.01)


def test_metadata_cannot_speak_for_ffmpeg(tmp_path):
    title = (
        "a\n[in#0/x @ 0x1] partial file\n[vist#0:0/h264 @ 0x5] corrupt decoded frame\n"
        "  Stream #0:7(und): Audio: aac (default)\n  Duration: 09:00:00.00, start"
    )
    path = videos.make_numbered(
        tmp_path / "v.mp4",
        sound=videos.TONE,
        options=("-metadata", f"title={title}", "-metadata:s:v", f"handler_name={title}"),
    )
    decoded = decode_all(path)
    assert decoded.facts.n_clips == 2 and decoded.facts.error is None


def test_an_index_that_was_cut_off_is_unreadable(tmp_path):
    cut = videos.make_truncated(
        tmp_path / "cut.mp4", long_video(tmp_path), share=0.5, moov_first=False
    )
    facts = decode_all(cut).facts
    assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.UNREADABLE)
    assert "moov" in facts.error


def test_garbage_and_nothing_are_unreadable(tmp_path):
    for path in (videos.make_garbage(tmp_path / "g.mp4"), videos.make_empty(tmp_path / "e.mp4")):
        facts = decode_all(path).facts
        assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.UNREADABLE)
    assert "empty" in facts.error


def test_a_missing_file_and_a_directory_are_unreadable(tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path):
        assert decode_all(path).facts.error_kind is ErrorKind.UNREADABLE


def test_sound_alone_is_no_video(tmp_path):
    for path in (
        videos.make_sound_only(tmp_path / "a.mp3"),
        videos.make_sound_only(tmp_path / "b.m4a"),
        videos.make_sound_only(tmp_path / "c.wav"),
        videos.make_sound_only(tmp_path / "cover.mp3", cover=True),
        videos.make_sound_only(tmp_path / "cover.m4a", cover=True),
    ):
        facts = decode_all(path).facts
        assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.NO_VIDEO), path.name


def test_a_single_picture_is_no_video(tmp_path):
    for name in ("p.png", "p.jpg"):
        videos.run_ffmpeg(
            "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", tmp_path / name
        )
        assert decode_all(tmp_path / name).facts.error_kind is ErrorKind.NO_VIDEO


def test_a_video_of_one_frame_is_one_window_that_shows_it_twice(tmp_path):
    path = tmp_path / "v.webm"
    decoded = decode_all(
        videos.make_numbered(path, n_frames=1, codec=videos.VP8_LIVE, pts_ms="N", live=True)
    )
    assert decoded.numbers == [[0, 0]]
    assert decoded.facts.duration_s == pytest.approx(0.04)


def test_a_cover_beside_a_real_video_is_left_out(tmp_path, numbered):
    path = tmp_path / "v.mp4"
    videos.run_ffmpeg(
        *("-i", numbered, "-f", "lavfi", "-t", "0.04", "-i", "color=red:s=64x64"),
        *("-map", "1:v", "-map", "0", "-c:v:0", "mjpeg", "-c:v:1", "copy", "-c:a", "copy"),
        *("-disposition:v:0", "attached_pic", path),
    )
    assert decode_all(path).numbers == decode_all(numbered).numbers


def test_still_and_black_pictures_are_flagged(tmp_path):
    for picture, still in {
        "color=black:s=320x240:r=25": True,
        "smptebars=s=320x240:r=25": True,
        "testsrc2=s=320x240:r=25": False,
    }.items():
        path = videos.make_plain(tmp_path / "v.mp4", picture, seconds=6)
        assert decode_all(path).facts.picture_is_still is still, picture


def test_more_frames_than_any_recording_has_are_refused(tmp_path):
    path = videos.make_numbered(tmp_path / "v.mkv", n_frames=500, fps="500", size_px=(64, 64))
    facts = decode_all(path, limits=Limits(max_duration_s=4)).facts
    assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.REFUSED)
    assert "more than 480 frames: raise --max-duration-s, which allows 120 a second" in facts.error
    assert decode_all(path, limits=Limits(max_duration_s=6)).facts.error is None


def test_a_limit_that_is_met_is_named(tmp_path, numbered):
    for limits, name in {
        Limits(max_bytes=1000): "--max-bytes",
        Limits(max_pixels=1000): "--max-pixels",
        Limits(max_duration_s=5): "--max-duration-s",
    }.items():
        facts = decode_all(numbered, limits=limits).facts
        assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.REFUSED)
        assert name in facts.error
