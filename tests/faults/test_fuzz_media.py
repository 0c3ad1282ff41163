"""Hundreds of spoiled files through the real decoder; thousands by the command (fuzz_media.py)."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fuzz_bases import make_bases
from mutations import MUTATIONS, Seen, mutated
from watched_decode import watched_decode

from ah_ray.config import Limits, Windows
from ah_ray.media import ffmpeg
from ah_ray.profile import load_profile

COMMAND = Path(__file__).with_name("fuzz_media.py")
N_FILES = 600


@pytest.fixture(autouse=True)
def _temporary_files_of_its_own(tmp_path, monkeypatch):
    """What others put into the common folder meanwhile is no leak of the decoder's."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


@pytest.mark.heavy
def test_no_file_breaks_a_promise_of_the_decoder(tmp_path):
    command = [sys.executable, COMMAND, "--files", str(N_FILES), "--seed", "1"]
    done = subprocess.run(
        [*command, "--keep", tmp_path / "found", "--jobs", "2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{N_FILES} files in" in done.stdout
    assert not (tmp_path / "found").exists()


@pytest.mark.heavy
def test_valid_files_are_the_same_each_time_and_whole(tmp_path):
    first, again = make_bases(tmp_path / "a"), make_bases(tmp_path / "b")
    for container, paths in first.items():
        for path, same in zip(paths, again[container], strict=True):
            assert path.read_bytes() == same.read_bytes(), path.name
            assert watch(path).violations == ()
            assert watch(path).status == "ok", path.name


@pytest.mark.parametrize("container", ["mp4", "mkv", "avi", "mpegts"])
def test_a_seed_spoils_a_file_in_the_same_way_again(container):
    valid = random.Random(1).randbytes(5000)
    seen = Seen(container, (b"another file" * 100,))
    for mutation in MUTATIONS:
        spoiled = [mutation(valid, random.Random(2), seen) for _ in range(2)]
        assert spoiled[0] == spoiled[1]
    assert len({mutated(valid, random.Random(n), seen)[0] for n in range(50)}) > 40


@pytest.fixture
def leaky_ffmpeg(tmp_path, monkeypatch):
    """An ffmpeg that leaves an empty file beside its input."""
    script = tmp_path / "ffmpeg"
    real = ffmpeg.imageio_ffmpeg.get_ffmpeg_exe()
    leak = 'for a in "$@"; do case "$a" in file:*) : > "${a#file:}.left";; esac; done'
    script.write_text(f'#!/bin/sh\n{leak}\nexec "{real}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("AH_RAY_FFMPEG", str(script))
    ffmpeg.ffmpeg_path.cache_clear()
    yield
    ffmpeg.ffmpeg_path.cache_clear()


def test_the_watch_sees_what_is_left_behind(tmp_path, leaky_ffmpeg):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "v.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(1000))
    assert watch(path).violations == ("left files: ['v.mp4.left']",)


@pytest.mark.heavy
def test_a_broken_promise_is_told_with_its_seed_and_its_file(tmp_path, leaky_ffmpeg):
    command = [sys.executable, COMMAND, "--seed", "7", "--keep", tmp_path / "found"]
    done = subprocess.run([*command, "--files", "6"], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    numbers = set(map(int, re.findall(r"--seed 7 --only (\d) .*: left files", done.stdout)))
    assert numbers and len(list((tmp_path / "found").iterdir())) == len(numbers)
    first = min(numbers)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "found").iterdir()}
    again = subprocess.run(
        [*command, "--only", str(first)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 1 and "1 files in" in again.stdout
    assert {path.name: path.read_bytes() for path in (tmp_path / "found").iterdir()} == kept


def watch(path: Path):
    return watched_decode(
        path, profile=load_profile("tiny"), windows=Windows(), limits=Limits(timeout_s=20)
    )
