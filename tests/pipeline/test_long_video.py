"""A long recording: the decoder's memory does not grow with it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import psutil
import pytest
import videos
from outputs import verdicts
from ray import cloudpickle

from ah_ray.pipeline import graph
from ah_ray.pipeline.blocks import clips_of, scores_table
from ah_ray.records import ClipScore

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test

HOURS = 3
LIMIT_BYTES = 400e6


def private_bytes(process: psutil.Process) -> int:
    """RssAnon + RssFile: what is not the shared object store."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return sum(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))


class Watch(threading.Thread):
    """The highest private memory of a decoder together with its ffmpeg."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self.over.wait(0.2):
            for process in psutil.Process().children(recursive=True):
                try:
                    if "(Decoder)" in " ".join(process.cmdline()):
                        family = [process, *process.children()]
                        self.peak = max(self.peak, sum(map(private_bytes, family)))
                except psutil.Error:
                    continue


class FreeReplica:
    """Answers at once: here the decoder is looked at, with 7 MB a clip."""

    def __init__(self, _settings):
        pass

    def __call__(self, frames):
        scores = [
            ClipScore(clip_index=c.clip_index, start_s=c.start_s, end_s=c.end_s, p_ah=0.5)
            for c in clips_of(frames)
        ]
        return scores_table(frames, scores)


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.timeout(900)
def test_three_hours_of_video(scored, tmp_path, monkeypatch):
    source = videos.make_numbered(
        tmp_path / "source.mp4", n_frames=300, fps="5", size_px=(640, 360), sound=videos.TONE
    )
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    videos.make_looped(cohort / "long.mp4", source, times=HOURS * 60)
    source.unlink()
    watch = Watch()
    watch.start()
    monkeypatch.setattr(graph, "Replica", FreeReplica)
    outcome = scored(cohort, tmp_path / "out", profile="seed")
    watch.over.set()
    watch.join()
    (row,) = verdicts(tmp_path / "out").values()
    assert row["status"] == "ok", outcome.missing
    assert row["duration_s"] == pytest.approx(HOURS * 3600, rel=0.01)
    assert row["n_clips"] == pytest.approx(HOURS * 720, rel=0.01)
    print(f"peak of decoder and ffmpeg: {watch.peak / 1e6:.0f} MB")
    assert 0 < watch.peak < LIMIT_BYTES
