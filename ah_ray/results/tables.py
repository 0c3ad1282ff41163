"""The final tables: all rows of a cohort in two files, so that nobody opens a million.

Most rows of a night are those of the night before. They are taken over from the old tables; only
files that the old tables do not know, or that are newer, are opened. Everything is held by column
and goes through in groups of rows, so a million videos need some hundred megabytes.
"""

from __future__ import annotations

import secrets
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.errors import ObjectMissing
from ah_ray.records import CLIPS, NOT_PARQUET, VERDICTS
from ah_ray.results.failures import ID_COLUMNS, names_of
from ah_ray.results.row import FAILED, PARTIAL
from ah_ray.results.row_files import read_row_files, rows_folder
from ah_ray.results.spool import Spool
from ah_ray.results.table_files import (
    CLIPS_FILE,
    VERDICTS_FILE,
    Cursor,
    Marks,
    Tables,
    open_tables,
    writer,
)

GROUP_ROWS = 16_384
_SLACK = timedelta(seconds=1)  # S3 tells the time of an object in whole seconds
_NAME_TAIL = len("-01234567.parquet")
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(slots=True, kw_only=True)
class Counts:
    """What the tables of a cohort hold."""

    n_videos: int  # of the cohort
    n_rows: int = 0
    n_removed: int = field(default=0, compare=False)  # of the tables before, now out of the cohort
    n_clips: int = 0
    duration_s: float = 0.0
    by_status: Counter[str] = field(default_factory=Counter)
    failed_by_kind: Counter[str] = field(default_factory=Counter)
    partial_by_kind: Counter[str] = field(default_factory=Counter)

    @property
    def n_failed(self) -> int:
        return self.by_status[FAILED]

    @property
    def n_missing(self) -> int:
        return self.n_videos - self.n_rows

    def add(self, verdicts: pa.Table, clips: pa.Table) -> None:
        self.n_rows += len(verdicts)
        self.n_clips += len(clips)
        self.duration_s += pc.sum(verdicts["duration_s"]).as_py() or 0.0
        self.by_status.update(verdicts["status"].to_pylist())
        for status, kinds in ((FAILED, self.failed_by_kind), (PARTIAL, self.partial_by_kind)):
            of_status = verdicts.filter(pc.equal(verdicts["status"], status))
            kinds.update(kind for kind in of_status["error_kind"].to_pylist() if kind)


def write_tables(out: str, current: Iterable[str], spool: Spool | None = None) -> Counts:
    """Rewrites both tables from the rows that are there for `current`; says what they hold.

    `current` are the names of the rows that the cohort should have (cohort.row_name of each
    video's present content). Rows of other content, or of videos that left, are left out. Sorted
    by video_id, then clip_index. What `spool` holds need not be read again. Raises StorageError.
    """
    wanted = _strings(current)
    counts = Counts(n_videos=len(wanted))
    ids = pc.utf8_slice_codeunits(wanted, 0, -_NAME_TAIL)
    if spool is not None:
        spool.seal()
    found = _listed(out)
    found = found.filter(pc.is_in(found["name"], value_set=wanted))
    try:
        with open_tables(out) as old:
            counts.n_removed = _n_removed(old, ids)
            return _write(out, found, old, spool, counts)
    except NOT_PARQUET:  # a page of an old table is damaged: do without them
        return _write(out, found, None, spool, Counts(n_videos=len(wanted)))


def _n_removed(old: Tables | None, ids: pa.Array) -> int:
    if old is None:
        return 0
    batches = old.verdicts.iter_batches(columns=["video_id"])
    stays = (pc.is_in(batch["video_id"], value_set=ids) for batch in batches)
    return sum(len(batch) - batch.true_count for batch in stays)


def _write(
    out: str, found: pa.Table, old: Tables | None, spool: Spool | None, counts: Counts
) -> Counts:
    """Both tables of the row files in `found`, made on local disk, then written whole."""
    marks = Marks(writing=secrets.token_hex(8), newest_row=pc.max(found["modified"]).as_py())
    with tempfile.TemporaryDirectory(prefix="ah_ray-") as folder:
        paths = {name: Path(folder) / name for name in (CLIPS_FILE, VERDICTS_FILE)}
        with (
            writer(paths[VERDICTS_FILE], VERDICTS, marks) as verdicts_file,
            writer(paths[CLIPS_FILE], CLIPS, marks) as clips_file,
        ):
            for verdicts, clips in _groups(out, found, old, spool):
                counts.add(verdicts, clips)
                verdicts_file.write_table(verdicts)
                clips_file.write_table(clips)
        for name, path in paths.items():
            storage.write_file(storage.join(out, name), path)
    return counts


