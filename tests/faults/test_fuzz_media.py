"""Hundreds of spoiled files through the real decoder; thousands by the command (fuzz_media.py)."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz_bases import make_bases, make_one
from mutations import (
    MUTATIONS,
    Seen,
    flip_track_flags,
    hostile_text,
    mutated,
    odd_structure,
    swap_boxes,
)
from watched_decode import watched_decode

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
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


LEAKY = f"""
import sys
sys.path[:0] = [{str(COMMAND.parent)!r}, {str(COMMAND.parents[1])!r}]
import fuzz_media, watched_decode
from test_fuzz_media import leak
watched_decode.decode = leak
if __name__ == "__main__":  # its workers start with this file too
    sys.exit(fuzz_media.main())
"""


def leak(path: Path, **wanted: object) -> Iterator[object]:
    """Decode as `decode` does, and leave an empty file beside the recording."""
    path.with_name(path.name + ".left").touch()
    yield from decode(path, **wanted)


def test_the_watch_sees_what_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("watched_decode.decode", leak)
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "v.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(1000))
    assert watch(path).violations == ("left files: ['v.mp4.left']",)


@pytest.mark.heavy
def test_a_broken_promise_is_reported_with_its_seed_and_its_file(tmp_path):
    script = tmp_path / "leaky.py"
    script.write_text(LEAKY)
    command = [sys.executable, script, "--seed", "7", "--keep", tmp_path / "found"]
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


@pytest.mark.parametrize("container", ["mp4", "mkv", "avi", "mpegts"])
def test_new_ways_to_spoil_change_a_valid_file(tmp_path, container):
    """Each finds what it looks for in a real file, rather than nothing."""
    base = make_one(tmp_path, container)
    data = base.read_bytes()
    sibling = data[: len(data) // 2] + bytes(100) + data[len(data) // 2 :]
    seen = Seen(container, (b"another file" * 100,), (sibling,))
    for mutation in (swap_boxes, odd_structure, hostile_text, flip_track_flags):
        spoiled = {mutation(data, random.Random(n), seen) for n in range(20)}
        assert len(spoiled - {data}) >= 5, mutation.__name__
