"""Reads the embeddings of an output: those that belong to the rows of its tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.cohort.identity import video_id_in
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.output.embeddings.files import ROW_NAME, kept_names
from ah_ray.output.read import no_tables_error
from ah_ray.output.row_files import NAMED_BY, READERS, embeddings_folder, row_names
from ah_ray.output.table_files import VERDICTS_FILE, open_table
from ah_ray.records import EMBEDDINGS, NOT_PARQUET

_AT_ONCE = 256  # files that are read before they are yielded


def read_embeddings(out: str, video_ids: Collection[str] | None = None) -> pa.Table:
    """Return one row for each clip whose embedding is kept: records.EMBEDDINGS.

    It is sorted by video_id and clip_index. `video_ids` selects videos. Raise ConfigError if the
    output does not exist, or keeps no embeddings.
    """
    tables = list(stream_embeddings(out, video_ids))
    return pa.concat_tables([EMBEDDINGS.empty_table(), *tables]).combine_chunks()


def stream_embeddings(out: str, video_ids: Collection[str] | None = None) -> Iterator[pa.Table]:
    """Yield the same, the clips of one video after another. Raise the same errors.

    Videos none of whose clips has an embedding are passed over. A file that is damaged, or belongs
    to another row than its name says, counts as missing.
    """
    names = list_embedded(out)
    if video_ids is not None:
        wanted = set(video_ids)
        names = [name for name in names if video_id_in(name) in wanted]
    yield from read_files(out, names)


def list_embedded(out: str) -> list[str]:
    """Return the names of the rows whose embeddings are kept, in the order of video_id.

    Raise ConfigError if there are none.
    """
    out = storage.normalise(out)
    with _unreadable_as_config_error(out):
        kept = kept_names(out)
        names = [name for name in _current_names(out) if name in kept]
    if not names:
        raise ConfigError(
            f"{out} keeps no embeddings: run its score.py again with --keep-embeddings, which "
            "scores the videos again that have none"
        )
    return names


def read_files(out: str, names: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the embeddings of rows as `stream_embeddings` does."""
    out = storage.normalise(out)
    with (
        _unreadable_as_config_error(out),
        ThreadPoolExecutor(READERS, thread_name_prefix="embeddings") as pool,
    ):
        for start in range(0, len(names), _AT_ONCE):
            found = pool.map(partial(read_file, out), names[start : start + _AT_ONCE])
            yield from (table for table in found if table is not None and len(table))


@contextmanager
def _unreadable_as_config_error(out: str) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None


def as_matrix(table: pa.Table) -> np.ndarray:
    """Return the embeddings of a table as [n, D] float32. Raise ConfigError if their D differ."""
    column = table["embedding"].combine_chunks()
    lengths = np.diff(column.offsets.to_numpy())
    if len(set(lengths.tolist())) > 1:
        raise ConfigError("the embeddings are of several models: score the cohort again with one")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(len(table), -1)


def _current_names(out: str) -> list[str]:
    """Return the names of the rows in the tables, in the order of video_id."""
    try:
        with open_table(out, VERDICTS_FILE) as table:
            return [name for batch in table.batches(NAMED_BY) for name in row_names(batch)]
    except ObjectMissing:
        raise no_tables_error(out) from None


def read_file(out: str, name: str) -> pa.Table | None:
    """Return the embeddings of one row; None if its file is missing, damaged or another row's."""
    try:
        data = pa.BufferReader(storage.read_bytes(storage.join(embeddings_folder(out), name)))
        file = pq.ParquetFile(data, page_checksum_verification=True)
        if (file.schema_arrow.metadata or {}).get(ROW_NAME) != name.encode():
            return None
        return file.read(use_threads=False).replace_schema_metadata().cast(EMBEDDINGS)
    except (ObjectMissing, *NOT_PARQUET):
        return None
