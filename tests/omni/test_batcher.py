"""Who drives, what is packed, and what an error costs."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from drawn_clips import draw_clip

from ah_ray.omni.batcher import Batcher


class Watched:
    """The real thinker, and what was asked of it."""

    def __init__(self, thinker):
        self._thinker = thinker
        self.packs: list[int] = []  # clips in each
        self.driving = 0
        self.most_driving = 0
        self.staged_during_a_pass = 0

    def __getattr__(self, name):
        return getattr(self._thinker, name)

    def stage(self, frames, samples, layout):
        self.staged_during_a_pass += self.driving
        return self._thinker.stage(frames, samples, layout)

    def compute_log_probabilities(self, inputs):
        self.driving += 1
        self.most_driving = max(self.most_driving, self.driving)
        self.packs.append(len(inputs.layout.grid))
        try:
            return self._thinker.compute_log_probabilities(inputs)
        finally:
            self.driving -= 1


@pytest.fixture
def watched(scorer, monkeypatch) -> Watched:
    watched = Watched(scorer._thinker)
    batcher = Batcher(watched, scorer._questionnaire, 4096)
    monkeypatch.setattr(scorer, "_batcher", batcher)
    return watched


def test_callers_share_packs(scorer, watched):
    """Eight threads with one clip each: those that wait while one drives pass together."""
    start = threading.Barrier(8)

    def call(seed: int) -> float:
        start.wait()
        return scorer.score([draw_clip(seed)])[0].p_ah

    alone = [scorer.score([draw_clip(seed)])[0].p_ah for seed in range(8)]
    watched.packs.clear()
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(call, range(8)))
    assert sum(watched.packs) == 8 and len(watched.packs) < 8
    assert watched.most_driving == 1
    assert np.abs(np.array(together) - alone).max() < 1e-5


def test_the_next_pack_is_staged_while_one_passes(scorer, watched, monkeypatch):
    monkeypatch.setattr(scorer._batcher, "token_budget", 1)
    scorer.score([draw_clip(seed) for seed in range(6)])
    assert watched.packs == [1] * 6
    assert watched.staged_during_a_pass > 0


def test_time_and_tokens_are_counted(scorer, watched):
    scores = scorer.score([draw_clip(seed) for seed in range(3)])
    assert scorer.n_passes == 1
    assert scorer.n_tokens == 3 * scorer._prepare(draw_clip(0)).layout.n_tokens
    assert all(score.score_s > 0 for score in scores)
    assert scorer.busy_s == pytest.approx(sum(score.score_s for score in scores))


def test_a_lost_device_ends_every_call_in_the_pack_and_none_hangs(scorer, watched, monkeypatch):
    def broken(_):
        raise RuntimeError("CUDA error: an illegal memory access")

    monkeypatch.setattr(watched, "compute_log_probabilities", broken)
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(scorer.score, [draw_clip(seed)]) for seed in range(4)]
        for call in calls:
            with pytest.raises(RuntimeError, match="illegal memory access"):
                call.result(timeout=60)


def test_memory_that_the_staged_pack_holds_is_given_back(scorer, watched, monkeypatch):
    """A clip that fails only while another pack is on the device is tried again without it."""
    real = watched.compute_log_probabilities

    def tight(inputs):
        if scorer._batcher._next_batch is not None:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(inputs)

    monkeypatch.setattr(watched, "compute_log_probabilities", tight)
    monkeypatch.setattr(scorer._batcher, "token_budget", 1)
    scores = scorer.score([draw_clip(seed) for seed in range(3)])
    assert all(score.p_ah is not None for score in scores)


def test_staging_may_run_out_of_memory_too(scorer, watched, monkeypatch):
    real = watched.stage

    def tight(frames, samples, layout):
        if len(frames) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(frames, samples, layout)

    monkeypatch.setattr(watched, "stage", tight)
    scores = scorer.score([draw_clip(seed) for seed in range(7)])
    assert all(score.p_ah is not None for score in scores)
    assert max(watched.packs) == 2


def test_a_pack_that_failed_is_gone_before_its_clips_are_tried_again(scorer, watched, monkeypatch):
    """On a device with room for one small pack, nothing that once fitted is called too large."""
    gc.collect()
    gc.disable()  # a GPU's memory does not wait for the collector
    packs: list[weakref.ref] = []
    sizes: dict[int, int] = {}
    stage, compute = watched.stage, watched.compute_log_probabilities

    def staged(frames, samples, layout):
        pack = stage(frames, samples, layout)
        packs.append(weakref.ref(pack))
        sizes[id(packs[-1])] = len(frames)
        return pack

    def tight(inputs):
        held = sum(sizes[id(pack)] for pack in packs if pack() is not None)
        if held > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(inputs)

    monkeypatch.setattr(watched, "stage", staged)
    monkeypatch.setattr(watched, "compute_log_probabilities", tight)
    try:
        scores = scorer.score([draw_clip(seed) for seed in range(8)])
    finally:
        gc.enable()
    assert [score.error for score in scores] == [None] * 8
    assert all(score.p_ah is not None for score in scores)
