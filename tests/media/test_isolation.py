"""A crash, a hang or greed of the decoder costs one video, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import videos
from decoding import PROFILE, decode_all

from ah_ray.config import Limits, Windows
from ah_ray.errors import ErrorKind, Interrupted
from ah_ray.media import ffmpeg
from ah_ray.media.decode import decode

_of_others: set[int] = set()  # servers of the test session, say


@pytest.fixture(autouse=True)
def _spare_others():
    _of_others.update(child.pid for child in psutil.Process().children(recursive=True))


def children() -> list[psutil.Process]:
    """What the test itself has started, and is still there."""
    family = psutil.Process().children(recursive=True)
    return [child for child in family if child.pid not in _of_others]


def is_decoding(process: psutil.Process) -> bool:
    try:
        return "-debug_ts" in process.cmdline()
    except psutil.Error:  # it has just ended: the probe
        return False


def descriptors() -> list[str]:
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


def start(path: Path, **limits: object):
    return decode(path, profile=PROFILE, windows=Windows(), limits=Limits(**limits))


@pytest.fixture(scope="module")
def minutes(tmp_path_factory) -> Path:
    """Two minutes of 25 fps video with sound."""
    folder = tmp_path_factory.mktemp("minutes")
    source = videos.make_numbered(folder / "s.mp4", n_frames=500, sound=videos.TONE)
    return videos.make_looped(folder / "m.mp4", source, times=6)


@pytest.fixture
def fake_ffmpeg(tmp_path, monkeypatch):
    """Lets a shell script stand in for ffmpeg; `$REAL` is the true one."""

    def install(script: str) -> None:
        path = tmp_path / "ffmpeg"
        path.write_text(f"#!/bin/sh\nREAL='{ffmpeg.imageio_ffmpeg.get_ffmpeg_exe()}'\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("AH_RAY_FFMPEG", str(path))
        ffmpeg.ffmpeg_path.cache_clear()

    yield install
    ffmpeg.ffmpeg_path.cache_clear()


DECODING = 'case "$*" in *debug_ts*) ;; *) exec "$REAL" "$@";; esac\n'
"""The probe runs as it is; what follows happens to the decoding process."""


def test_closing_early_leaves_no_process_descriptor_or_file(minutes):
    before, files = descriptors(), sorted(minutes.parent.iterdir())
    clips = start(minutes)
    next(clips)
    assert children()
    clips.close()
    assert not children()
    assert descriptors() == before
    assert sorted(minutes.parent.iterdir()) == files


def test_a_whole_run_leaves_nothing_either(numbered):
    before = descriptors()
    decode_all(numbered)
    assert descriptors() == before and not children()


def test_ffmpeg_does_not_outlive_a_killed_decoder_process(minutes):
    script = Path(__file__).with_name("decode_and_measure.py")
    long = videos.make_looped(minutes.with_name("long.mp4"), minutes, times=10)
    with psutil.Popen([sys.executable, script, long, "seed"], stdout=subprocess.DEVNULL) as decoder:
        until = time.monotonic() + 30
        while not (found := [c for c in decoder.children() if is_decoding(c)]):
            assert time.monotonic() < until and decoder.poll() is None
            time.sleep(0.01)
        decoder.kill()
    assert not psutil.wait_procs(found, timeout=10)[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_decoder_that_is_killed_from_outside_says_nothing_of_its_video(minutes, number):
    clips = start(minutes)
    next(clips)
    for child in children():
        child.send_signal(number)
    with pytest.raises(Interrupted, match=rf"ended from outside, by signal {number:d}"):
        list(clips)
    assert not children()


def test_a_probe_that_is_killed_neither(numbered, fake_ffmpeg):
    fake_ffmpeg("kill -9 $$")
    with pytest.raises(Interrupted):
        decode_all(numbered)


def test_a_hanging_decoder_is_ended_with_its_whole_group(numbered, fake_ffmpeg):
    fake_ffmpeg(DECODING + "trap '' TERM; sleep 600 & sleep 600")
    started = time.monotonic()
    facts = decode_all(numbered, limits=Limits(timeout_s=1.0, timeout_s_per_mb=0)).facts
    assert time.monotonic() - started < 20
    assert (facts.n_clips, facts.error_kind) == (2, ErrorKind.TIMEOUT)
    assert "--timeout-s" in facts.error
    assert not children()


def test_a_hanging_probe_is_a_timeout_too(numbered, fake_ffmpeg):
    fake_ffmpeg("sleep 600")
    facts = decode_all(numbered, limits=Limits(timeout_s=0.5, timeout_s_per_mb=0)).facts
    assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.TIMEOUT)


def test_a_decoder_that_closes_its_pipes_and_stays_is_ended(numbered, fake_ffmpeg):
    close_all = "import os, time; os.closerange(0, 256); time.sleep(600)"
    fake_ffmpeg(DECODING + f"exec {sys.executable} -c '{close_all}'")
    facts = decode_all(numbered, limits=Limits(timeout_s=1.0, timeout_s_per_mb=0)).facts
    assert facts.error_kind is ErrorKind.TIMEOUT
    assert not children()


def test_time_that_the_caller_takes_is_not_the_videos(minutes):
    clips = start(minutes, timeout_s=3.0, timeout_s_per_mb=0)
    next(clips)
    time.sleep(3.2)
    *_, facts = clips
    assert facts.error is None and facts.n_clips == 24
    assert facts.decode_s < 3.0


def test_a_crash_is_a_row_and_not_an_exception(numbered, fake_ffmpeg):
    fake_ffmpeg(DECODING + "kill -SEGV $$")
    facts = decode_all(numbered).facts
    assert (facts.n_clips, facts.error_kind) == (2, ErrorKind.DECODE)
    assert "signal 11" in facts.error


def test_greed_meets_the_address_space_limit(tmp_path, numbered):
    large = videos.make_plain(tmp_path / "8k.mp4", "color=gray:s=8192x4352:r=5", seconds=0.4)
    limits = Limits(max_memory_bytes=350 * 1024**2)
    facts = decode_all(large, limits=limits).facts
    assert facts.error_kind is ErrorKind.REFUSED
    assert "--max-memory-bytes" in facts.error
    assert decode_all(numbered, limits=limits).facts.error is None


def test_the_child_is_told_no_credentials(minutes, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    clips = start(minutes)
    next(clips)
    (child,) = children()
    seen = child.environ()
    clips.close()
    assert "PATH" in seen and not {name for name in seen if name.startswith("AWS")}
    assert "secret" not in "".join(seen.values())


def test_the_child_writes_no_file(numbered, fake_ffmpeg, tmp_path):
    fake_ffmpeg(f'echo escaped > {tmp_path}/written; exec "$REAL" "$@"')
    facts = decode_all(numbered).facts
    assert facts.error_kind is ErrorKind.DECODE
    assert not (tmp_path / "written").stat().st_size


def test_many_threads_may_decode_at_once(numbered):
    expected = decode_all(numbered).numbers
    found: list[list[list[int]]] = []
    threads = [
        threading.Thread(target=lambda: found.append(decode_all(numbered).numbers))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6


def test_a_missing_ffmpeg_is_a_wrong_setting(monkeypatch):
    monkeypatch.setenv("AH_RAY_FFMPEG", "/nowhere/ffmpeg")
    ffmpeg.ffmpeg_path.cache_clear()
    with pytest.raises(ffmpeg.ConfigError, match="AH_RAY_FFMPEG"):
        ffmpeg.ffmpeg_path()
    monkeypatch.undo()
    ffmpeg.ffmpeg_path.cache_clear()
    assert ffmpeg.ffmpeg_version()[0] in "n789N"
