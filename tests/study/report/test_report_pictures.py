"""Thumbnails of real recordings: of the surest clips, and only of what was scored."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from invented_rows import make_output

from ah_ray import storage
from ah_ray.media.ffmpeg.program import ffmpeg_path
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.study.report.pictures import PER_VIDEO, Thumbnails, take_thumbnails

BRIGHTNESS = (30, 90, 150, 210, 60)


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """25 s; each 5 s of another grey."""
    path = tmp_path_factory.mktemp("recordings") / "greys.mp4"
    grey = np.concatenate([np.full((25, 96, 128), value, np.uint8) for value in BRIGHTNESS])
    command = [ffmpeg_path(), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "gray"]
    command += ["-s", "128x96", "-r", "5", "-i", "pipe:0", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, input=grey.tobytes(), check=True)
    return path


def of(out: str) -> Thumbnails:
    return take_thumbnails(read_verdicts(out), read_clips(out))


def output(folder: Path, recording: Path) -> str:
    entry = storage.stat(str(recording))
    out = str(folder / "scores")
    make_output(out, {"greys": [0.1, 0.9, 0.2, 0.8, 0.7]}, uri=str(recording), etag=entry.etag)
    return out


def test_pictures_are_those_of_the_surest_clips(tmp_path, recording):
    found = of(output(tmp_path, recording)).by_video["greys"]
    assert sorted(found) == [1, 3, 4]
    assert len(found) == PER_VIDEO
    for clip, picture in found.items():
        command = [ffmpeg_path(), "-loglevel", "error", "-f", "mjpeg", "-i", "pipe:0"]
        command += ["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]
        content = base64.b64decode(picture)
        pixels = subprocess.run(command, input=content, capture_output=True, check=True).stdout
        assert abs(np.frombuffer(pixels, np.uint8).mean() - BRIGHTNESS[clip]) < 15


def test_a_recording_that_has_changed_or_gone_has_none_and_says_why(tmp_path, recording):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(recording.read_bytes())
    out = output(tmp_path, copy)
    assert of(out).missing == {}
    os.utime(copy, ns=(1, 1))
    assert of(out).by_video == {}
    assert of(out).missing == {"greys": "the recording is no longer what was scored"}
    copy.unlink()
    assert of(out).by_video == {}
    assert of(out).missing == {"greys": "the recording is no longer where it was scored"}


def test_progress_counts_videos(tmp_path, recording):
    out, seen = output(tmp_path, recording), []
    take_thumbnails(read_verdicts(out), read_clips(out), lambda: seen.append(1))
    assert seen == [1]
