"""Which question a video answers, and other columns that groups are formed by. Pure.

A column is looked for in the row of the output, which has it from the manifest of the scoring run,
then in the labels. The question is also found in
the names of BAH's files, `<participant>_Question_<n>_<date>.mp4`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

QUESTION = "question"
_IN_NAME = re.compile(r"_Question_(\d+)(?:_|\.|$)")

Row = dict[str, Any]


def column_of(name: str, video: Row, row: Row | None) -> str | None:
    """Return the value of a column for one video; None where it is not known."""
    groups = dict((row or {}).get("groups") or ())
    for source in (row, groups, video):
        if source is not None and source.get(name) not in (None, ""):
            return str(source[name])
    if name == QUESTION:
        found = _IN_NAME.search(str(video.get("uri") or ""))
        return found[1] if found else None
    return None


def columns_of(
    names: Iterable[str], videos: Sequence[Row], rows: dict[str, Row]
) -> dict[str, list[str | None]]:
    """Return the values [n] of each column that is known for at least one video."""
    columns = {
        name: [column_of(name, video, rows.get(video["video_id"])) for video in videos]
        for name in names
    }
    return {name: values for name, values in columns.items() if any(values)}
