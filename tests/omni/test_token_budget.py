import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.omni.token_budget import (
    MOST_TOKENS,
    _make_trial_clip,
    estimate_token_budget,
    measure_budget,
)


@given(st.integers(0, 140 << 30), st.integers(1, 140 << 30), st.integers(100, 20_000))
def test_what_is_found_fits(free, trial_bytes, trial_tokens):
    budget = estimate_token_budget(free, trial_bytes, trial_tokens)
    assert 1 <= budget <= MOST_TOKENS
    assert budget == 1 or budget * trial_bytes <= free * trial_tokens


def test_most_of_what_is_free_is_used():
    assert estimate_token_budget(10 << 30, 2 << 30, 10_000) == 42_000
    assert estimate_token_budget(100 << 30, 2 << 30, 10_000) == MOST_TOKENS


def test_the_trial_is_as_large_as_the_profile_allows(scorer, profile):
    large = profile.model_copy(update={"max_pixels": 786_432})
    tree = scorer._questionnaire.tree
    frames, samples, layout = _make_trial_clip(scorer._thinker, tree, large)
    assert frames.shape == (10, 864, 864, 3) and len(samples) == 80_000
    assert layout.n_tokens == 5 * 27 * 27 + 65 + len(tree.lines[0].prompt.token_ids(0, 0))


class Gpu:
    """A GPU's allocator: what staged packs and passes hold, and the peak."""

    def __init__(self, thinker, room_bytes: int):
        self._thinker = thinker
        self.devices = (torch.device("cuda", 0),)
        self.config = thinker.config
        self._room_bytes = room_bytes
        self._staged: list[tuple[weakref.ref, int]] = []
        self._peak = 0

    def count_bytes(self) -> int:
        return sum(n_bytes for pack, n_bytes in self._staged if pack() is not None)

    def stage(self, frames, samples, layout):
        pack = self._thinker.stage(frames, samples, layout)
        self._staged.append((weakref.ref(pack), 1000 * len(layout.ids)))
        self._peak = max(self._peak, self.count_bytes())
        return pack

    def compute_log_probabilities(self, inputs):
        needed = self.count_bytes() + 9000 * len(inputs.layout.ids)
        if needed > self._room_bytes:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self._peak = max(self._peak, needed)
        return torch.zeros(len(inputs.layout.picked_reads))

    def release(self):
        pass


@pytest.mark.parametrize("room", [10**9, 50_000_000, 8_000_000])
def test_a_trial_that_failed_does_not_count(scorer, profile, monkeypatch, room):
    """A pass takes 10,000 bytes a token, with its staging, at whichever trial it is measured."""
    gpu = Gpu(scorer._thinker, room)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: setattr(gpu, "_peak", 0))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: gpu.count_bytes())
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: gpu._peak)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (room, room))
    budget = measure_budget(gpu, scorer._questionnaire.tree, profile)
    assert budget == estimate_token_budget(room, 10_000, 1)
