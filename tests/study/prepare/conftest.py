"""Recordings with a table of labels beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from invented_bah import copy_recording


@pytest.fixture
def folder(recordings, tmp_path) -> Path:
    """a.mp4 and b.mp4 of 12 s, c.mp4 of 7 s, d.mp4 of 2 s."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, seconds in (("a", 12.0), ("b", 12.0), ("c", 7.0), ("d", 2.0)):
        copy_recording(recordings[seconds], folder / f"{name}.mp4")
    return folder


@pytest.fixture
def table(folder):
    """Writes a CSV and gives its path."""

    def write(*lines: str, header: str = "uri,start_s,end_s,label,participant") -> Path:
        (folder / "labels.csv").write_text("\n".join([header, *lines]) + "\n")
        return folder / "labels.csv"

    return write
