"""Every packet gets its place, with any fault in the clock of the recording."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ah_ray.media.caged.timing.timeline import Packets, Timeline, lay_out

FRAME_S, BLOCK_S = 0.04, 0.02


def packets(times_s, durations_s=None, is_key=None, order=None) -> Packets:
    times_s = np.asarray(times_s, float)
    n = len(times_s)
    return Packets(
        times_s=times_s,
        durations_s=np.full(n, FRAME_S) if durations_s is None else np.asarray(durations_s, float),
        is_key=np.arange(n) % 50 == 0 if is_key is None else np.asarray(is_key, bool),
        is_shown=np.ones(n, bool),
        order=np.arange(n) if order is None else np.asarray(order),
    )


def reordered(shown_s: np.ndarray, n_b: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (times, key flags) in the order of decoding, `n_b` pictures before each other one.

    As in a closed group of 50 pictures: its first one is a key frame, its last one no B-picture.
    """
    times, keys = [], []
    for begin in range(0, len(shown_s), 50):
        group = shown_s[begin : begin + 50]
        times.append(group[0])
        keys.append(True)
        for at in range(1, len(group), n_b + 1):
            part = group[at : at + n_b + 1]
            times += [part[-1], *part[:-1]]
            keys += [False] * len(part)
    return np.array(times), np.array(keys)


def both(picture_s, sound_s, is_key=None) -> tuple[Packets, Packets]:
    """Return two tracks that lie in the file as their places in it say."""
    n, m = len(picture_s), len(sound_s)
    order = np.argsort(np.r_[np.arange(n) / n, np.arange(m) / m], kind="stable").argsort()
    pictures = packets(picture_s, is_key=is_key, order=order[:n])
    sound = packets(sound_s, np.full(m, BLOCK_S), np.ones(m, bool), order[n:])
    return pictures, sound


def is_finite(timeline: Timeline) -> bool:
    places = np.r_[timeline.picture_s, timeline.sound_s]
    return bool(
        math.isfinite(timeline.duration_s)
        and math.isfinite(timeline.unscored_sound_s)
        and not np.isinf(places).any()
    )


@settings(deadline=None, max_examples=30)
@given(
    gaps=st.dictionaries(st.integers(1, 390), st.floats(0.05, 40), max_size=4),
    n_b=st.integers(0, 7),
    fps=st.sampled_from([1, 5, 12, 25, 60]),
    start_s=st.floats(0, 1e5),
)
def test_pauses_and_reordering_are_no_jumps_of_the_clock(gaps, n_b, fps, start_s):
    steps_s = np.full(400, 1 / fps)
    steps_s[0] = start_s
    for at, gap_s in gaps.items():
        steps_s[at] += gap_s
    times_s, keys = reordered(np.cumsum(steps_s), n_b)
    timeline = lay_out(packets(times_s, is_key=keys), None)
    assert timeline.picture_s == pytest.approx(times_s - times_s[0], abs=1e-6)
    assert timeline.starts == () and timeline.broken_from_s == math.inf


@settings(deadline=None, max_examples=30)
@given(
    parts_s=st.lists(st.integers(2, 12), min_size=2, max_size=4),
    starts_s=st.lists(st.floats(0, 1.0), min_size=4, max_size=4),
    n_b=st.integers(0, 3),
)
def test_a_clock_that_starts_again_is_followed_by_both_tracks(parts_s, starts_s, n_b):
    picture, keys, sound, true_picture, true_sound, at_s = [], [], [], [], [], 0.0
    for seconds, start_s in zip(parts_s, starts_s, strict=False):
        times, key = reordered(np.arange(25 * seconds) * FRAME_S, n_b)
        blocks = np.arange(50 * seconds) * BLOCK_S
        picture.append(start_s + times)
        sound.append(start_s + blocks)
        true_picture.append(at_s + times)
        true_sound.append(at_s + blocks)
        keys.append(key)
        at_s += seconds
    pictures, sounds = both(np.concatenate(picture), np.concatenate(sound), np.concatenate(keys))
    timeline = lay_out(pictures, sounds)
    assert len(timeline.starts) == len(parts_s) - 1
    assert timeline.broken_from_s == math.inf
    assert timeline.picture_s == pytest.approx(np.concatenate(true_picture), abs=1e-6)
    assert timeline.sound_s == pytest.approx(np.concatenate(true_sound), abs=1e-6)
    assert timeline.duration_s == pytest.approx(at_s)


