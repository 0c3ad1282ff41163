"""A row becomes a fact: one atomic write, then what it replaces goes."""

from __future__ import annotations

from collections.abc import Sequence

from ah_ray import storage
from ah_ray.cohort.identity import row_name
from ah_ray.results.row_files import row_bytes, rows_folder


def commit(out: str, row: dict, *, stale: Sequence[str] = ()) -> str:
    """Writes a row of records.VERDICT to OUT/videos; returns its file's name.

    A row for the same content and configuration is replaced. `stale` are names of the video's
    older rows; they go only after the new one is there, so a reader always finds one. Raises
    StorageError.
    """
    name = row_name(row["video_id"], row["etag"], row["config_fingerprint"])
    folder = rows_folder(out)
    storage.write_whole(storage.join(folder, name), row_bytes(row))
    storage.remove(storage.join(folder, old) for old in stale if old != name)
    return name
