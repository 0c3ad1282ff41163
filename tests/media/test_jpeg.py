"""A picture as a JPEG, read back by the real ffmpeg."""

from __future__ import annotations

import subprocess

import numpy as np

from ah_ray.media.ffmpeg.program import ffmpeg_path
from ah_ray.media.jpeg import encode_jpeg


def decoded(content: bytes, height_px: int, width_px: int) -> np.ndarray:
    command = [ffmpeg_path(), "-loglevel", "error", "-f", "mjpeg", "-i", "pipe:0"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    pixels = subprocess.run(command, input=content, capture_output=True, check=True).stdout
    return np.frombuffer(pixels, np.uint8).reshape(height_px, width_px, 3)


def test_it_shows_the_same_picture():
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:32, :, 0] = 200  # red above
    frame[32:, :48, 2] = 220  # blue below, on the left
    found = decoded(encode_jpeg(frame), 64, 96).astype(int)
    for where in (np.s_[4:28, 4:92], np.s_[36:60, 4:44], np.s_[36:60, 52:92]):
        assert np.abs(found[where] - frame[where]).max() < 40


def test_it_holds_nothing_but_the_picture():
    content = encode_jpeg(np.full((32, 32, 3), 99, np.uint8))
    assert content.startswith(b"\xff\xd8")
    assert content.endswith(b"\xff\xd9")
    assert b"Exif" not in content
    assert b"Lavc" not in content