@settings(deadline=None, max_examples=30)
@given(
    where=st.sets(st.integers(5, 290), min_size=1, max_size=3),
    off_s=st.floats(5, 5000) | st.floats(-5000, -5),
    in_sound=st.booleans(),
)
def test_packets_that_are_out_of_place_cost_themselves_at_most(where, off_s, in_sound):
    true_s, true_sound_s = np.arange(300) * FRAME_S, np.arange(600) * BLOCK_S
    times_s, sound_s = true_s.copy(), true_sound_s.copy()
    # Far enough from each other, and not where a key frame says that the clock starts again.
    wrong = [at + (at % 50 == 0) for at in sorted(where)]
    (sound_s if in_sound else times_s)[wrong] += off_s
    timeline = lay_out(*both(times_s, sound_s))
    right = np.setdiff1d(np.arange(300), [] if in_sound else wrong)
    assert timeline.picture_s[right] == pytest.approx(true_s[right], abs=1e-6)
    sound_right = np.setdiff1d(np.arange(600), wrong if in_sound else [])
    assert timeline.sound_s[sound_right] == pytest.approx(true_sound_s[sound_right], abs=1e-6)
    assert timeline.duration_s == pytest.approx(12.0, abs=FRAME_S + 1e-6)


def test_a_last_picture_an_hour_later_that_has_no_sound_is_left_out():
    times_s = np.r_[np.arange(300) * FRAME_S, 3612.0]
    timeline = lay_out(*both(times_s, np.arange(600) * BLOCK_S))
    assert np.isnan(timeline.picture_s[-1]) and timeline.duration_s == pytest.approx(12.0)


@pytest.mark.parametrize("lasts_s", [60.0, 3600.0])
def test_a_last_picture_that_lasts_for_an_hour_ends_with_the_sound(lasts_s):
    durations = np.full(300, FRAME_S)
    durations[-1] = lasts_s
    picture, sound = both(np.arange(300) * FRAME_S, np.arange(600) * BLOCK_S)
    long = packets(picture.times_s, durations, picture.is_key, picture.order)
    assert lay_out(long, sound).duration_s == pytest.approx(12.0, abs=0.05)


def test_sound_that_overlaps_a_little_where_parts_meet_is_no_restart():
    sound_s = np.arange(600) * BLOCK_S
    sound_s[300:] -= 0.01
    timeline = lay_out(*both(np.arange(300) * FRAME_S, sound_s))
    assert timeline.sound_starts == () and timeline.broken_from_s == math.inf


@pytest.mark.parametrize(("before_s", "after_s"), [(0.0, 28.0), (3.0, 0.0), (2.0, 5.0)])
def test_sound_outside_of_the_picture_is_counted(before_s, after_s):
    sound_s = np.arange(-before_s, 12 + after_s - 1e-9, BLOCK_S)
    timeline = lay_out(*both(np.arange(300) * FRAME_S, sound_s))
    assert timeline.unscored_sound_s == pytest.approx(before_s + after_s, abs=0.03)


ANY = st.floats(-1e12, 1e12) | st.just(math.nan) | st.sampled_from([0.0, 1e-9, 5.0, 5.04])


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(ANY, st.floats(0, 1e12), st.booleans()), min_size=1, max_size=60),
    st.lists(st.tuples(ANY, st.floats(0, 1e12)), max_size=60),
    st.none() | st.floats(-1e12, 1e12),
)
def test_any_times_give_a_finite_timeline_and_no_exception(picture, sound, end_s):
    times, durations, keys = zip(*picture, strict=True)
    pictures = packets(times, durations, keys)
    heard = packets(*zip(*sound, strict=True)) if sound else None
    assert is_finite(lay_out(pictures, heard, container_end_s=end_s))
