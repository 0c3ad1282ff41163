"""A cohort of any size that is not there: its listings page by page, and last night's tables.

Only S3's answers to ListObjectsV2 are invented; all code above them is the real one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from ah_ray.cohort import row_name, video_id_of
from ah_ray.output.table_files import (
    CLIPS_FILE,
    VERDICTS_FILE,
    add_row_versions,
    make_version_mark,
    open_writer,
)
from ah_ray.records import CLIPS, VERDICTS
from ah_ray.storage.s3 import store

PAGE = 1_000
CLIPS_EACH = 6
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
_GROUP = 50_000
VIDEOS, ROWS = "recordings/", "scores/videos/"


class InventedBucket:
    """`n_videos` recordings. The first `n_done` have their row, as after last night."""

    def __init__(self, n_videos: int, n_done: int, config_fingerprint: str):
        self.n_videos, self.n_done = n_videos, n_done
        self.fingerprint = config_fingerprint
        self._call = store.send_request

    @staticmethod
    def key(n: int) -> str:
        return f"site-{n % 50:02}/participant-{n // 50:06}/recording.mp4"

    @staticmethod
    def etag(n: int) -> str:
        return hashlib.md5(str(n).encode()).hexdigest()

    def row(self, n: int) -> str:
        return row_name(video_id_of(self.key(n)), self.etag(n), self.fingerprint)

    def rows(self) -> Iterator[str]:
        """The names of the rows that all recordings should have."""
        return map(self.row, range(self.n_videos))

    def call(self, doing: str, uri: str, operation: str, **fields) -> dict:
        """Stands in for ah_ray.storage.s3.store.send_request."""
        prefix = fields.get("Prefix")
        if operation != "list_objects_v2" or prefix not in (VIDEOS, ROWS):
            return self._call(doing, uri, operation, **fields)
        count, name = (self.n_videos, self.key) if prefix == VIDEOS else (self.n_done, self.row)
        start = int(fields.get("ContinuationToken", 0))
        found = [
            {
                "Key": prefix + name(n),
                "Size": 1 + n % 5_000_000,
                "ETag": f'"{self.etag(n)}"',
                "LastModified": BEFORE - timedelta(days=1),
            }
            for n in range(start, min(count, start + PAGE))
        ]
        more = start + PAGE < count
        return {"Contents": found, "IsTruncated": more, "NextContinuationToken": str(start + PAGE)}

    def write_tables(self, folder: Path, like: dict) -> None:
        """Both tables of the rows that are done, each row like this one but for what tells it
        apart; every fiftieth has failed."""
        order = np.argsort([video_id_of(self.key(n)) for n in range(self.n_done)])
        files = [
            open_writer(folder / name, schema, "w")
            for name, schema in ((VERDICTS_FILE, VERDICTS), (CLIPS_FILE, CLIPS))
        ]
        for start in range(0, self.n_done, _GROUP):
            verdicts, clips = self._group([int(n) for n in order[start : start + _GROUP]], like)
            files[0].write_table(verdicts)
            files[1].write_table(clips)
        marks = pa.array((make_version_mark(self.etag(int(n))) for n in order), pa.string())
        add_row_versions(files[0], marks)
        for file in files:
            file.close()

    def _group(self, numbers: list[int], like: dict) -> tuple[pa.Table, pa.Table]:
        rng = np.random.default_rng(numbers[0])
        size = len(numbers)
        failed = np.array(numbers) % 50 == 0
        same = {f.name: pa.repeat(pa.scalar(like[f.name], f.type), size) for f in VERDICTS}
        ids = pa.array([video_id_of(self.key(n)) for n in numbers])
        verdicts = same | {
            "video_id": ids,
            "etag": pa.array(map(self.etag, numbers)),
            "uri": pa.array([f"s3://study/{VIDEOS}{self.key(n)}" for n in numbers]),
            "config_fingerprint": pa.repeat(self.fingerprint, size),
            "p_ah": pa.array(rng.random(size)),
            "status": pa.array(np.where(failed, "failed", "ok"), pa.string()),
            "error_kind": pa.array(["unreadable" if f else None for f in failed], pa.string()),
            "n_clips": pa.repeat(pa.scalar(CLIPS_EACH, pa.int32()), size),
        }
        n = size * CLIPS_EACH
        index = np.tile(np.arange(CLIPS_EACH, dtype=np.int32), size)
        clips = {f.name: pa.nulls(n, f.type) for f in CLIPS} | {
            "video_id": pa.array(np.repeat(ids, CLIPS_EACH), pa.string()),
            "clip_index": pa.array(index),
            "start_s": pa.array(index * 5.0),
            "end_s": pa.array(index * 5.0 + 5),
            "p_ah": pa.array(rng.random(n)),
        }
        return pa.table(verdicts, schema=VERDICTS), pa.table(clips, schema=CLIPS)
