"""Busy time begins when the device has done what it was asked before, copies included."""

import time

import pytest
import torch
from drawn_clips import draw_clip

from ah_ray.omni.device_time import DeviceTimer

GPU = torch.device("cuda", 0)


class Stream:
    """A GPU's stream: work in order, each with its seconds, and a clock."""

    def __init__(self):
        self.now_s = 0.0

    def work(self, seconds: float) -> None:
        self.now_s += seconds

    def wait_event(self, copied_at_s: float) -> None:
        self.now_s = max(self.now_s, copied_at_s)


class Event:
    def __init__(self, enable_timing: bool = False):
        self.at_s = -1.0

    def record(self, stream: Stream) -> None:
        self.at_s = stream.now_s

    def synchronize(self) -> None:
        time.sleep(self.at_s)

    def elapsed_time(self, later: "Event") -> float:
        return (later.at_s - self.at_s) * 1e3


@pytest.fixture
def stream(monkeypatch) -> Stream:
    stream = Stream()
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: stream)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    return stream


def test_a_copy_that_is_waited_for_is_no_work(stream, scorer, monkeypatch):
    """The scorer's own pass, whose staging ends long after the pass was asked for."""
    batcher, thinker = scorer._batcher, scorer._thinker

    class Slow:
        """A pack whose copy ends at second 5."""

        def __init__(self, staged):
            self._staged = staged

        def wait(self):
            stream.wait_event(5.0)
            return self._staged.wait()

    class OnGpu:
        devices = (GPU,)
        config = thinker.config

        def stage(self, *parts):
            return Slow(thinker.stage(*parts))

        def compute_log_probabilities(self, inputs):
            stream.work(0.25)
            return thinker.compute_log_probabilities(inputs)

    monkeypatch.setattr(batcher, "_thinker", OnGpu())
    before_s = scorer.busy_s
    score = scorer.score([draw_clip(0)])[0]
    assert scorer.busy_s - before_s == pytest.approx(0.25)
    assert score.score_s == pytest.approx(0.25)


def test_several_gpus_begin_when_the_first_is_free(stream):
    stream.work(0.3)  # a copy, before the pass
    began_s = time.perf_counter()
    timer = DeviceTimer([GPU, torch.device("cuda", 1)])
    timer.stop()
    assert time.perf_counter() - began_s >= 0.3
    assert timer.elapsed_s() < 0.2
