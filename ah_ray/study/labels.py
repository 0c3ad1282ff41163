"""A labelled manifest: the two tables that training and evaluation read, and their description.

OUT/windows.parquet   one row per training window
OUT/videos.parquet    one row per labelled video
OUT/prepared.json     how they were made: settings, counts, fingerprint. Written last, and without
                      it the tables are not read
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.records import NOT_PARQUET

SPLITS = ("train", "val", "test")
WINDOWS_FILE, VIDEOS_FILE, PREPARED_FILE = "windows.parquet", "videos.parquet", "prepared.json"

WINDOWS = pa.schema(
    [
        ("uri", pa.string()),
        ("video_id", pa.string()),  # as a scoring run over the same videos calls it
        ("window_index", pa.int32()),  # within the video, in the order of time
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("label", pa.int32()),  # 1: the answer is Yes
        ("question", pa.string()),  # null: is it A/H; else the text of a simpler question
        ("participant_id", pa.string()),
        ("split", pa.string()),  # one of SPLITS
        ("weight", pa.float64()),  # in the loss
    ]
)
"""OUT/windows.parquet, sorted by video_id and window_index."""

SEGMENT = pa.struct([("start_s", pa.float64()), ("end_s", pa.float64())])

LABELLED_VIDEOS = pa.schema(
    [
        ("uri", pa.string()),
        ("video_id", pa.string()),
        ("label", pa.int32()),  # 1: A/H somewhere in it; null if only simpler questions were asked
        ("duration_s", pa.float64()),
        ("participant_id", pa.string()),
        ("split", pa.string()),
        ("segments", pa.list_(SEGMENT)),  # where A/H was marked
        ("age", pa.int32()),
        ("gender", pa.string()),
        ("ethnicity", pa.string()),
        ("language", pa.string()),
    ]
)
"""OUT/videos.parquet, sorted by video_id. The last four are null where unknown."""

_NOT_LABELS = ("uri", "age", "gender", "ethnicity", "language")


def fingerprint(windows: pa.Table, videos: pa.Table) -> str:
    """16 hex digits of all that a model learns from: the same on disk and in a bucket.

    Places and demographics do not enter.
    """
    digest = hashlib.sha256()
    for table in (windows, videos):
        for row in table.to_pylist():
            kept = {name: value for name, value in row.items() if name not in _NOT_LABELS}
            digest.update(json.dumps(kept, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def write_labels(out: str, windows: pa.Table, videos: pa.Table, about: dict[str, Any]) -> None:
    """Each file whole or not at all; `about` last: without it nothing is read.

    So one that was stopped while it replaced another leaves no mixture of both.
    """
    storage.remove([storage.join(out, PREPARED_FILE)])
    for name, table in ((WINDOWS_FILE, windows), (VIDEOS_FILE, videos)):
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        storage.write_whole(storage.join(out, name), buffer.getvalue())
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    storage.write_whole(storage.join(out, PREPARED_FILE), text.encode())


def read_windows(out: str, split: str | None = None) -> pa.Table:
    """WINDOWS of one split, or of all. Raises ConfigError if OUT is no labelled manifest."""
    return _read(out, WINDOWS_FILE, WINDOWS, split)


def read_labelled_videos(out: str, split: str | None = None) -> pa.Table:
    """LABELLED_VIDEOS of one split, or of all. Raises ConfigError if OUT has none."""
    return _read(out, VIDEOS_FILE, LABELLED_VIDEOS, split)


def read_about(out: str) -> dict[str, Any]:
    """prepared.json. Raises ConfigError if OUT has none, or a damaged one."""
    try:
        about = json.loads(_open(out, PREPARED_FILE))
    except (ValueError, RecursionError):
        about = None
    if not (isinstance(about, dict) and isinstance(about.get("data_fingerprint"), str)):
        raise ConfigError(f"{storage.join(out, PREPARED_FILE)} is damaged: prepare anew")
    return about


def _read(out: str, name: str, schema: pa.Schema, split: str | None) -> pa.Table:
    read_about(out)  # tables without it are of a run that did not end
    try:
        table = pq.read_table(io.BytesIO(_open(out, name)), page_checksum_verification=True)
    except NOT_PARQUET as error:
        raise ConfigError(f"{storage.join(out, name)} is damaged ({error}): prepare anew") from None
    if not table.schema.equals(schema):
        raise ConfigError(f"{storage.join(out, name)} has other columns: prepare it anew")
    return table if split is None else table.filter(pc.equal(table["split"], split))


def _open(out: str, name: str) -> bytes:
    try:
        return storage.read_bytes(storage.join(storage.normalise(out), name))
    except ObjectMissing:
        raise ConfigError(
            f"{out} has no {name}: it is no output of jobs/prepare.py, or one that did not end"
        ) from None
