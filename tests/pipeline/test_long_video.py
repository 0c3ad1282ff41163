"""A long recording: the decoder's memory does not grow with it."""

from __future__ import annotations

import statistics
import sys
import threading

import numpy
import psutil
import pytest
import videos
from decoder_memory import decoder_bytes, decoding_processes
from outputs import verdicts
from ray import cloudpickle

from ah_ray.pipeline import graph
from ah_ray.pipeline.actors.blocks import clips_of, scores_table
from ah_ray.records import ClipScore

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test

HOURS = 3
LIMIT_BYTES = 400e6
GROWTH_BYTES = 30e6


class Watch(threading.Thread):
    """Samples of the memory of a decoder together with its warm parent and its child, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.samples: list[int] = []
        self.most_processes = 0

    def run(self) -> None:
        while not self.over.wait(0.5):
            for process in psutil.Process().children(recursive=True):
                try:
                    if "(Decoder)" in " ".join(process.cmdline()):
                        n_processes = 1 + len(decoding_processes(process))
                        self.samples.append(decoder_bytes(process))
                        self.most_processes = max(self.most_processes, n_processes)
                except (OSError, psutil.Error):
                    continue


class FreeReplica:
    """Gives each clip a half at once: this test measures the decoder, which sends 7 MB a clip."""

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
    assert watch.most_processes == 3  # the decoder, its warm parent and the child
    quarters = numpy.array_split(watch.samples, 4)
    middles = [statistics.median(quarter) for quarter in quarters]
    peak = max(watch.samples)
    print("peak and quarters in MB:", *(round(value / 1e6) for value in (peak, *middles)))
    assert peak < LIMIT_BYTES
    assert middles[3] < middles[1] + GROWTH_BYTES
