"""Rows that this run has written, kept beside it until the tables are: nobody opens them again.

Reading a row back from a bucket costs milliseconds; a run that wrote a million of them would spend
hours on its tables. They lie in one file on the driver's disk, about a kilobyte each. It is a copy
and nothing more: without it, or where it lacks a row, the row's own file is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa

from ah_ray.cohort.identity import row_name
from ah_ray.records import VERDICT


class Spool:
    """A context manager; its file goes at the end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ah_ray-")
        self._path = Path(self._folder.name) / "rows.arrow"
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._broken = False  # the disk is full, say
        self._rows: pa.Table | None = None
        self._places: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows = None
        if self._writer is not None and not self._broken:
            self._close()
        self._folder.cleanup()

    def add(self, rows: pa.Table) -> None:
        """Rows of records.VERDICT that lie in OUT now."""
        if self._broken or not rows.num_rows:
            return
        try:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(self._path, VERDICT)
            self._writer.write_table(rows.cast(VERDICT))
        except OSError:
            self._broken = True

    def seal(self) -> None:
        """No more is added; from here on rows are looked up."""
        if self._writer is None or self._broken:
            return
        self._close()
        if self._broken:
            return
        with pa.memory_map(str(self._path)) as file:
            self._rows = pa.ipc.open_stream(file).read_all()
        columns = (self._rows[name].to_pylist() for name in _NAMED_BY)
        # A row may come twice, if its reducer died after it was written: the last one counts.
        self._places = {row_name(*key): n for n, key in enumerate(zip(*columns, strict=True))}

    def find(self, names: Sequence[str]) -> tuple[pa.Table, list[str]]:
        """The rows of these names that are here, and the names of the others."""
        if self._rows is None:
            return VERDICT.empty_table(), list(names)
        here = [self._places[name] for name in names if name in self._places]
        return self._rows.take(here), [name for name in names if name not in self._places]

    def _close(self) -> None:
        try:
            self._writer.close()
        except OSError:
            self._broken = True


_NAMED_BY = ("video_id", "etag", "config_fingerprint")
