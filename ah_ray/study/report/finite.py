"""Tables of other writers may hold NaN or infinity: a report shows these as not scored. Pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.errors import ErrorKind
from ah_ray.output.row import FAILED


def replace_not_finite(table: pa.Table) -> pa.Table:
    """Return the table with null in place of every number that is not finite.

    A row of VERDICTS or CLIPS whose p_ah is not finite has no answer either; its error_kind is
    `scoring`, and a video's status is `failed`.
    """
    bad = _is_not_finite(table["p_ah"]) if "p_ah" in table.column_names else None
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_floating(field.type) and _any(is_bad := _is_not_finite(column)):
            column = pc.if_else(is_bad, pa.scalar(None, field.type), column)
            table = table.set_column(place, field, column)
    if bad is None or not _any(bad):
        return table
    replacements = {"answer": None, "error_kind": ErrorKind.SCORING.value, "status": FAILED}
    for name, value in replacements.items():
        if name in table.column_names:
            place, field = table.column_names.index(name), table.schema.field(name)
            column = pc.if_else(bad, pa.scalar(value, field.type), table[name])
            table = table.set_column(place, field, column)
    return table


def _is_not_finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(pc.is_finite(pc.fill_null(column, 0.0)))


def _any(flags: pa.ChunkedArray) -> bool:
    return bool(pc.any(flags).as_py())
