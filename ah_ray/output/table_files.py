"""The tables OUT/verdicts.parquet, clips.parquet and answers.parquet: how they are marked, opened
and replaced.

They are sorted by video_id. Their footers hold the version of the schema, and a mark that the
tables of one writing share. They are separate objects, so a reader of several compares the marks.
There is no answers.parquet where one question with two answers was asked.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, PreconditionFailed, StorageError
from ah_ray.records import (
    ANSWERS,
    CLIPS,
    FROM_MANIFEST,
    NOT_PARQUET,
    SCHEMA_VERSION,
    VERDICTS,
    check_version,
)

VERDICTS_FILE, CLIPS_FILE, ANSWERS_FILE = "verdicts.parquet", "clips.parquet", "answers.parquet"
TABLE_FILES = (VERDICTS_FILE, CLIPS_FILE, ANSWERS_FILE)
_SCHEMAS = {VERDICTS_FILE: VERDICTS, CLIPS_FILE: CLIPS, ANSWERS_FILE: ANSWERS}

_SCHEMA_VERSION, _WRITING, _ROW_VERSIONS = (
    b"ah_ray.schema_version",
    b"ah_ray.writing",
    b"ah_ray.row_versions",
)
ADDED = {
    "unscored_sound_s",
    "remarks",
    "format_mass",
    "asked",
    "answers",
    "contrasts",
    "value",
    *FROM_MANIFEST,
}
"""Columns that tables of earlier versions lack."""

_BATCH_ROWS = 16_384
_WRITES = 3  # attempts, if another writer changes the table meanwhile


_Rows = TypeVar("_Rows", pa.Table, pa.RecordBatch)


class TableDamaged(ConfigError):
    """A table cannot be read. The next run writes it again."""


def damage_error(uri: str, error: Exception) -> TableDamaged:
    """Return the error for a table that pyarrow cannot read."""
    why = " ".join(str(error).split())
    return TableDamaged(f"{uri} is damaged ({why}): the next run of score.py writes it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One of the tables, open. Reading from it raises TableDamaged if a page is damaged.

    Columns that an earlier version did not have are null.
    """

    uri: str
    file: pq.ParquetFile
    expected: pa.Schema  # of this version

    @property
    def stored(self) -> pa.Schema:
        """Return the schema of the file."""
        return self.file.schema_arrow

    @property
    def schema(self) -> pa.Schema:
        """Return the schema of the table as it is read."""
        return self.expected

    @property
    def is_known(self) -> bool:
        """Return whether the file has the columns of this version, or of an earlier one."""
        now = [field for field in self.expected if field.name in self.stored.names]
        missing = set(self.expected.names) - set(self.stored.names)
        return bool(self.stored.equals(pa.schema(now))) and missing <= ADDED

    @property
    def writing(self) -> bytes | None:
        """Return the mark that the tables of one writing share."""
        mark: bytes | None = (self.file.metadata.metadata or {}).get(_WRITING)
        return mark

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the whole table, or some of its columns."""
        names = self.schema.names if columns is None else list(columns)
        with self._damage_named():
            found = self.file.read(columns=self._find_stored(names), use_threads=False)
        return self._complete(found, names)

    def batches(
        self, columns: Sequence[str] | None = None, batch_size: int = 65_536
    ) -> Iterator[pa.RecordBatch]:
        """Yield its rows in order. Errors of the code that uses the batches are not caught here."""
        names = self.schema.names if columns is None else list(columns)
        with self._damage_named():
            batches = self.file.iter_batches(
                batch_size=batch_size, columns=self._find_stored(names)
            )
        while True:
            with self._damage_named():
                batch = next(batches, None)
            if batch is None:
                return
            yield self._complete(batch, names)

    def _find_stored(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self.stored.names]

    def _complete(self, rows: _Rows, names: Sequence[str]) -> _Rows:
        """Return these columns of the rows, null where the file does not have them."""
        if rows.schema.names == names:
            return rows
        for name in names:
            if name not in rows.schema.names:
                field = self.expected.field(name)
                rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
        return rows.select(list(names))

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        try:
            yield
        except NOT_PARQUET as error:
            raise damage_error(self.uri, error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Both tables, open, and written together."""

    verdicts: Table
    clips: Table

    def row_versions(self) -> pa.Array | None:
        """Return a `version_mark` for each row of `verdicts`; None if an older ah_ray wrote it."""
        text = (self.verdicts.file.metadata.metadata or {}).get(_ROW_VERSIONS, b"").decode()
        if len(text) != _MARK_LENGTH * self.verdicts.file.metadata.num_rows:
            return None
        starts = range(0, len(text), _MARK_LENGTH)
        return pa.array((text[start : start + _MARK_LENGTH] for start in starts), pa.string())


_MARK_LENGTH = 8


def make_version_mark(etag: str | None) -> str | None:
    """Return 8 characters that identify one version of a row's file; None if it has no etag.

    They hold 48 bits of a hash, so two versions have the same mark once in 10^14 times.
    """
    if etag is None:
        return None
    return base64.b64encode(hashlib.sha256(etag.encode()).digest()[:6]).decode()


