"""The files OUT/embeddings/<name of a row>: the embeddings of the clips of that row's video.

They are written just before the row, whose name is the commit record of both: what has no row of
its name is no embedding of this output. A run that is killed between the two leaves an orphan,
which the same run, started again, replaces, and the end of any run removes. They hold no names of
videos beyond the id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.cohort.committed_rows import committed_names
from ah_ray.cohort.identity import row_name, video_id_in
from ah_ray.errors import ObjectMissing
from ah_ray.output.lease_guard import LeaseGuard
from ah_ray.output.row_files import NAMED_BY, embeddings_folder, write_held
from ah_ray.records import EMBEDDINGS, ClipScore
from ah_ray.verdicts.verdict import Row

ROW_NAME = b"ah_ray.row"
"""The key, in a file's footer, of the name of the row that it belongs to."""


def write_embeddings(
    out: str, row: Row, clips: Sequence[ClipScore], *, guard: LeaseGuard | None = None
) -> None:
    """Write the embeddings of a row's clips, in the order of clips; call it before `commit_row`.

    Clips without an embedding have no line, and a video without any has a file without lines: so
    it is known that they were kept. Raise the errors of `commit_row`.
    """
    kept = [clip for clip in clips if clip.embedding is not None]
    table = make_table(
        row,
        [clip.clip_index for clip in kept],
        [np.frombuffer(clip.embedding or b"", "<f2") for clip in kept],
    )
    write_table(out, name_of(row), table, guard=guard)


def make_table(row: Row, indices: Sequence[int], embeddings: Sequence[np.ndarray]) -> pa.Table:
    """Return records.EMBEDDINGS of one row: embeddings are arrays [D] float16."""
    flat = np.concatenate([np.empty(0, np.float16), *embeddings]).astype(np.float16, copy=False)
    ends = np.cumsum([0, *map(len, embeddings)], dtype=np.int32)
    columns = [
        pa.array([row["video_id"]] * len(indices), pa.string()),
        pa.array(indices, pa.int32()),
        pa.array([row["config_fingerprint"]] * len(indices), pa.string()),
        pa.ListArray.from_arrays(pa.array(ends), pa.array(flat, pa.float16())),
    ]
    return pa.Table.from_arrays(columns, schema=EMBEDDINGS)


def write_table(out: str, name: str, table: pa.Table, *, guard: LeaseGuard | None = None) -> None:
    """Write the embeddings that belong to the row of this name."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({ROW_NAME: name.encode()}),
        sink,
        compression="none",  # these numbers do not compress
        use_dictionary=["video_id", "config_fingerprint"],
        write_statistics=False,
        write_page_checksum=True,
    )
    uri = storage.join(embeddings_folder(out), name)
    write_held(uri, sink.getvalue().to_pybytes(), guard)


def remove_embeddings(out: str, row: Row, *, guard: LeaseGuard | None = None) -> None:
    """Remove the embeddings of an earlier attempt at a row; there may be none."""
    if guard is not None:
        guard.check()
    storage.remove([storage.join(embeddings_folder(out), name_of(row))])


def kept_names(out: str) -> set[str]:
    """Return the names of rows whose embeddings are kept, whether or not these rows are there."""
    try:
        pages = storage.list_pages(embeddings_folder(out))
        return {entry.key for page in pages for entry in page if video_id_in(entry.key)}
    except ObjectMissing:
        return set()


def remove_orphans(out: str, confirm: Callable[[], None]) -> None:
    """Remove embeddings whose rows are not there. `confirm` raises if OUT is another run's."""
    if not (kept := kept_names(out)):
        return
    rows = {name for names in committed_names(out).values() for name in names}
    if orphans := sorted(kept - rows):
        confirm()
        storage.remove(storage.join(embeddings_folder(out), name) for name in orphans)


def name_of(row: Row) -> str:
    """Return the name of a row's file, and of that of its embeddings."""
    return row_name(*(row[column] for column in NAMED_BY))
