"""Packets as the container stores them, read in a cage, whose answers are checked."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import videos
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.ffmpeg.program import ffmpeg_path
from ah_ray.media.messages import DISCARDED, KEY
from ah_ray.media.packet_list import Packets, check_packets, list_packets

TRACKS = {"codec": "h264", "pixel_format": "yuv420p", "sound_codec": "aac", "tick_s": 0.001,
          "start_s": 0.5}  # fmt: skip


def listed(source, **limits: object) -> Packets:
    deadline = time.monotonic() + 60
    return list_packets(source, limits=Limits(**limits), deadline=deadline)


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("packets") / "recording.mkv"
    codec = (*videos.X264, "-c:a", "aac")
    return videos.make_numbered(path, n_frames=100, codec=codec, sound=videos.TONE)


def test_they_are_those_that_ffmpeg_lists(recording):
    command = [ffmpeg_path(), "-v", "error", "-i", recording, "-map", "0:V:0", "-c", "copy"]
    text = subprocess.run([*command, "-f", "framecrc", "-"], capture_output=True, check=True)
    rows = [line.split(b",") for line in text.stdout.splitlines() if line.startswith(b"0,")]
    found = listed(recording)
    assert np.round(found.times_s * 1000).tolist() == [int(row[2]) for row in rows]
    assert [size for size, _ in found.contents] == [int(row[4]) for row in rows]
    assert found.is_key.tolist() == [n % 50 == 0 for n in range(100)]
    assert found.is_shown.all() and found.may_be_copied


def test_times_go_on_where_the_clock_turns_over(tmp_path):
    path = tmp_path / "wraps.ts"
    options = ("-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", str(2**33 / 90_000 - 2))
    videos.make_numbered(path, n_frames=100, options=options)
    assert np.sort(listed(path).times_s) == pytest.approx(np.arange(100) / 25, abs=0.1)


def test_a_recording_needs_no_name(recording):
    with tempfile.TemporaryFile() as unnamed:
        unnamed.write(recording.read_bytes())
        assert listed(unnamed).contents == listed(recording).contents


def test_tags_in_no_known_encoding_are_no_damage(recording, tmp_path):
    path = tmp_path / "tagged.mkv"
    videos.run_ffmpeg("-i", recording, "-c", "copy", "-metadata", "title=" + "x" * 20, path)
    path.write_bytes(path.read_bytes().replace(b"x" * 20, b"\xa4\xff\xfe\x80" * 5))
    assert listed(path).contents == listed(recording).contents


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (videos.make_garbage, ErrorKind.UNREADABLE),
        (videos.make_sound_only, ErrorKind.NO_VIDEO),
        (videos.make_empty, ErrorKind.UNREADABLE),
    ],
)
def test_what_has_no_picture_is_an_error_of_the_video(make, kind, tmp_path):
    with pytest.raises(VideoError) as caught:
        listed(make(tmp_path / "no.mp4"))
    assert caught.value.kind is kind


def test_a_file_that_is_cut_off_has_the_packets_that_are_there(recording, tmp_path):
    source = videos.make_numbered(tmp_path / "whole.mp4", n_frames=100)
    cut_off = videos.make_truncated(tmp_path / "short.mp4", source, share=0.5)
    assert 10 < len(listed(cut_off).contents) < 100


def test_more_packets_than_any_recording_has_are_refused(recording):
    with pytest.raises(VideoError, match="more than 60 frames") as caught:
        listed(recording, max_duration_s=0.5)
    assert caught.value.kind is ErrorKind.REFUSED


def test_what_the_process_sends_is_read():
    columns = (np.array(column) for column in ([500, 540], [10, 20], [1, 2], [KEY, DISCARDED]))
    packets = check_packets(TRACKS, *columns)
    assert packets.times_s.round(6).tolist() == [0.0, 0.04]
    assert (packets.is_key.tolist(), packets.is_shown.tolist()) == ([True, False], [True, False])
    assert packets.contents == ((10, 1), (20, 2)) and packets.may_be_copied


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())


@given(st.fixed_dictionaries({name: st.just(one) | anything for name, one in TRACKS.items()}))
def test_any_message_of_the_process_is_packets_or_an_error_of_the_video(header):
    """A recording that takes the process over speaks through it."""
    columns = [np.array([2**62, -(2**62)])] * 4
    try:
        packets = check_packets(header, *columns)
    except VideoError as error:
        assert error.kind is ErrorKind.DECODE
    else:
        assert np.isfinite(packets.times_s).all() and len(packets.contents) == 2
