"""A manifest: a .csv or .parquet file with a column `uri`, and optionally `video_id` and others.

It may come from someone else, so every entry is checked. One error reports all problems together.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.cohort.identity import VIDEO_ID
from ah_ray.cohort.manifest_columns import (
    check_group_columns,
    is_text_or_number,
    parse_columns,
)
from ah_ray.cohort.parquet_rows import read_parquet_rows
from ah_ray.errors import ConfigError
from ah_ray.escaping import escape_text
from ah_ray.records import Groups

MANIFEST_ENDINGS = (".csv", ".parquet")
MAX_ENTRIES = 20_000_000
"""A few bytes of Parquet can encode billions of rows."""

_MAX_BYTES = 4 << 30  # of the file, and of its columns as they are in memory
_MAX_LINE = 1 << 20
_MAX_URI = 8192  # bytes; S3 ends at 1,024, Linux at 4,096
_SHOWN = 10
_Rows = Iterator[tuple[int, dict[str, Any]]]
"""(line or row number, its columns) of each entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One entry of a manifest."""

    video_id: str
    uri: str
    problem: str | None = None  # why no store can look it up
    participant: str | None = None
    visit: str | None = None
    question: str | None = None
    groups: Groups | None = None


@dataclass(slots=True)
class _Problems:
    file: str
    place: str  # "line" or "row"
    shown: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, number: int, problem: str) -> None:
        self.count += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(f"{self.place} {number}: {problem}")

    def raise_any(self) -> None:
        if not self.count:
            return
        more = f"; and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
        raise ConfigError(f"{self.file}: {'; '.join(self.shown)}{more}")


def read_manifest(
    uri: str, identify: Callable[[str], str], keep: Sequence[str] = ()
) -> list[ManifestEntry]:
    """Return all entries, in order.

    `identify` makes the ids of entries without a video_id, from the URI as it is written. `keep`
    are other columns to read: participant, visit and question where they are there, and any
    others, which must be. Raise ConfigError with file, line and remedy of the first wrong entries,
    and how many there are.
    """
    uri = storage.normalise(uri)
    is_csv = uri.lower().endswith(".csv")
    problems = _Problems(uri, "line" if is_csv else "row")
    if (storage.stat(uri).size_bytes or 0) > _MAX_BYTES:
        raise _too_large(uri)
    with storage.open_read(uri) as file:
        rows = (_csv_rows if is_csv else _parquet_rows)(uri, file, keep)
        found = _check_rows(rows, storage.parent(uri), identify, problems, keep)
    problems.raise_any()
    if not found:
        raise ConfigError(f"{uri} names no video")
    if all(one.problem for one in found):
        raise ConfigError(f"{uri} names nothing that can be read: {found[0].problem}")
    return found


def _csv_rows(uri: str, file: BinaryIO, keep: Sequence[str]) -> _Rows:
    try:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        reader = csv.DictReader(read_bounded_lines(text), strict=True)
        _check_columns(uri, reader.fieldnames or (), keep)
        for row in reader:
            if None in row:
                raise ConfigError(
                    f"{uri}: line {reader.line_num} has more cells than the header; "
                    "put quotes around a URI that holds a comma"
                )
            yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{uri} is not a CSV file in UTF-8: {error}") from None


def read_bounded_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines. Raise csv.Error before a very long line is read completely."""
    while line := text.readline(_MAX_LINE):
        if len(line) == _MAX_LINE and not line.endswith("\n"):
            raise csv.Error(f"it has a line of over {_MAX_LINE} characters")
        yield line


def _parquet_rows(uri: str, file: BinaryIO, keep: Sequence[str]) -> _Rows:
    def choose(table: pq.ParquetFile) -> tuple[list[str], list[str]]:
        _check_columns(uri, table.schema_arrow.names, keep)
        columns = [name for name in (*_COLUMNS, *keep) if name in table.schema_arrow.names]
        _check_schema(uri, table, columns)
        kinds = ((name, table.schema_arrow.field(name).type) for name in columns)
        return columns, [name for name, kind in kinds if _is_text(kind)]

    check = partial(_check_lengths, uri)
    yield from read_parquet_rows(uri, file, choose, batch_rows=10_000, check=check)


def _is_text(kind: pa.DataType) -> bool:
    text = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(text) or pa.types.is_large_string(text))


