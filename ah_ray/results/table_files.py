"""OUT/verdicts.parquet and OUT/clips.parquet as files: their marks, and how they are opened.

Both are sorted by video_id and carry in their footer which schema and which writing they are of.
They are two objects, so a reader of both compares the latter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.records import CLIPS, NOT_PARQUET, SCHEMA_VERSION, VERDICTS
from ah_ray.results.row_files import check_version

VERDICTS_FILE, CLIPS_FILE = "verdicts.parquet", "clips.parquet"

_SCHEMA_VERSION, _WRITING, _NEWEST_ROW = (
    b"ah_ray.schema_version",
    b"ah_ray.writing",
    b"ah_ray.newest_row",
)
_BATCH_ROWS = 16_384


class TableDamaged(ConfigError):
    """What stands in a table's place is none. The next run writes it anew."""


def damaged(uri: str, error: Exception) -> TableDamaged:
    why = " ".join(str(error).split())
    return TableDamaged(f"{uri} is damaged ({why}): the next run of score.py writes it anew")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What the footers of the two tables say about themselves."""

    writing: str  # the same in both tables that were written together
    newest_row: datetime | None  # storage's own time of the newest row file that is in them

    def metadata(self) -> dict[bytes, bytes]:
        newest = self.newest_row.isoformat() if self.newest_row else ""
        return {
            _SCHEMA_VERSION: str(SCHEMA_VERSION).encode(),
            _WRITING: self.writing.encode(),
            _NEWEST_ROW: newest.encode(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Both tables, open, and of one writing."""

    verdicts: pq.ParquetFile
    clips: pq.ParquetFile
    newest_row: datetime | None


@contextmanager
def open_table(out: str, name: str) -> Iterator[pq.ParquetFile]:
    """Raises ObjectMissing, TableDamaged, or ConfigError if a newer ah_ray wrote it."""
    uri = storage.join(out, name)
    with storage.open_read(uri) as file:
        try:
            table = pq.ParquetFile(file, page_checksum_verification=True)
        except NOT_PARQUET as error:
            raise damaged(uri, error) from None
        marks = table.schema_arrow.metadata or {}
        check_version(uri, int(marks.get(_SCHEMA_VERSION, 0)))
        yield table


@contextmanager
def open_tables(out: str) -> Iterator[Tables | None]:
    """Both, to be read together; None if one is missing, damaged, or of another writing.

    Of another writing: a run was killed between the two writes, or ends just now.
    """
    with ExitStack() as stack:
        try:
            verdicts = stack.enter_context(open_table(out, VERDICTS_FILE))
            clips = stack.enter_context(open_table(out, CLIPS_FILE))
        except (ObjectMissing, TableDamaged):
            yield None
            return
        marks = verdicts.schema_arrow.metadata or {}
        same = marks.get(_WRITING) == (clips.schema_arrow.metadata or {}).get(_WRITING)
        as_now = verdicts.schema_arrow.equals(VERDICTS) and clips.schema_arrow.equals(CLIPS)
        if not (same and as_now and _WRITING in marks):
            yield None
            return
        newest = marks[_NEWEST_ROW].decode()
        yield Tables(
            verdicts=verdicts,
            clips=clips,
            newest_row=datetime.fromisoformat(newest).astimezone(UTC) if newest else None,
        )


def writer(path: Path, schema: pa.Schema, marks: Marks) -> pq.ParquetWriter:
    """For one of the two tables, on local disk."""
    return pq.ParquetWriter(
        path,
        schema.with_metadata(marks.metadata()),
        compression="zstd",
        write_page_checksum=True,
    )


class Cursor:
    """Goes once through a table that is sorted by video_id, in bounded memory."""

    def __init__(self, file: pq.ParquetFile):
        self._batches = file.iter_batches(batch_size=_BATCH_ROWS)
        self._ahead = file.schema_arrow.empty_table()

    def up_to(self, video_id: str) -> pa.Table:
        """The rows from where it is, to the last one of this id."""
        while not len(self._ahead) or self._ahead["video_id"][-1].as_py() <= video_id:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._ahead = pa.concat_tables([self._ahead, pa.Table.from_batches([batch])])
        reached = pc.sum(pc.less_equal(self._ahead["video_id"], video_id)).as_py() or 0
        found, self._ahead = self._ahead.slice(0, reached), self._ahead.slice(reached)
        return found
