from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ConfigError
from ah_ray.training.data.sampler import (
    Balance,
    Order,
    OrderWindow,
    choose_lanes,
    compute_label_weights,
)


@st.composite
def orders(draw, **fixed):
    n_videos = draw(st.integers(1, 12))
    windows = [
        OrderWindow(video=video, label=draw(st.booleans()), simple=draw(st.booleans()))
        for video in range(n_videos)
        for _ in range(draw(st.integers(1, 9)))
    ]
    lanes = draw(st.sampled_from([1, 2, 4]))
    values = {
        "windows": windows,
        "lanes": lanes,
        "batch": lanes * draw(st.integers(1, 4)),
        "epochs": draw(st.integers(1, 3)),
        "seed": draw(st.integers(0, 99)),
        "buffer": draw(st.integers(1, 20)),
    }
    return Order(**{**values, **fixed})


@given(orders())
def test_each_epoch_sees_each_window_once(order):
    steps = list(order.steps())
    assert len(steps) == order.n_steps
    seen = Counter(window for step in steps for window in step)
    assert seen == dict.fromkeys(range(len(order.windows)), order.epochs)
    assert all(len(step) <= order.batch for step in steps)


@given(orders(lanes=4, batch=8), st.sampled_from([2, 4]))
def test_workers_share_the_steps_of_one(order, workers):
    alone = list(order.steps())
    shared = [list(order.steps(rank, workers)) for rank in range(workers)]
    for step, *parts in zip(alone, *shared, strict=True):
        assert sorted(step) == sorted(window for part in parts for window in part)


@given(orders())
def test_a_videos_windows_wait_no_longer_than_the_buffer(order):
    """What a decoder has decoded, and no step has taken yet, stays bounded."""
    if order.lanes > 1:
        return
    whole = list(order.steps())[: order.count_steps(0)]
    left = [window for step in whole for window in step]
    entered = [w for lane in order._deal_lanes(0) for w in lane]
    place = {window: n for n, window in enumerate(entered)}
    for n, window in enumerate(left):
        assert place[window] <= n + order.buffer


def test_seeds_and_epochs_differ():
    windows = [OrderWindow(video=n // 4, label=bool(n % 2)) for n in range(80)]
    fixed = {"windows": windows, "lanes": 2, "batch": 8, "epochs": 2}
    steps = {seed: list(Order(**fixed, seed=seed).steps()) for seed in (1, 2)}
    assert steps[1] == list(Order(**fixed, seed=1).steps())
    assert steps[1] != steps[2]
    assert steps[1][:10] != steps[1][10:]


def test_buffer_mixes_videos():
    windows = [OrderWindow(video=n // 8, label=False) for n in range(400)]
    order = Order(windows=windows, lanes=1, batch=8, epochs=1, seed=0, buffer=128)
    videos = [len({windows[w].video for w in step}) for step in order.steps()]
    assert np.mean(videos) > 5


def test_simple_questions_come_first():
    windows = [OrderWindow(video=n, label=False, simple=n % 3 > 0) for n in range(30)]
    order = Order(windows=windows, lanes=1, batch=5, epochs=3, seed=0, simple_epochs=2)
    steps = list(order.steps())
    assert [order.count_steps(epoch) for epoch in range(3)] == [4, 4, 6]
    assert all(windows[w].simple for step in steps[:8] for w in step)
    assert {w for step in steps[8:] for w in step} == set(range(30))


def test_balanced_draw():
    windows = [OrderWindow(video=n, label=n < 7) for n in range(40)]
    order = Order(windows=windows, lanes=1, batch=4, epochs=2, seed=0, balance=Balance.DRAW)
    steps = list(order.steps())
    for epoch in (steps[:4], steps[4:]):
        labels = [windows[w].label for step in epoch for w in step]
        assert (labels.count(True), labels.count(False)) == (7, 7)
    assert {w for s in steps[:4] for w in s} != {w for s in steps[4:] for w in s}


def test_label_weights():
    windows = [OrderWindow(video=n, label=n < 2) for n in range(10)]
    no, yes = compute_label_weights(windows)
    assert 8 * no == pytest.approx(2 * yes) == pytest.approx(5)
    assert compute_label_weights(windows[:2]) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("batch", "workers", "lanes"), [(64, 1, 8), (64, 8, 8), (16, 3, None), (12, 3, 6), (48, 16, 16)]
)
def test_lanes(batch, workers, lanes):
    if lanes is None:
        with pytest.raises(ConfigError, match="give a multiple of 3"):
            choose_lanes(batch, workers)
    else:
        assert choose_lanes(batch, workers) == lanes
