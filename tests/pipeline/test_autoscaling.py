"""On a cluster that has no GPU until one is asked for, and takes it back when it is idle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from outputs import verdicts
from ray_head import ray_head

pytestmark = pytest.mark.heavy
DRIVER = Path(__file__).with_name("score_on_faked_gpus.py")
NODE_TYPES = {
    "decode": {"resources": {"CPU": 4}, "max_workers": 1},
    "gpu": {"resources": {"CPU": 1, "GPU": 1}, "max_workers": 2},
}


@pytest.fixture(scope="module")
def head():
    with ray_head(cpus=0, node_types=NODE_TYPES) as running:
        yield running


def run(head, videos: Path, folder: Path) -> list[dict]:
    """What was there while it ran."""
    notes = folder / "notes.json"
    ended = subprocess.run(
        [sys.executable, DRIVER, videos, folder / "out", notes],
        env=os.environ | head.environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(notes.read_text())


def test_gpus_come_when_clips_wait_and_go_when_all_is_done(head, small_cohort, tmp_path):
    seen = run(head, small_cohort, tmp_path)
    stages = [note["stage"] for note in seen]
    looking = stages.index("decoding a first clip, before GPUs are asked for")
    assert not any(note["gpus"] for note in seen[: looking + 1]), seen
    assert "waiting for GPUs" in stages, seen
    assert max(note["gpus"] for note in seen) >= 1
    assert [note["status"] for note in seen if "status" in note] == [0]
    assert seen[-1] == {"gpus": 0, "stage": "given back"}
    statuses = sorted(row["status"] for row in verdicts(tmp_path / "out").values())
    assert statuses == ["failed", "ok", "ok", "ok"]


def test_no_gpu_is_asked_for_where_nothing_can_be_decoded(head, whole_cohort, tmp_path):
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    for n in range(3):
        shutil.copy(whole_cohort / "visit-03/a letter.mp4", cohort / f"{n}.mp4")
    seen = run(head, cohort, tmp_path)
    assert {note["gpus"] for note in seen} == {0}
    assert [note["status"] for note in seen if "status" in note] == [0]
    rows = verdicts(tmp_path / "out").values()
    assert [row["error_kind"] for row in rows] == ["unreadable"] * 3
