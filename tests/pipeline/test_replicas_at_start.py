"""With several GPUs all replicas load at the same time, instead of one after the first is ready."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ah_ray.pipeline import capacity

DRIVER = Path(__file__).with_name("load_on_faked_gpus.py")


@pytest.mark.heavy
def test_all_replicas_load_at_the_same_time(small_cohort, tmp_path):
    """Each of four replicas is ready only when all of them have begun to load."""
    notes = tmp_path / "notes"
    notes.mkdir()
    ended = subprocess.run(
        [sys.executable, DRIVER, small_cohort, tmp_path / "out", notes],
        env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    loaded = [note.read_text() for note in notes.glob("*.loaded")]
    assert loaded and set(loaded) == {"4"}, "a replica was loaded before the others began"


@pytest.mark.parametrize(
    ("gpus", "each", "n_models", "asked", "n_videos", "initial"),
    [
        (4, 1, 1, None, 100, 4),
        (4, 1, 1, 2, 100, 2),
        (4, 1, 1, None, 3, 3),
        (4, 2, 1, None, 100, 2),
        (4, 1, 2, None, 100, 2),
        (0, 1, 1, None, 100, 1),  # a cluster that grows, and has none yet
        (0, 0, 1, 3, 100, 1),  # on CPUs
    ],
)
def test_as_many_as_there_are_gpus_and_videos(
    monkeypatch, gpus, each, n_models, asked, n_videos, initial
):
    monkeypatch.setattr(capacity, "gpus", lambda: gpus)
    monkeypatch.setattr(capacity, "cpus", lambda: 8)
    monkeypatch.setattr(capacity, "grows", lambda: gpus == 0)
    made = capacity.pools(
        gpus_per_replica=each,
        decoders=None,
        replicas=asked,
        n_models=n_models,
        n_videos=n_videos,
    )
    assert made.initial_replicas == initial <= made.max_replicas
