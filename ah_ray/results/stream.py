"""Going through finished outputs row by row, in the order of video_id, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.records import NOT_PARQUET
from ah_ray.results.read import no_tables
from ah_ray.results.table_files import VERDICTS_FILE, Cursor, damaged, open_table, open_tables

_BATCH_ROWS = 2_048


class Content(NamedTuple):
    """Whose row it is, and what was scored."""

    video_id: str
    etag: str | None
    config_fingerprint: str


def stream_rows(out: str) -> Iterator[dict]:
    """The rows of records.VERDICT, with their clips, from the two tables.

    Raises ConfigError if there are none, if they were not written together, or are damaged.
    """
    try:
        yield from _rows(out)
    except NOT_PARQUET as error:
        raise damaged(out, error) from None


def _rows(out: str) -> Iterator[dict]:
    with open_tables(out) as tables:
        if tables is None:
            raise not_together(out)
        clips = Cursor(tables.clips)
        for batch in tables.verdicts.iter_batches(batch_size=_BATCH_ROWS):
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
    """What each row is about. Raises ConfigError if there is no table, or a damaged one."""
    try:
        with open_table(out, VERDICTS_FILE) as table:
            for batch in table.iter_batches(columns=list(Content._fields)):
                yield from map(Content, *(batch[name].to_pylist() for name in Content._fields))
    except ObjectMissing:
        raise no_tables(out) from None
    except NOT_PARQUET as error:
        raise damaged(out, error) from None


def side_by_side(streams: Sequence[Iterator], video_id) -> Iterator[tuple[str, list]]:
    """Each video_id with what each stream has of it, or None, in the order of the streams.

    `video_id` tells the id of an element; each stream is sorted by it.
    """

    def marked(place: int, stream: Iterator) -> Iterator[tuple]:
        return ((video_id(found), place, found) for found in stream)

    merged = heapq.merge(*map(marked, range(len(streams)), streams), key=itemgetter(0, 1))
    for key, group in groupby(merged, itemgetter(0)):
        places = [None] * len(streams)
        for _, place, found in group:
            places[place] = found
        yield key, places


def not_together(out: str) -> ConfigError:
    """Says why two tables are not to be read together: there are none, or they are of two runs."""
    try:
        with open_table(out, VERDICTS_FILE):
            pass
    except ObjectMissing:
        return no_tables(out)
    return ConfigError(
        f"the two tables of {out} are not of one run: one is ending just now, or was killed; "
        "wait for it, or run the same score.py again to finish it"
    )
