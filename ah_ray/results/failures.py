"""The committed rows that failed, so that a run can decide which videos to try again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.errors import ErrorKind
from ah_ray.interfaces.callbacks import MessageCallback, ignore_message
from ah_ray.output.row import FAILED
from ah_ray.output.row_files import NAMED_BY, read_row_files, row_names
from ah_ray.output.table_files import TableDamaged, open_tables
from ah_ray.units import format_count


def read_failures(
    out: str,
    committed: Mapping[str, Sequence[str]],
    say: MessageCallback = ignore_message,
) -> dict[str, tuple[ErrorKind, int]]:
    """Return the committed rows that failed: name → error kind, and number of attempts.

    `committed` is cohort.committed_names(out). Rows that are scored, or failed for good, according
    to the table need no other look. Rows that the table does not have, or that may have been tried
    again since, are read from their own files. A file that is not a row counts as a crash with no
    attempt; `say` receives a sentence with their number.
    """
    doubtful = {name for names in committed.values() for name in names}
    failures: dict[str, tuple[ErrorKind, int]] = {}
    columns = ("status", "error_kind", "attempts")
    with (
        suppress(TableDamaged),
        open_tables(out) as tables,
    ):  # without a usable table, all rows are read
        if tables is not None:
            for batch in tables.verdicts.batches([*NAMED_BY, *columns]):
                passing = pc.is_in(batch["error_kind"], value_set=_MAY_PASS)
                settled = batch.filter(
                    pc.or_(pc.not_equal(batch["status"], FAILED), pc.invert(passing))
                )
                known = doubtful.intersection(row_names(settled))
                doubtful -= known
                failures |= _failures(settled, known)
    n_unusable = 0
    for name, row in read_row_files(out, sorted(doubtful), columns):
        if row is None:
            failures[name] = (ErrorKind.CRASH, 0)
            n_unusable += 1
            continue
        status, kind, attempts = (row[column][0].as_py() for column in columns)
        if status == FAILED:
            failures[name] = (ErrorKind(kind), attempts)
    if n_unusable:
        say(
            f"{format_count(n_unusable, 'file')} in {out}/videos cannot be used: damaged, or of "
            "another video or content than the name says. What belongs there is scored again."
        )
    return failures


_MAY_PASS = pa.array([kind.value for kind in ErrorKind if kind.may_pass])


def _failures(rows: pa.RecordBatch, names: set[str]) -> dict[str, tuple[ErrorKind, int]]:
    """Return the failures among these rows, if they have one of these names."""
    failed = rows.filter(pc.equal(rows["status"], FAILED))
    kinds, attempts = failed["error_kind"].to_pylist(), failed["attempts"].to_pylist()
    return {
        name: (ErrorKind(kind), tried)
        for name, kind, tried in zip(row_names(failed), kinds, attempts, strict=True)
        if name in names
    }