def _check_schema(uri: str, table: pq.ParquetFile, columns: list[str]) -> None:
    for name in columns:
        kind = table.schema_arrow.field(name).type
        if not (_is_text(kind) or (name not in _COLUMNS and is_text_or_number(kind))):
            raise ConfigError(f"{uri}: column {name} is {kind}; make it a string")
    if table.metadata.num_rows > MAX_ENTRIES:
        raise _too_large(uri)
    groups = [table.metadata.row_group(n) for n in range(table.metadata.num_row_groups)]
    chunks = (group.column(n) for group in groups for n in range(group.num_columns))
    if sum(c.total_uncompressed_size for c in chunks if c.path_in_schema in columns) > _MAX_BYTES:
        raise _too_large(uri)


def _check_lengths(uri: str, batch: pa.RecordBatch) -> None:
    for column in batch.columns:
        if not _is_text(column.type):
            continue
        values = column.dictionary if pa.types.is_dictionary(column.type) else column
        longest = pc.max(pc.binary_length(values)).as_py() or 0
        if longest > _MAX_URI:
            raise ConfigError(f"{uri} holds a text of {longest:,} bytes, which is no URI")


def _too_large(uri: str) -> ConfigError:
    return ConfigError(
        f"{uri} is too large for a manifest: over {MAX_ENTRIES:,} entries or "
        f"{_MAX_BYTES >> 30} GiB; split it"
    )


_COLUMNS = ("uri", "video_id")
_NOT_GIVEN = "\0"  # no cell: the column is not there


def _check_columns(uri: str, names: Sequence[str], keep: Sequence[str]) -> None:
    if "uri" not in names:
        first = ", ".join(str(name)[:40] for name in islice(names, _SHOWN)) or "none"
        raise ConfigError(f"{uri} has no column `uri` (its columns: {first})")
    check_group_columns(uri, names, keep)


def _check_rows(
    rows: _Rows,
    folder: str,
    identify: Callable[[str], str],
    problems: _Problems,
    keep: Sequence[str],
) -> list[ManifestEntry]:
    found: list[ManifestEntry] = []
    first_line: dict[str, int] = {}
    for number, row in rows:
        written, given = row["uri"], row.get("video_id", _NOT_GIVEN)
        if len(found) + problems.count >= MAX_ENTRIES:
            raise _too_large(problems.file)
        problem = None
        try:
            if problem := _unknown_store(written):
                uri = escape_text(written or "")
            else:
                uri = resolve_uri(written, folder)
            video_id = identify(written or "") if given == _NOT_GIVEN else parse_video_id(given)
            more = parse_columns(row, keep)
        except ConfigError as error:
            problems.add(number, str(error))
            continue
        if (before := first_line.setdefault(video_id, number)) != number:
            problems.add(number, f"the same video_id as {problems.place} {before}; name it once")
            continue
        found.append(ManifestEntry(video_id=video_id, uri=uri, problem=problem, **more))
    return found


def _unknown_store(written: str | None) -> str | None:
    """Return why the scheme of an entry cannot be read, or None. It fails this entry alone."""
    try:
        storage.scheme(written or "")
    except ConfigError as error:
        return str(error)
    return None


def parse_video_id(given: str | None) -> str:
    """Return a video_id from a manifest. Raise ConfigError with the problem and the remedy."""
    if not given:
        raise ConfigError("video_id is empty; give all of them, or leave out the column")
    if not VIDEO_ID.fullmatch(given):
        raise ConfigError(f"video_id {given[:100]!r} is not of [A-Za-z0-9._-], 1 to 64 characters")
    return given


def resolve_uri(written: str | None, folder: str) -> str:
    """Return the URI of an entry. Raise ConfigError with the problem and the remedy."""
    if not written:
        raise ConfigError("uri is empty")
    if "\0" in written:
        raise ConfigError("uri holds a NUL character")
    if len(written.encode("utf-8", "replace")) > _MAX_URI:
        raise ConfigError(f"uri of {len(written):,} characters: no store has such a name")
    kind = storage.scheme(written)
    if (host := storage.host(written)) and host != storage.host(folder):
        raise ConfigError(
            f"'{escape_text(written)}' asks a host that the manifest chooses; give a bucket, or "
            "a path"
        )
    if kind != "file" or written.startswith("file://"):
        is_local_file = kind == "file"
    elif written.startswith("/"):
        is_local_file = True
    else:
        if ".." in written.split("/"):
            raise ConfigError(f"{written!r} leaves the manifest's folder; give the whole URI")
        return storage.normalise(storage.join(folder, written))
    if is_local_file and storage.scheme(folder) != "file":
        raise ConfigError(f"{written!r} is a file of this machine, but the manifest is not")
    return storage.normalise(written)
