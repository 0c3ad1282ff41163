"""Clips that are spread out: over people, over embeddings, and never the same second twice."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.review.choosing.spread import Pool, choose, rank_by_worth


def make_pool(n: int, seed: int = 0, *, people: int = 5, hop_s: float = 5.0, d: int | None = 4):
    """n clips of 5 s in videos of ten, every `hop_s`."""
    random = np.random.default_rng(seed)
    number = np.arange(n)
    return Pool(
        worth=random.uniform(0.01, 1, n),
        video=number // 10,
        start_s=(number % 10) * hop_s,
        end_s=(number % 10) * hop_s + 5,
        person=number // 10 % people,
        vectors=None if d is None else random.normal(size=(n, d)).astype(np.float32),
    )


def overlaps(pool: Pool, places: list[int]) -> bool:
    spans = [(pool.video[p], pool.start_s[p], pool.end_s[p]) for p in places]
    return any(
        one[0] == other[0] and min(one[2], other[2]) - max(one[1], other[1]) > 0.001
        for i, one in enumerate(spans)
        for other in spans[:i]
    )


@pytest.mark.parametrize("how", [choose, rank_by_worth])
@given(st.integers(0, 60), st.integers(1, 30), st.integers(0, 99), st.sampled_from([0.5, 2.5, 5.0]))
def test_each_second_once_and_the_same_for_the_same_seed(how, n, wanted, seed, hop_s):
    pool = make_pool(n, seed, hop_s=hop_s)
    places = how(pool, wanted, seed)
    assert places == how(pool, wanted, seed)
    assert len(set(places)) == len(places) <= wanted
    assert not overlaps(pool, places)
    if hop_s == 5.0:
        assert len(places) == min(n, wanted)


@given(st.integers(1, 60), st.integers(0, 99))
def test_the_most_worth_comes_first(n, seed):
    pool = make_pool(n, seed)
    assert choose(pool, 1, seed) == rank_by_worth(pool, 1, seed) == [int(np.argmax(pool.worth))]


def test_people_share_alike_where_all_else_is_equal():
    pool = make_pool(50, people=5, d=None)
    pool = Pool(**{n: getattr(pool, n) for n in Pool.__slots__} | {"worth": np.ones(50)})
    assert set(Counter(pool.person[choose(pool, 10, 3)].tolist()).values()) == {2}


def test_another_seed_decides_otherwise_between_equals():
    pool = make_pool(50, d=None)
    pool = Pool(**{n: getattr(pool, n) for n in Pool.__slots__} | {"worth": np.ones(50)})
    assert choose(pool, 5, 1) != choose(pool, 5, 2)


def in_groups(sizes: list[int], worth: list[float]) -> Pool:
    """Groups of clips with nearly the same embedding, each clip of a person of its own."""
    n = sum(sizes)
    group = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(0).normal(0, 0.01, (n, len(sizes)))
    return Pool(
        worth=np.array(worth)[group],
        video=np.arange(n),
        start_s=np.zeros(n),
        end_s=np.full(n, 5.0),
        person=np.arange(n),
        vectors=(np.eye(len(sizes))[group] + noise).astype(np.float32),
    )


def test_each_kind_of_clip_is_seen_before_one_is_seen_twice():
    """20 clips of one kind that are a bit more doubtful would fill the sheet without `diverse`."""
    pool = in_groups([20, 5, 1], [0.9, 0.8, 0.7])
    kind = np.repeat([0, 1, 2], [20, 5, 1])
    assert sorted(kind[choose(pool, 3, 0)].tolist()) == [0, 1, 2]
    assert kind[rank_by_worth(pool, 3, 0)].tolist() == [0, 0, 0]


def test_what_was_judged_before_is_kept_away_from():
    pool = in_groups([5, 5], [0.9, 0.8])
    judged = np.array([[1.0, 0.0]], np.float32)
    assert choose(pool, 1, 0)[0] < 5
    assert choose(pool, 1, 0, judged=judged)[0] >= 5


def test_equal_embeddings_are_no_trouble():
    pool = in_groups([4], [0.5])
    pool = Pool(
        **{n: getattr(pool, n) for n in Pool.__slots__} | {"vectors": np.ones((4, 3), np.float32)}
    )
    assert sorted(choose(pool, 4, 0)) == [0, 1, 2, 3]
