"""A local copy of the rows that this run has written, until the tables are written.

Reading a row back from a bucket takes milliseconds; a run that wrote a million rows would need
hours for its tables. So they are kept in one file on the driver's disk, about a kilobyte each. The
file has no name, so nothing is left of it when the process ends. It is only a copy: where it lacks
a row, the row's own file is read.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, Self

import pyarrow as pa

from ah_ray.cohort.identity import row_name
from ah_ray.output.row_files import NAMED_BY
from ah_ray.records import VERDICT
from ah_ray.temporary import nameless_file


class Spool:
    """Copies of rows. A context manager, which frees the disk space at the end."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._closing = ExitStack()
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._broken = False  # for example, because the disk is full
        self._rows: pa.Table | None = None
        self._places: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows = None
        if self._writer is not None and not self._broken:
            self._close()
        self._closing.close()

    def add(self, rows: pa.Table) -> None:
        """Add rows of records.VERDICT that have been written to OUT."""
        if self._broken or not rows.num_rows:
            return
        try:
            if self._writer is None:
                self._file = self._closing.enter_context(nameless_file())
                self._writer = pa.ipc.new_stream(self._file, VERDICT)
            self._writer.write_table(rows.cast(VERDICT))
        except OSError:
            self._broken = True

    def seal(self) -> None:
        """End the additions. From now on, rows are looked up."""
        if self._file is None or self._broken:
            return
        self._close()
        if self._broken:
            return
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._rows = pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()
        columns = (self._rows[name].to_pylist() for name in NAMED_BY)
        # A row may be there twice, if its reducer died after writing it: the last one counts.
        self._places = {row_name(*key): n for n, key in enumerate(zip(*columns, strict=True))}

    def find(self, names: Sequence[str]) -> tuple[pa.Table, list[str]]:
        """Return the rows with these names that the spool has, and the names of the others."""
        if self._rows is None:
            return VERDICT.empty_table(), list(names)
        here = [self._places[name] for name in names if name in self._places]
        return self._rows.take(pa.array(here, pa.int64())), [
            name for name in names if name not in self._places
        ]

    def _close(self) -> None:
        if self._writer is None or self._file is None:
            return
        try:
            self._writer.close()
            self._file.flush()
        except OSError:
            self._broken = True
