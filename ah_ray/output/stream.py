"""Reads finished outputs row by row, in the order of video_id, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, TypeVar

from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.output.read import no_tables_error
from ah_ray.output.table_files import VERDICTS_FILE, Cursor, Tables, open_table, open_tables
from ah_ray.verdicts.verdict import Row

T = TypeVar("T")

_BATCH_ROWS = 2_048


class Content(NamedTuple):
    """The video, content and configuration of a row."""

    video_id: str
    etag: str | None
    config_fingerprint: str


def stream_rows(out: str) -> Iterator[Row]:
    """Yield the rows of records.VERDICT, with their clips, from the two tables.

    Columns that an earlier version did not write are null. Raise ConfigError if there are no
    tables, if two runs wrote them, or if they are damaged.
    """
    with open_finished_tables(out) as tables:
        clips = Cursor(tables.clips)
        for batch in tables.verdicts.batches(batch_size=_BATCH_ROWS):
            rows = batch.to_pylist()
            of_batch = clips.up_to(rows[-1]["video_id"]).to_pylist()
            timelines = {
                video_id: [
                    {name: value for name, value in clip.items() if name != "video_id"}
                    for clip in found
                ]
                for video_id, found in groupby(of_batch, itemgetter("video_id"))
            }
            for row in rows:
                yield row | {"clips": timelines.get(row["video_id"], [])}


def stream_contents(out: str) -> Iterator[Content]:
    """Yield the content of each row. Raise ConfigError if the table is missing or damaged."""
    try:
        with open_table(out, VERDICTS_FILE) as table:
            for batch in table.batches(list(Content._fields)):
                yield from map(Content, *(batch[name].to_pylist() for name in Content._fields))
    except ObjectMissing:
        raise no_tables_error(out) from None


def align_streams(
    streams: Sequence[Iterator[T]], video_id: Callable[[T], str]
) -> Iterator[tuple[str, list[T | None]]]:
    """Yield each video_id with the element that each stream has for it, or None.

    `video_id` returns the id of an element; each stream is sorted by it.
    """

    def numbered(place: int, stream: Iterator[T]) -> Iterator[tuple[str, int, T]]:
        return ((video_id(found), place, found) for found in stream)

    merged = heapq.merge(*map(numbered, range(len(streams)), streams), key=itemgetter(0, 1))
    for key, group in groupby(merged, itemgetter(0)):
        places: list[T | None] = [None] * len(streams)
        for _, place, found in group:
            places[place] = found
        yield key, places


@contextmanager
def open_finished_tables(out: str) -> Iterator[Tables]:
    """Open the two tables of a finished output together, and close them at the end.

    Raise ConfigError if there are none, or if they are not of one run.
    """
    with open_tables(out) as tables:
        if tables is None:
            raise _mismatch_error(out)
        yield tables


def _mismatch_error(out: str) -> ConfigError:
    """Return an error that says why the two tables cannot be read together."""
    try:
        with open_table(out, VERDICTS_FILE):
            pass
    except ObjectMissing:
        return no_tables_error(out)
    return ConfigError(
        f"the two tables of {out} are not of one run: one is ending just now, or was killed; "
        "wait for it, or run the same score.py again to finish it"
    )
