"""A large night: listing and planning above invented pages, everything above them real."""

from __future__ import annotations

import time

from invented_bucket import InventedBucket

from ah_ray.cohort import State, committed_names, make_plan, open_cohort
from ah_ray.storage.s3 import store

N_VIDEOS = 100_000


def test_a_hundred_thousand_committed_videos_cost_seconds(monkeypatch):
    bucket = InventedBucket(N_VIDEOS, N_VIDEOS - 7, "config")
    monkeypatch.setattr(store, "send_request", bucket.call)
    began_s = time.process_time()
    cohort = open_cohort("s3://study/recordings")
    committed = committed_names("s3://study/scores")
    made = make_plan(cohort, committed, {}, config_fingerprint="config")
    spent_s = time.process_time() - began_s
    assert made.counts == {State.DONE: N_VIDEOS - 7, State.NEW: 7}
    assert [video.uri for video in made] == [
        f"s3://study/recordings/{bucket.key(n)}" for n in range(N_VIDEOS - 7, N_VIDEOS)
    ]
    assert spent_s < 12  # 3 where it was written, the inventing among them
    assert sum(batch.nbytes for batch in cohort.batches) < 200 * N_VIDEOS
