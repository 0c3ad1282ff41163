"""A crash, a hang or greed of the decoder costs one video, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import videos
from decoding import PROFILE, decode_all
from decoding_processes import (
    children,
    descriptors,
    end_warm_parent,
    wait_until,
    warm_parent,
)

from ah_ray.config import Limits, Windows
from ah_ray.errors import ErrorKind, Interrupted
from ah_ray.media import decode_process
from ah_ray.media.decode import decode
from ah_ray.media.ffmpeg import program


def start(path: Path, **limits: object):
    return decode(path, profile=PROFILE, windows=Windows(), limits=Limits(**limits))


@pytest.fixture(scope="module")
def minutes(tmp_path_factory) -> Path:
    """Two minutes of 25 fps video with sound."""
    folder = tmp_path_factory.mktemp("minutes")
    source = videos.make_numbered(folder / "s.mp4", n_frames=500, sound=videos.TONE)
    return videos.make_looped(folder / "m.mp4", source, times=6)


def test_closing_early_leaves_no_process_descriptor_or_file(minutes):
    warm_parent()
    before, files = descriptors(), sorted(minutes.parent.iterdir())
    clips = start(minutes)
    next(clips)
    assert children()
    clips.close()
    assert not children()
    assert descriptors() == before
    assert sorted(minutes.parent.iterdir()) == files


def test_a_whole_run_leaves_nothing_either(numbered):
    warm_parent()
    before = descriptors()
    decode_all(numbered)
    assert descriptors() == before and not children()


@pytest.mark.parametrize("n_videos", [40, pytest.param(200, marks=pytest.mark.heavy)])
def test_many_videos_leave_nothing(tmp_path, n_videos):
    path = videos.make_numbered(tmp_path / "v.mp4", n_frames=50, sound=videos.TONE)
    decode_all(path)
    parent = warm_parent()
    before, theirs = descriptors(), descriptors(parent.pid)
    sizes = []
    for _ in range(4):
        for _ in range(n_videos // 4):
            decode_all(path)
        sizes.append(psutil.Process().memory_info().rss + parent.memory_info().rss)
    assert warm_parent() == parent and not children()
    assert descriptors() == before
    assert wait_until(lambda: descriptors(parent.pid) == theirs)
    assert sizes[-1] - sizes[0] < 8 << 20


def test_no_child_outlives_a_killed_decoder_process(minutes):
    script = Path(__file__).with_name("decode_and_measure.py")
    long = videos.make_looped(minutes.with_name("long.mp4"), minutes, times=10)
    with psutil.Popen([sys.executable, script, long, "seed"], stdout=subprocess.DEVNULL) as decoder:
        assert wait_until(lambda: len(decoder.children(recursive=True)) == 2, seconds=30)
        family = decoder.children(recursive=True)
        decoder.kill()
        killed = time.monotonic()
    assert not psutil.wait_procs(family, timeout=10)[1]
    assert time.monotonic() - killed < 2  # within a second, on a quiet machine


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_decoder_that_is_killed_from_outside_says_nothing_of_its_video(minutes, number):
    clips = start(minutes)
    next(clips)
    for child in children():
        child.send_signal(number)
    with pytest.raises(Interrupted, match=rf"ended from outside, by signal {number:d}"):
        list(clips)
    assert not children()


def test_a_warm_parent_that_is_killed_says_nothing_either_and_the_next_video_starts_another(
    minutes, numbered
):
    parent = warm_parent()
    clips = start(minutes)
    next(clips)
    family = [parent, *children()]
    parent.kill()
    with pytest.raises(Interrupted, match="ended from outside"):
        list(clips)
    assert not psutil.wait_procs(family[1:], timeout=10)[1]
    assert decode_all(numbered).facts.error is None
    assert warm_parent() != parent


def test_a_warm_parent_that_dies_between_two_videos_is_started_once_more(numbered):
    parent = warm_parent()
    parent.kill()
    assert decode_all(numbered).facts.error is None
    assert warm_parent() != parent


def test_a_warm_parent_whose_sockets_close_before_it_ends_is_started_once_more(numbered):
    """On a busy machine its end takes a while: until then it is still there, and takes nothing."""
    parent = warm_parent()
    parent.suspend()
    decode_process._servers[os.getpid()]._control.shutdown(socket.SHUT_RDWR)
    threading.Timer(0.3, parent.resume).start()
    assert decode_all(numbered).facts.error is None
    assert warm_parent() != parent


def test_a_hanging_child_is_ended_at_the_deadline(minutes):
    warm_parent()
    clips = start(minutes, timeout_s=2.0, timeout_s_per_mb=0)
    next(clips)
    (child,) = children()
    child.suspend()
    started = time.monotonic()
    *_, facts = clips
    assert time.monotonic() - started < 20
    assert (facts.n_clips, facts.error_kind) == (24, ErrorKind.TIMEOUT)
    assert "--timeout-s" in facts.error
    assert not child.is_running() and not children()


def test_a_hanging_warm_parent_is_a_timeout_too(numbered, monkeypatch):
    monkeypatch.setattr(decode_process, "_END_S", 1.0)
    parent = warm_parent()
    parent.suspend()
    try:
        facts = decode_all(numbered, limits=Limits(timeout_s=0.5, timeout_s_per_mb=0)).facts
    finally:
        parent.resume()
    assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.TIMEOUT)
    assert wait_until(lambda: not children())
    assert decode_all(numbered).facts.error is None


def test_time_that_the_caller_takes_is_not_the_videos(minutes):
    clips = start(minutes, timeout_s=3.0, timeout_s_per_mb=0)
    next(clips)
    time.sleep(3.2)
    *_, facts = clips
    assert facts.error is None and facts.n_clips == 24
    assert facts.decode_s < 3.0


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_a_row_and_not_an_exception(minutes, number):
    clips = start(minutes)
    next(clips)
    for child in children():
        child.send_signal(number)
    *_, facts = clips
    assert (facts.n_clips, facts.error_kind) == (24, ErrorKind.DECODE)
    assert f"signal {number:d}" in facts.error


def test_greed_meets_the_address_space_limit(tmp_path, numbered):
    large = videos.make_plain(tmp_path / "8k.mp4", "color=gray:s=8192x4352:r=5", seconds=0.4)
    limits = Limits(max_memory_bytes=100 * 1024**2)
    facts = decode_all(large, limits=limits).facts
    assert facts.error_kind is ErrorKind.REFUSED
    assert "--max-memory-bytes" in facts.error
    assert decode_all(numbered, limits=limits).facts.error is None


def test_the_child_has_no_environment_to_read(minutes, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    end_warm_parent()
    clips = start(minutes)
    next(clips)
    seen = [process.environ() for process in (warm_parent(), *children())]
    clips.close()
    for environment in seen:
        assert set(environment) <= {
            "LC_ALL", *decode_process.ALLOCATOR, "OPENBLAS_NUM_THREADS", "LD_LIBRARY_PATH",
            "AH_RAY_DECODER_TRACEBACKS",
        }  # fmt: skip
        assert "secret" not in "".join(environment.values())


def test_the_child_holds_the_recording_and_its_sockets_alone(minutes):
    clips = start(minutes)
    next(clips)
    (child,) = children()
    folder = Path(f"/proc/{child.pid}/fd")
    held = [str(entry.readlink()) for entry in folder.iterdir()]
    flags = [
        int(entry.read_text().split("flags:")[1].split()[0], 8)
        for entry in Path(f"/proc/{child.pid}/fdinfo").iterdir()
        if str((folder / entry.name).readlink()) == str(minutes)
    ]
    clips.close()
    files = [name for name in held if name not in ("/dev/null",) and "socket:" not in name]
    assert files == [str(minutes)] and len([n for n in held if "socket:" in n]) == 1
    assert [flag & os.O_ACCMODE for flag in flags] == [os.O_RDONLY]


def test_many_threads_may_decode_at_once(numbered):
    expected = decode_all(numbered).numbers
    found: list[list[list[int]]] = []
    before = descriptors()
    threads = [
        threading.Thread(target=lambda: found.append(decode_all(numbered).numbers))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8
    assert descriptors() == before and not children()


def test_a_missing_ffmpeg_is_a_wrong_setting(monkeypatch):
    monkeypatch.setenv("AH_RAY_FFMPEG", "/nowhere/ffmpeg")
    program.ffmpeg_path.cache_clear()
    with pytest.raises(program.ConfigError, match="AH_RAY_FFMPEG"):
        program.ffmpeg_path()
    monkeypatch.undo()
    program.ffmpeg_path.cache_clear()
    assert program.ffmpeg_version()[0] in "n789N"


def test_the_process_that_asks_for_clips_never_loads_libav():
    """A library that is not loaded cannot be attacked there, and takes no memory."""
    script = "import sys; import ah_ray.pipeline.actors.decoder; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
