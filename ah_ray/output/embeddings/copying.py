"""Copies embeddings into an output whose rows are formed from those of another, with the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from ah_ray.output.embeddings.files import kept_names, name_of, remove_embeddings, write_table
from ah_ray.output.embeddings.read import read_file
from ah_ray.output.lease_guard import LeaseGuard
from ah_ray.records import EMBEDDINGS
from ah_ray.verdicts.verdict import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Copier:
    """The embeddings of `source`, which `out` takes over; threads may share it."""

    source: str
    out: str
    there: frozenset[str]  # names in source …
    here: frozenset[str]  # … and in out, before anything was copied
    guard: LeaseGuard | None

    @classmethod
    def between(cls, source: str, out: str, guard: LeaseGuard | None) -> Self:
        """Return the copier from an output to another one, which `guard` says is held."""
        there, here = (frozenset(kept_names(uri)) for uri in (source, out))
        return cls(source=source, out=out, there=there, here=here, guard=guard)

    def is_due(self, of: Row | None, row: Row) -> bool:
        """Return whether `row` of `out` lacks the embeddings of the row `of`, or has too many."""
        return (of is not None and name_of(of) in self.there) != (name_of(row) in self.here)

    def copy(self, of: Row | None, row: Row) -> None:
        """Give `row` of `out` the embeddings of the row `of`; call it before `commit_row`.

        Where there are none, those that it has from before go. Raise the errors of `commit_row`.
        """
        table = None
        if of is not None and name_of(of) in self.there:
            table = read_file(self.source, name_of(of))
        if table is not None:
            place = EMBEDDINGS.get_field_index("config_fingerprint")
            prints = pa.array([row["config_fingerprint"]] * len(table), pa.string())
            table = table.set_column(place, EMBEDDINGS.field(place), prints)
            write_table(self.out, name_of(row), table, guard=self.guard)
        elif name_of(row) in self.here:
            remove_embeddings(self.out, row, guard=self.guard)
