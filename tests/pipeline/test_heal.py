"""The healing loop against a world that loses things, at random and on purpose."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.pipeline.heal import MAX_ALONE, MAX_RESTLESS, heal
from ah_ray.pipeline.passes import PassResult
from ah_ray.records import Committed, Video


def video(video_id: str, etag: str = "e") -> Video:
    return Video(video_id=video_id, uri=video_id, etag=etag, size_bytes=1, last_modified=None)


class World:
    """Storage and machines: some videos always kill, some are never delivered, luck is bad."""

    def __init__(self, ids, *, deadly=(), undelivered=(), loss=0.0, seed=0, trouble=None):
        self.rows = {}
        self.ids, self.deadly, self.undelivered = list(ids), set(deadly), set(undelivered)
        self.loss, self.random, self.trouble = loss, random.Random(seed), trouble
        self.scored = []

    def score(self, videos):
        result = PassResult(trouble=self.trouble)
        if self.trouble:
            return result
        for video in videos:
            video_id = video.video_id
            if video_id in self.undelivered:
                result.lost[video_id] = "503"
            elif video_id not in self.deadly and self.random.random() >= self.loss:
                assert video_id not in self.rows, "scored again after it was committed"
                self.rows[video_id] = "ok"
                result.committed[video_id] = Committed(
                    video_id=video_id, status="ok", error_kind=None, n_clips=1, duration_s=5.0
                )
            self.scored.append(video_id)
        return result

    def heal(self):
        return heal(
            [video(i) for i in self.ids],
            score=self.score,
            score_alone=lambda one: self.score([one]),
            find_pending=lambda ids: [video(i) for i in ids if i not in self.rows],
            give_up=lambda one: self.rows.setdefault(one.video_id, "crash"),
        )


ids = st.lists(st.integers(0, 200).map(str), unique=True, max_size=40)


@given(ids, st.data(), st.floats(0, 0.9), st.integers())
def test_every_video_gets_one_row_or_a_reason(ids, data, loss, seed):
    deadly = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
    undelivered = data.draw(st.sets(st.sampled_from(ids))) - deadly if ids else set()
    world = World(ids, deadly=deadly, undelivered=undelivered, loss=loss, seed=seed)
    missing = world.heal()
    assert world.rows.keys() | missing.keys() == set(ids)
    assert not world.rows.keys() & missing.keys()
    assert missing.keys() == undelivered
    assert all(world.rows[i] == "crash" for i in deadly)


def test_without_losses_one_pass_is_enough():
    world = World("abc")
    assert world.heal() == {}
    assert world.scored == ["a", "b", "c"]


def test_replicas_that_cannot_start_make_no_crash_rows():
    world = World("abc", trouble="CUDA is not there")
    assert world.heal() == dict.fromkeys("abc", "CUDA is not there")
    assert world.rows == {}


def test_what_storage_keeps_back_is_not_tried_alone():
    world = World("abc", undelivered="c")
    assert world.heal() == {"c": "503"}
    assert world.scored == ["a", "b", "c", "c"]


def test_many_that_are_left_over_are_not_tried_alone_without_end():
    ids = [str(i) for i in range(MAX_ALONE + 10)]
    world = World(ids, deadly=ids)
    missing = world.heal()
    assert len(missing) == 10
    assert sum(row == "crash" for row in world.rows.values()) == MAX_ALONE


def test_content_that_changes_while_it_is_read_is_read_again():
    etags = iter(("1", "2", "3", "4", "5", "6"))
    seen = []

    def score(videos):
        seen.append(videos[0].etag)
        if videos[0].etag != settles_at:
            return PassResult(lost={"a": "it changed"})
        row = Committed(video_id="a", status="ok", error_kind=None, n_clips=1, duration_s=5.0)
        return PassResult(committed={"a": row})

    def run():
        seen.clear()
        return heal(
            [video("a", next(etags))],
            score=score,
            score_alone=lambda one: score([one]),
            find_pending=lambda ids: [video("a", next(etags))],
            give_up=lambda one: pytest.fail("its process did not die"),
        )

    settles_at = "3"
    assert run() == {} and seen == ["1", "2", "3"]
    etags = iter(map(str, range(100)))
    settles_at = None
    assert run() == {"a": "it changed"} and len(seen) == MAX_RESTLESS


def test_nothing_pending_is_nothing_done():
    world = World("")
    assert world.heal() == {}
    assert world.scored == []
