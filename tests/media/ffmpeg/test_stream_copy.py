"""Windows copied where they can stand alone, encoded where not: the same pictures either way."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import videos
from hypothesis import given
from hypothesis import strategies as st
from seen_file import look_at

from ah_ray.config import Limits, Windows
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.decode import decode
from ah_ray.media.ffmpeg import stream_copy
from ah_ray.media.ffmpeg.stream_copy import Source, Way, rows_of
from ah_ray.media.packet_list import Packets, list_packets
from ah_ray.profile import load_profile
from ah_ray.records import Clip

EVERY_5_S = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "125", "-keyint_min", "125",
             "-sc_threshold", "0", "-bf", "2")  # fmt: skip
AAC = ("-c:a", "aac")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """12 s of H.264 with B-frames, a key frame every 5 s, and a tone."""
    path = tmp_path_factory.mktemp("source") / "source.mp4"
    return videos.make_numbered(path, codec=EVERY_5_S, sound=videos.TONE)


def remade(path: Path, source: Path, *options: str, reading: tuple[str, ...] = ()) -> Path:
    videos.run_ffmpeg(*reading, "-i", source, *options, path)
    return path


def cut(source: Path, folder: Path, start_s: float, end_s: float) -> tuple[Way, Path]:
    mp4 = folder / "clip.mp4"
    return Source(source, Limits()).cut(start_s=start_s, end_s=end_s, mp4=mp4), mp4


def numbers(path: Path) -> list[int]:
    """What the pictures show that a model would see in the first window of a video."""
    clips = decode(path, profile=load_profile("seed-448"), windows=Windows(), limits=Limits())
    return [
        videos.read_number(frame) for frame in next(c for c in clips if isinstance(c, Clip)).frames
    ]


@pytest.mark.parametrize(
    ("start_s", "end_s", "way"),
    [
        (0, 5, Way.COPIED),
        (5, 10, Way.COPIED),
        (10, 12, Way.COPIED),
        (2, 7, Way.ENCODED),
        (5.04, 10, Way.ENCODED),
    ],
)
def test_the_pictures_are_those_of_the_window(source, tmp_path, start_s, end_s, way):
    found, mp4 = cut(source, tmp_path, start_s, end_s)
    assert found is way
    seen = look_at(mp4)
    assert len(seen.times_s) == round((end_s - start_s) * 25)
    assert seen.duration_s == pytest.approx(end_s - start_s, abs=0.001)
    assert seen.container_s < end_s - start_s + 0.1
    shown = numbers(mp4)
    assert shown[0] == round(start_s * 25) and max(shown) < end_s * 25


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("start_s", [0, 5, 3])
def test_times_count_from_the_first_picture(source, tmp_path, ending, start_s):
    """Its sound begins 1.52 s before it: a window is one of the picture all the same."""
    late = tmp_path / f"late.{ending}"
    videos.run_ffmpeg(
        "-itsoffset", "1.52", "-i", source, "-i", source, "-map", "0:v", "-map", "1:a",
        "-c", "copy", late,
    )  # fmt: skip
    _, mp4 = cut(late, tmp_path, start_s, start_s + 2)
    shown = numbers(mp4)
    assert shown[0] == start_s * 25 and max(shown) < (start_s + 2) * 25


def test_nothing_is_lost_by_copying(source, tmp_path):
    _, mp4 = cut(source, tmp_path, 5, 10)
    listed = [
        list_packets(path, limits=Limits(), deadline=time.monotonic() + 60)
        for path in (source, mp4)
    ]
    assert listed[1].contents == listed[0].contents[125:250]


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("ts", ("-c", "copy")),  # its packets are of another form than an mp4's
        ("mkv", ("-c:v", "copy", "-c:a", "libvorbis")),
        ("webm", (*videos.VP8_LIVE, "-c:a", "libopus")),
        ("mp4", (*EVERY_5_S, "-pix_fmt", "yuv444p", "-c:a", "copy")),
        ("avi", ("-c", "copy")),  # its packets do not tell when they are shown
    ],
)
def test_what_a_browser_may_not_play_is_encoded(source, tmp_path, ending, options):
    found, mp4 = cut(remade(tmp_path / f"other.{ending}", source, *options), tmp_path, 5, 10)
    assert found is Way.ENCODED
    listed = list_packets(mp4, limits=Limits(), deadline=time.monotonic() + 60)
    assert listed.may_be_copied
    assert numbers(mp4)[0] == pytest.approx(125, abs=2 if ending == "avi" else 0)


def test_what_follows_a_key_frame_and_is_shown_before_it(source, tmp_path):
    """An open group of pictures cannot be entered without the one before."""
    options = "open-gop=1:b-adapt=0:keyint=120:min-keyint=1:scenecut=0:bframes=3"
    codec = ("-c:v", "libx264", "-preset", "veryfast", "-x264-params", options)
    path = videos.make_numbered(tmp_path / "open.mp4", codec=codec)
    found, mp4 = cut(path, tmp_path, 4.8, 9.8)
    assert found is Way.ENCODED and numbers(mp4)[0] == 120
    assert list_packets(path, limits=Limits(), deadline=time.monotonic() + 60).is_key.tolist()[
        117
    ], "a key frame, after which come pictures that are shown before it"


def test_what_an_edit_list_hides_is_not_copied(source, tmp_path):
    path = videos.make_trimmed(tmp_path / "trimmed.mp4", source, start_s=2)
    found, mp4 = cut(path, tmp_path, 0, 2)
    assert found is Way.ENCODED and numbers(mp4)[0] == 50


def test_another_copy_than_was_meant_is_not_taken(source, tmp_path, monkeypatch):
    def from_the_beginning(recording, limits, *, start_s, seconds):
        return as_asked(recording, limits, start_s=0.0, seconds=seconds)

    as_asked = stream_copy.recording_input
    monkeypatch.setattr(stream_copy, "recording_input", from_the_beginning)
    found, mp4 = cut(source, tmp_path, 5, 10)
    assert found is Way.ENCODED and numbers(mp4)[0] == 125


@pytest.mark.parametrize(("start_s", "way"), [(5, Way.COPIED), (3, Way.ENCODED)])
def test_nothing_of_the_metadata_goes_along(source, tmp_path, start_s, way):
    names = ("-metadata", "title=Ann at home", "-metadata:s:v", "handler_name=Ann's phone")
    path = remade(tmp_path / "named.mp4", source, "-c", "copy", *names)
    assert b"Ann at home" in path.read_bytes() and b"Ann's phone" in path.read_bytes()
    found, mp4 = cut(path, tmp_path, start_s, start_s + 5)
    assert found is way and b"Ann" not in mp4.read_bytes()


def test_upright_stays_upright(source, tmp_path):
    path = videos.make_rotated(tmp_path / "upright.mp4", source, degrees=90)
    found, mp4 = cut(path, tmp_path, 5, 10)
    seen = look_at(mp4)
    assert found is Way.COPIED and (seen.width_px, seen.height_px) == (240, 320)


def test_what_cannot_be_cut_is_reported(source, tmp_path):
    with pytest.raises(VideoError) as caught:
        cut(videos.make_garbage(tmp_path / "noise.mp4"), tmp_path, 0, 5)
    assert caught.value.kind is ErrorKind.UNREADABLE
    with pytest.raises(VideoError):
        cut(source, tmp_path, 20, 25)


def packets(times: list[int], keys: set[int]) -> Packets:
    """Pictures at whole seconds, in the order of their packets; `keys` are places."""
    n = len(times)
    return Packets(
        may_be_copied=True,
        times_s=np.array(times, float),
        is_key=np.isin(np.arange(n), list(keys)),
        is_shown=np.ones(n, bool),
        contents=tuple(b"%d" % time for time in times),
    )


@given(st.permutations(range(9)), st.sets(st.integers(0, 8)), st.integers(0, 8), st.integers(1, 9))
def test_rows_are_the_window_and_begin_with_a_key_frame(times, keys, start, length):
    rows = rows_of(packets(times, keys), start, start + length)
    wanted = set(range(start, min(9, start + length)))
    if rows is None:
        place = times.index(start)
        run = set(times[place : place + len(wanted)])
        assert place not in keys or run != wanted
    else:
        assert set(times[rows]) == wanted and times[rows.start] == start and rows.start in keys


def test_no_rows_where_there_is_no_picture():
    assert rows_of(packets([0, 1], {0, 1}), 2, 7) is None
    assert rows_of(packets([0, 3], {0, 1}), 1, 6) is None, "the first picture still stands"
