"""Temporary folders, and what is left of them by a process that is killed."""

import subprocess
import sys

import pytest

from ah_ray.temporary import remove_abandoned_folders, temporary_folder

HOLD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from ah_ray.temporary import temporary_folder
with temporary_folder("review-") as folder:
    (folder / "face.mp4").write_bytes(b"of a participant")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_goes_at_the_end(place):
    with temporary_folder("review-") as folder:
        (folder / "x").write_bytes(b"x")
        assert [path.name for path in folder.iterdir()] == ["x"], "nothing but what is put there"
        assert folder.parent.parent == place and folder.parent.name.startswith("ah_ray-review-")
    assert list(place.iterdir()) == []
    with pytest.raises(RuntimeError), temporary_folder():
        raise RuntimeError
    assert list(place.iterdir()) == []


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(place):
    (place / "ah_ray-of-somebody-else").mkdir()
    command = [sys.executable, "-c", HOLD, str(place)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    killed, alive = (subprocess.Popen(command, **pipes) for _ in range(2))
    for process in (killed, alive):
        assert process.stdout.readline() == "held\n"
    killed.kill()
    killed.communicate()
    assert len(list(place.rglob("face.mp4"))) == 2
    remove_abandoned_folders()
    assert len(list(place.rglob("face.mp4"))) == 1
    assert (place / "ah_ray-of-somebody-else").is_dir()
    alive.communicate("")
    assert not list(place.rglob("face.mp4"))
