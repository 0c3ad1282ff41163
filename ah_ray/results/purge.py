"""Taking videos out of an output for good: consent was withdrawn.

Their rows, their place in both tables, what run files say of them, and the page in OUT. Objects
that storage keeps by itself (versions, backups, logs) are its owner's to remove.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from ah_ray import storage
from ah_ray.cohort import committed_names
from ah_ray.cohort.identity import video_id_of
from ah_ray.cohort.manifest import read_manifest
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.logs import HIDDEN
from ah_ray.results.lease import Lease
from ah_ray.results.outputs import config_in
from ah_ray.results.row_files import read_row_files, rows_folder
from ah_ray.results.runs import new_run_id
from ah_ray.results.tables import write_tables

REPORT_FILE = "report.html"
"""In OUT, where jobs/report.py has been: a page of all its videos."""

_LONG_ENOUGH = 8  # an id that is shorter may be an ordinary word, and run files name no ids


@dataclass(slots=True, kw_only=True)
class Purged:
    """What was removed."""

    asked: int  # entries of the manifest
    video_ids: set[str] = field(default_factory=set)  # those of which there was a trace
    rows: int = 0  # files in OUT/videos
    rows_left: int = 0  # in verdicts.parquet
    run_files: int = 0  # that named one of them, and were written anew without it
    report: bool = False  # the page in OUT, which is to be made anew
    unknown: list[str] = field(default_factory=list)  # entries without a trace


def purge(out: str, manifest: str, *, id_key: bytes | None = None) -> Purged:
    """Removes every trace of the videos that a manifest (`uri`, optional `video_id`) names.

    A video is known by its video_id, by the URI in its row, or, where rows hold none, by the id
    that `--id-key` gives it. Under OUT's lease: no run may write meanwhile. Raises ConfigError,
    OutputBusy, StorageError.
    """
    out = storage.normalise(out)
    config_in(out)
    try:
        listed = read_manifest(manifest, lambda key: video_id_of(key, id_key=id_key))
    except StorageError as error:
        raise ConfigError(f"--purge {manifest}: {error}") from None
    with Lease.acquire(out, new_run_id()):
        names = committed_names(out)
        ids_by_uri = _ids_by_uri(out, [name for found in names.values() for name in found])
        purged = Purged(asked=len(listed))
        words: set[str] = set()
        for one in listed:
            found = {one.video_id, *ids_by_uri.get(one.uri, ())} & names.keys()
            purged.video_ids |= found
            if not found:
                purged.unknown.append(one.uri)
            words |= {one.uri, *(i for i in (one.video_id, *found) if len(i) >= _LONG_ENOUGH)}
        gone = [name for video_id in purged.video_ids for name in names.pop(video_id)]
        storage.remove(storage.join(rows_folder(out), name) for name in gone)
        storage.remove(entry.uri for entry in _entries(out) if _is_unfinished(entry))
        purged.rows = len(gone)
        purged.rows_left = write_tables(out, _current(out, names)).n_rows
        purged.run_files = _scrub_runs(out, words)
        if purged.video_ids and storage.exists(page := storage.join(out, REPORT_FILE)):
            storage.remove([page])
            purged.report = True
    return purged


def _is_unfinished(entry: storage.Entry) -> bool:
    """What a process left that was killed while it wrote."""
    return entry.key.rpartition("/")[2].startswith(".tmp-")


def _ids_by_uri(out: str, names: Collection[str]) -> dict[str, set[str]]:
    """uri → the ids of the rows that have it. Opens every row: tables may lag behind them."""
    found: dict[str, set[str]] = {}
    for _, row in read_row_files(out, list(names), ("uri", "video_id")):
        if row is not None and (uri := row["uri"][0].as_py()) is not None:
            found.setdefault(uri, set()).add(row["video_id"][0].as_py())
    return found


def _current(out: str, names: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """The row of each video that is left; of several, the one that was written last."""
    for found in names.values():
        if len(found) == 1:
            yield found[0]
        else:
            yield max(found, key=lambda name: _modified(out, name))


def _modified(out: str, name: str) -> datetime:
    return storage.stat(storage.join(rows_folder(out), name)).last_modified


def _scrub_runs(out: str, words: Collection[str]) -> int:
    """How many run files named one of them; they do so no more."""
    n = 0
    for entry in _entries(storage.join(out, "runs")):
        before = storage.read_bytes(entry.uri).decode(errors="replace")
        after = before
        for word in sorted(words, key=len, reverse=True):
            # As JSON spells it; what lies within a longer word is another.
            after = re.sub(rf"(?<!\w){re.escape(json.dumps(word)[1:-1])}(?!\w)", HIDDEN, after)
        if after != before:
            storage.write_whole(entry.uri, after.encode())
            n += 1
    return n


def _entries(folder: str) -> Iterator[storage.Entry]:
    with suppress(ObjectMissing):
        for page in storage.list_pages(folder):
            yield from page
