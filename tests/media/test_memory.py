"""Memory of a decoder and its ffmpeg does not depend on how long the video is.

But for the index of an MP4, which ffmpeg keeps in memory: about 18 MB an hour at 25 fps with sound.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import videos
from restless_videos import make_restless

SCRIPT = Path(__file__).with_name("decode_and_measure.py")


def measure(path: Path) -> dict:
    """Decodes in a fresh process, so that what pytest holds does not count."""
    command = [sys.executable, str(SCRIPT), str(path), "seed"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    return videos.make_numbered(folder / "s.mp4", n_frames=500, sound=videos.TONE)


def test_five_times_the_length_is_the_same_memory(tmp_path, source):
    short = measure(videos.make_looped(tmp_path / "short.mp4", source, times=6))
    long = measure(videos.make_looped(tmp_path / "long.mp4", source, times=30))
    assert (short["n_clips"], long["n_clips"]) == (24, 120)
    assert long["peak_mb"] < 400
    assert long["peak_mb"] < short["peak_mb"] + 15


def test_pictures_whose_times_jump_to_and_fro_are_not_all_kept(tmp_path):
    """Each is the first at or after a pick, and no window is ever full."""
    options = {"n_frames": 1500, "fps": "500", "size_px": (64, 64)}
    codec = (*videos.VP8_LIVE[:-1], "50k")
    live = videos.make_numbered(tmp_path / "live.webm", codec=codec, live=True, **options)
    path = make_restless(
        tmp_path / "v.webm", live, lambda n: 4000 + n // 2 if n % 2 and n < 1900 else 0
    )
    found = measure(path)
    assert found["error"] is None and found["n_clips"] == 1
    assert found["own_mb"] < 250  # half of the pictures are 295 MB


@pytest.mark.heavy
def test_a_gap_of_hours_in_the_sound_is_not_kept_as_silence(tmp_path):
    """Two seconds of sound, the second of which says that it comes hours later."""
    path = tmp_path / "gap.mkv"
    videos.run_ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=10"),
        *("-f", "lavfi", "-i", f"aevalsrc='{videos.TONE}':s=48000:d=2"),
        *("-filter_complex", "[1]asetpts='if(gt(T,1),PTS+9000/TB,PTS)'[a]"),
        *("-map", "0:v", "-map", "[a]", *videos.X264, "-c:a", "pcm_s16le", path),
    )
    found = measure(path)
    assert found["error"] is None and found["n_clips"] == 2
    assert found["own_mb"] < 300  # the silence is 576 MB