@contextmanager
def open_table(out: str, name: str) -> Iterator[Table]:
    """Open a table. Raise ObjectMissing, TableDamaged, or ConfigError if ah_ray is too old."""
    uri = storage.join(out, name)
    with storage.open_read(uri) as file:
        try:
            table = pq.ParquetFile(file, page_checksum_verification=True)
        except NOT_PARQUET as error:
            raise damage_error(uri, error) from None
        marks = table.schema_arrow.metadata or {}
        check_version(uri, int(marks.get(_SCHEMA_VERSION, 0)))
        yield Table(uri=uri, file=table, expected=_SCHEMAS[name])


@contextmanager
def open_tables(out: str) -> Iterator[Tables | None]:
    """Open verdicts and clips to read them together; None if that cannot be done.

    Then one is missing or damaged, or they differ, since a run was killed between the two writes or
    is just writing them.
    """
    with ExitStack() as stack:
        try:
            verdicts = stack.enter_context(open_table(out, VERDICTS_FILE))
            clips = stack.enter_context(open_table(out, CLIPS_FILE))
        except (ObjectMissing, TableDamaged):
            yield None
            return
        same = verdicts.writing is not None and verdicts.writing == clips.writing
        fits = verdicts.is_known and clips.is_known
        yield Tables(verdicts=verdicts, clips=clips) if same and fits else None


def open_writer(file: BinaryIO | Path, schema: pa.Schema, writing: str) -> pq.ParquetWriter:
    """Return a writer of one of the tables to a local file; `writing` is the mark of all."""
    marks = {_SCHEMA_VERSION: str(SCHEMA_VERSION).encode(), _WRITING: writing.encode()}
    return pq.ParquetWriter(
        file, schema.with_metadata(marks), compression="zstd", write_page_checksum=True
    )


def add_row_versions(verdicts: pq.ParquetWriter, marks: pa.Array) -> None:
    """Write to the footer of the verdicts which version of its file each row came from."""
    verdicts.add_key_value_metadata({_ROW_VERSIONS: "".join(marks.to_pylist()).encode()})


def replace_tables(
    out: str, files: Mapping[str, Path], *, writing: str, confirm: Callable[[], None]
) -> None:
    """Write tables to OUT from local files, by their names, and check that storage has them.

    A table of answers that is not among them is removed. `confirm` is called before each change.
    Raise StorageError, which says so if the tables are now of different runs, and what `confirm`
    raises.
    """
    names = [name for name in (ANSWERS_FILE, CLIPS_FILE, VERDICTS_FILE) if name in files]
    for number, name in enumerate(names):
        try:
            _replace(out, name, files[name], confirm)
        except StorageError as error:
            if not number:
                raise
            raise StorageError(
                f"{_are(names[:number])} of this run and {_are(names[number:])} not, until the "
                f"same command has run again: {error}"
            ) from error
    for name in names:
        _check_kept(out, name, writing)
    if ANSWERS_FILE not in files and storage.exists(answers := storage.join(out, ANSWERS_FILE)):
        confirm()
        storage.remove([answers])


def _are(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _replace(out: str, name: str, path: Path, confirm: Callable[[], None]) -> None:
    """Replace the table that is there now, and no other.

    The condition is read before the lease is confirmed. So a run that is stopped between that and
    the write, until another run takes over, does not overwrite the other run's table.
    """
    uri = storage.join(out, name)
    for _ in range(_WRITES):
        try:
            before = storage.stat(uri).etag
        except ObjectMissing:
            before = None
        confirm()
        try:
            return storage.replace_file(uri, path, before)
        except PreconditionFailed:
            continue  # another run (then `confirm` raises), or our write whose response was lost
    raise StorageError(f"{uri} is changed again and again by another writer: find out which one")


def _check_kept(out: str, name: str, writing: str) -> None:
    """Raise StorageError if storage acknowledged this table but does not have it."""
    with suppress(ObjectMissing, *NOT_PARQUET), storage.open_read(storage.join(out, name)) as file:
        table = Table(uri=name, file=pq.ParquetFile(file), expected=_SCHEMAS[name])
        if table.writing == writing.encode():
            return
    raise StorageError(
        f"{storage.join(out, name)} is not the table that storage has just acknowledged; "
        "run the same command again"
    )


class Cursor:
    """Reads a table that is sorted by video_id once, in bounded memory."""

    def __init__(self, table: Table):
        self._batches = table.batches(batch_size=_BATCH_ROWS)
        self._ahead = table.schema.empty_table()

    def up_to(self, video_id: str) -> pa.Table:
        """Return the rows from the current position to the last one of this id."""
        while not len(self._ahead) or self._ahead["video_id"][-1].as_py() <= video_id:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._ahead = pa.concat_tables([self._ahead, pa.Table.from_batches([batch])])
        reached = pc.sum(pc.less_equal(self._ahead["video_id"], video_id)).as_py() or 0
        found, self._ahead = self._ahead.slice(0, reached), self._ahead.slice(reached)
        return found
