"""Removes videos from an output for good, for example because consent was withdrawn.

It removes their rows, the embeddings of their clips, their entries in the tables, their names in
run files, and the report in OUT. Copies that the storage keeps by itself (versions, backups, logs)
remain until their owner removes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ah_ray import storage
from ah_ray.cohort import committed_names
from ah_ray.cohort.identity import video_id_in, video_id_of
from ah_ray.cohort.manifest import read_manifest
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.naming import HIDDEN
from ah_ray.output import rows_folder
from ah_ray.output.config import require_config
from ah_ray.output.embeddings.files import kept_names
from ah_ray.output.lease import Lease
from ah_ray.output.row_files import files_of_rows, read_row_files
from ah_ray.output.runs import new_run_id
from ah_ray.output.tables import write_tables

_NEVER = datetime.min.replace(tzinfo=UTC)

REPORT_FILE = "report.html"
"""The report of jobs/report.py in OUT: a page of all its videos."""

_LONG_ENOUGH = 8  # a shorter id may be an ordinary word, and run files hold no ids


@dataclass(slots=True, kw_only=True)
class PurgeResult:
    """What was removed, and what was asked for."""

    asked: int  # entries of the manifest
    video_ids: set[str] = field(default_factory=set)  # those that left a trace
    sought_ids: set[str] = field(default_factory=set)  # all ids that the entries may have …
    sought_uris: set[str] = field(default_factory=set)  # … and their URIs
    rows: int = 0  # files in OUT/videos
    rows_left: int = 0  # in verdicts.parquet
    run_files: int = 0  # that named one of them, and no longer do
    report: bool = False  # whether the report in OUT was removed
    unknown: list[str] = field(default_factory=list)  # entries without a trace


def purge_videos(out: str, manifest: str, *, id_key: bytes | None = None) -> PurgeResult:
    """Remove every trace of the videos that a manifest (`uri`, optional `video_id`) names.

    A video is found by its video_id, by the URI in its row, or, where rows hold no URIs, by the id
    that `--id-key` gives it. The purge holds OUT's lease, so no run writes meanwhile. Raise
    ConfigError, OutputBusy or StorageError.
    """
    out = storage.normalise(out)
    require_config(out)
    try:
        listed = read_manifest(manifest, lambda key: video_id_of(key, id_key=id_key))
    except StorageError as error:
        raise ConfigError(f"--purge {manifest}: {error}") from None
    with Lease.acquire(out, new_run_id()) as lease:
        names = committed_names(out)
        ids_by_uri = _ids_by_uri(out, [name for found in names.values() for name in found])
        purged = PurgeResult(asked=len(listed))
        words: set[str] = set()
        for one in listed:
            found = {one.video_id, *ids_by_uri.get(one.uri, ())} & names.keys()
            purged.video_ids |= found
            purged.sought_ids |= {one.video_id, *ids_by_uri.get(one.uri, ())}
            purged.sought_uris.add(one.uri)
            if not found:
                purged.unknown.append(one.uri)
            words |= {one.uri, *(i for i in (one.video_id, *found) if len(i) >= _LONG_ENOUGH)}
        lease.confirm()
        gone = {name for video_id in purged.video_ids for name in names.pop(video_id)}
        purged.rows = len(gone)
        gone |= {name for name in kept_names(out) if video_id_in(name) in purged.sought_ids}
        storage.remove(files_of_rows(out, gone))
        storage.remove(entry.uri for entry in _list_entries(out) if _is_unfinished(entry))
        tables = write_tables(out, _current_rows(out, names), confirm=lease.confirm)
        purged.rows_left = tables.n_rows
        purged.run_files = _scrub_runs(out, words, lease)
        lease.confirm()
        if purged.video_ids and storage.exists(page := storage.join(out, REPORT_FILE)):
            storage.remove([page])
            purged.report = True
    return purged


def _is_unfinished(entry: storage.Entry) -> bool:
    """Return whether a process that was killed while writing left this object."""
    return entry.key.rpartition("/")[2].startswith(".tmp-")


def _ids_by_uri(out: str, names: Collection[str]) -> dict[str, set[str]]:
    """Return uri → ids of the rows that have it. Open every row: tables may be older than rows."""
    found: dict[str, set[str]] = {}
    rows = read_row_files(out, list(names), ("uri", "video_id"), misnamed_too=True)
    for name, row in rows:
        if row is not None and (uri := row["uri"][0].as_py()) is not None:
            ids = (row["video_id"][0].as_py(), video_id_in(name))
            found.setdefault(uri, set()).update(video_id for video_id in ids if video_id)
    return found


def _current_rows(out: str, names: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield the row of each remaining video; of several, the one that was written last."""
    for found in names.values():
        if len(found) == 1:
            yield found[0]
        else:
            yield max(found, key=lambda name: _written_at(out, name))


def _written_at(out: str, name: str) -> tuple[datetime, str]:
    """Return when a row was written: storage's time (perhaps in whole seconds), then its own."""
    stored = storage.stat(storage.join(rows_folder(out), name)).last_modified or _NEVER
    ((_, row),) = read_row_files(out, [name], ["scored_at"])
    return stored, "" if row is None else str(row["scored_at"][0].as_py())


def _scrub_runs(out: str, words: Collection[str], lease: Lease) -> int:
    """Remove these words from run files. Return how many files held one."""
    n = 0
    for entry in _list_entries(storage.join(out, "runs")):
        before = storage.read_bytes(entry.uri).decode(errors="replace")
        after = before
        for word in sorted(words, key=len, reverse=True):
            # As JSON spells it. Part of a longer word is another word.
            after = re.sub(rf"(?<!\w){re.escape(json.dumps(word)[1:-1])}(?!\w)", HIDDEN, after)
        if after != before:
            lease.confirm()
            storage.write_whole(entry.uri, after.encode())
            n += 1
    return n


def _list_entries(folder: str) -> Iterator[storage.Entry]:
    with suppress(ObjectMissing):
        for page in storage.list_pages(folder):
            yield from page
