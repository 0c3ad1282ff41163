"""Memory of a decoder and its child does not depend on how long the video is.

But for the index of an MP4, which libav keeps in memory: about 18 MB an hour at 25 fps with sound.
"""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import videos
from decoder_memory import decoder_bytes, decoding_processes
from restless_videos import make_restless

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.profile import load_profile

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
    short = measure(videos.make_looped(tmp_path / "short.mp4", source, times=3))
    long = measure(videos.make_looped(tmp_path / "long.mp4", source, times=15))
    assert (short["n_clips"], long["n_clips"]) == (12, 60)
    assert long["peak_mb"] < 400
    assert long["peak_mb"] < short["peak_mb"] + 15


def test_pictures_whose_times_jump_back_and_forth_are_not_all_kept(tmp_path):
    """Each is the first at or after a pick, and no window is ever full."""
    options = {"n_frames": 1500, "fps": "500", "size_px": (64, 64)}
    codec = (*videos.VP8_LIVE[:-1], "50k")
    live = videos.make_numbered(tmp_path / "live.webm", codec=codec, live=True, **options)
    path = make_restless(
        tmp_path / "v.webm", live, lambda n: 4000 + n // 2 if n % 2 and n < 1900 else 0
    )
    found = measure(path)
    assert found["error"] is None and found["n_clips"] == 1
    assert found["peak_mb"] < 350  # half of the pictures are 295 MB


@pytest.mark.heavy
def test_a_gap_of_hours_in_the_sound_is_not_kept_as_silence(tmp_path):
    """There are two seconds of sound, and the second one claims to be hours later."""
    path = tmp_path / "gap.mkv"
    videos.run_ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=10"),
        *("-f", "lavfi", "-i", f"aevalsrc='{videos.TONE}':s=48000:d=2"),
        *("-filter_complex", "[1]asetpts='if(gt(T,1),PTS+9000/TB,PTS)'[a]"),
        *("-map", "0:v", "-map", "[a]", *videos.X264, "-c:a", "pcm_s16le", path),
    )
    found = measure(path)
    assert found["error"] is None and found["n_clips"] == 2
    assert found["peak_mb"] < 350  # the silence is 576 MB


def test_a_process_that_is_being_started_is_not_counted_twice():
    """Between fork and exec it has all the memory of the process that starts it."""
    script = (
        "import subprocess, sys\n"
        "held = bytearray(b'x' * 300_000_000)\n"
        "print('ready', flush=True)\n"
        "while sys.stdin.readable(): subprocess.run(['true'], start_new_session=True)\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        starter.stdout.readline()
        process = psutil.Process(starter.pid)
        measured = [decoder_bytes(process) for _ in range(300)]
        starter.kill()
    assert min(measured) > 300e6 and max(measured) < 350e6


def test_the_list_of_packets_of_three_hours_is_given_back(tmp_path):
    """What a child keeps of half a million packets is their index in libav, and their times."""
    short = videos.make_numbered(tmp_path / "s.mp4", n_frames=300, fps="5", sound=videos.TONE)
    long = videos.make_looped(tmp_path / "long.mp4", short, times=180)
    held = {}
    for path in (short, long):
        clips = decode(path, profile=load_profile("seed-448"), windows=Windows(), limits=Limits())
        with closing(clips):
            next(clips)  # all packets were read before
            child = decoding_processes(psutil.Process())[-1]
            held[path] = child.memory_full_info().uss
    assert held[long] - held[short] < 75e6  # 87 MB and more if it is kept