def _strings(values: Iterable[str]) -> pa.Array:
    """As one column; never all of them as Python objects."""
    values = iter(values)
    parts = iter(lambda: pa.array(islice(values, 65_536), pa.string()), pa.array([], pa.string()))
    return pa.chunked_array(parts, pa.string()).combine_chunks()


def _listed(out: str) -> pa.Table:
    """name and last modification of all that lies in OUT/videos."""
    names, times = [], []
    try:
        for page in storage.list_pages(rows_folder(out)):
            names.append(pa.array([entry.key for entry in page], pa.string()))
            times.append(pa.array([entry.last_modified for entry in page], _TIME))
    except ObjectMissing:
        pass  # no row yet
    return pa.table(
        {"name": pa.chunked_array(names, pa.string()), "modified": pa.chunked_array(times, _TIME)}
    )


def _groups(
    out: str, found: pa.Table, old: Tables | None, spool: Spool | None
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """VERDICTS and CLIPS rows of the row files in `found`, sorted, some thousand videos a time."""
    kept_ids, fresh = _split(found, old)
    fresh_ids = pc.utf8_slice_codeunits(fresh, 0, -_NAME_TAIL)
    order = pc.sort_indices(fresh_ids)
    fresh, fresh_ids = fresh.take(order), fresh_ids.take(order)

    all_ids = pa.concat_arrays([kept_ids, fresh_ids])
    order = pc.sort_indices(all_ids).to_numpy()
    is_fresh = order >= len(kept_ids)
    cursors = (Cursor(old.verdicts), Cursor(old.clips)) if old else None
    n_kept = n_fresh = 0
    for start in range(0, len(order), GROUP_ROWS):
        group = slice(start, start + GROUP_ROWS)
        fresh_here = int(np.count_nonzero(is_fresh[group]))
        kept_here = len(order[group]) - fresh_here
        parts = _read_fresh(out, fresh.slice(n_fresh, fresh_here).to_pylist(), spool)
        if cursors:
            last_id = all_ids[order[group][-1]].as_py()
            ids = kept_ids.slice(n_kept, kept_here)
            parts.append([_only(cursor.up_to(last_id), ids) for cursor in cursors])
        n_kept, n_fresh = n_kept + kept_here, n_fresh + fresh_here
        verdicts, clips = zip(*parts, strict=True)
        yield (
            pa.concat_tables(verdicts).sort_by("video_id"),
            pa.concat_tables(clips).sort_by(
                [("video_id", "ascending"), ("clip_index", "ascending")]
            ),
        )


def _split(found: pa.Table, old: Tables | None) -> tuple[pa.Array, pa.Array]:
    """The ids whose old rows are still true, in order; and the names of the files to open."""
    if old is None or old.newest_row is None:
        return pa.array([], pa.string()), found["name"].combine_chunks()
    settled = found.filter(
        pc.less_equal(found["modified"], pa.scalar(old.newest_row - _SLACK, _TIME))
    )
    ids, names = [], []
    for batch in old.verdicts.iter_batches(columns=ID_COLUMNS):
        ids.append(batch["video_id"])
        names.append(pa.array(names_of(batch), pa.string()))
    known = pa.table(
        {"id": pa.chunked_array(ids, pa.string()), "name": pa.chunked_array(names, pa.string())}
    )
    kept = known.filter(pc.is_in(known["name"], value_set=settled["name"]))
    fresh = found.filter(pc.invert(pc.is_in(found["name"], value_set=kept["name"])))
    return kept["id"].combine_chunks(), fresh["name"].combine_chunks()


def _only(rows: pa.Table, video_ids: pa.Array) -> pa.Table:
    return rows.filter(pc.is_in(rows["video_id"], value_set=video_ids)).replace_schema_metadata()


def _read_fresh(out: str, names: Sequence[str], spool: Spool | None) -> list[list[pa.Table]]:
    """[VERDICTS rows, CLIPS rows] of rows that the spool holds, or of single files."""
    parts = [[VERDICTS.empty_table(), CLIPS.empty_table()]]
    if spool is not None:
        table, names = spool.find(names)
        parts.append(_both(table))
    rows = (row for _, row in read_row_files(out, names) if row is not None)
    while some := list(islice(rows, 512)):
        parts.append(_both(pa.concat_tables(some)))
    return parts


def _both(rows: pa.Table) -> list[pa.Table]:
    rows = rows.combine_chunks()
    return [rows.select(VERDICTS.names), flat_clips(rows)]


def flat_clips(rows: pa.Table) -> pa.Table:
    """The timelines of VERDICT rows, one clip a row of CLIPS."""
    clips = rows["clips"].combine_chunks()
    ids = rows["video_id"].combine_chunks().take(pc.list_parent_indices(clips))
    return pa.Table.from_arrays([ids, *pc.list_flatten(clips).flatten()], schema=CLIPS)
