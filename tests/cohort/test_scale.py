"""A large night: listing and planning above stubbed pages, everything above them real."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime

from ah_ray.cohort import State, committed_names, open_cohort, plan, row_name, video_id_of
from ah_ray.storage import s3

N_VIDEOS = 100_000
PAGE = 1_000


def _key(n: int) -> str:
    return f"site-{n % 50:02}/participant-{n // 50:06}/recording.mp4"


def _etag(n: int) -> str:
    return hashlib.md5(str(n).encode()).hexdigest()


def _stubbed(_doing: str, _uri: str, operation: str, **fields) -> dict:
    """An answer to ListObjectsV2 as botocore gives it, of videos or of their rows."""
    assert operation == "list_objects_v2"
    start = int(fields.get("ContinuationToken", 0))
    prefix = fields["Prefix"]

    def name(n: int) -> str:
        if prefix == "out/videos/":
            return row_name(video_id_of(_key(n)), _etag(n), "config")
        return _key(n)

    when = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        {"Key": prefix + name(n), "Size": n, "ETag": f'"{_etag(n)}"', "LastModified": when}
        for n in range(start, min(N_VIDEOS, start + PAGE))
    ]
    more = start + PAGE < N_VIDEOS
    return {"Contents": found, "IsTruncated": more, "NextContinuationToken": str(start + PAGE)}


def test_a_hundred_thousand_committed_videos_cost_seconds(monkeypatch):
    monkeypatch.setattr(s3, "call", _stubbed)
    began_s = time.process_time()
    cohort = open_cohort("s3://bucket/videos")
    committed = committed_names("s3://bucket/out")
    made = plan(cohort, committed, {}, config_fingerprint="config")
    spent_s = time.process_time() - began_s
    assert made.counts == {State.DONE: N_VIDEOS}
    assert len(made) == 0
    assert spent_s < 12  # 2.5 where it was written, the stub's 0.6 among them
    assert sum(batch.nbytes for batch in cohort.batches) < 200 * N_VIDEOS
