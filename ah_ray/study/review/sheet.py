"""The sheet that a reviewer fills in: one clip a row, as CSV.

    clip, video_id, start_s, end_s, content, answer, note, reviewer

`content` marks which content of the video was cut, so that an answer is never taken for another's.
A score is in it only if that was asked for. What a spreadsheet would take for a formula has a '
before it, which is taken off again (source: OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ah_ray import storage
from ah_ray.cohort.manifest import checked_id
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.study.faults import Faults, Place
from ah_ray.study.review.moments import Moment
from ah_ray.study.table_rows import Row, read_rows
from ah_ray.study.written import label_of, seconds_of

SHEET_FILE = "sheet.csv"
COLUMNS = ("clip", "video_id", "start_s", "end_s", "content", "answer", "note", "reviewer")
SCORE = "p_ah"
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NEEDED = ("video_id", "start_s", "end_s", "answer")
_KNOWN = ("content", "reviewer", "participant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one reviewer says of one clip."""

    video_id: str
    start_s: float
    end_s: float
    yes: bool
    reviewer: str
    content: str | None  # of the video when it was cut; null in a sheet that does not tell
    participant: str | None
    place: Place


def content_of(etag: str) -> str:
    """8 hex digits for the content of a video."""
    return hashlib.sha256(etag.encode()).hexdigest()[:8]


def seconds(value: float) -> str:
    """A time as sheets and names of files have it, to the microsecond."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def row_of(moment: Moment, clip: str, *, show_score: bool) -> dict[str, str]:
    """A row with nothing filled in; `clip` is the file, relative to the sheet."""
    row = dict.fromkeys(COLUMNS, "") | {
        "clip": clip,
        "video_id": moment.video.video_id,
        "start_s": seconds(moment.start_s),
        "end_s": seconds(moment.end_s),
        "content": content_of(moment.video.etag or ""),
    }
    return row | {SCORE: f"{moment.p_ah:.4f}"} if show_score else row


def guarded(text: str) -> str:
    """As a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """The text that `guarded` made this of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_sheet(uri: str, rows: Sequence[dict[str, str]]) -> None:
    """With a mark at its beginning by which spreadsheets know UTF-8."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: guarded(text) for name, text in row.items()} for row in rows)
    storage.write_whole(uri, b"\xef\xbb\xbf" + text.getvalue().encode())


def check_sheet_replaceable(uri: str, clips: Iterable[str]) -> None:
    """Raises ConfigError if a sheet is there that somebody wrote in, or that is of other clips."""
    try:
        there = [row for _, row in read_rows(uri, ("clip", "answer"), ("note", "reviewer"))]
    except ObjectMissing:
        return
    for row in there:
        for name, what in (("answer", "answers"), ("note", "notes"), ("reviewer", "a name")):
            if row.get(name):
                raise ConfigError(f"{uri} has {what} in it: choose another --to, or take it away")
    if not {row.get("clip") for row in there} <= set(clips):
        raise ConfigError(f"{uri} is of other clips: choose another --to, or empty that folder")


def read_answers(sheets: Sequence[str], faults: Faults) -> list[Answer]:
    """All rows that have an answer; what is wrong with others goes to `faults`.

    Who left no name is called after the file. Raises ConfigError if a sheet is none.
    """
    answers = []
    for sheet in sheets:
        uri = storage.normalise(sheet)
        try:
            for number, cells in read_rows(uri, _NEEDED, _KNOWN):
                row = {name: text and unguarded(text) for name, text in cells.items()}
                answer = _answer(row, uri, Place(file=uri, line=number), faults)
                if answer is not None:
                    answers.append(answer)
        except StorageError as error:
            raise ConfigError(f"--answers {sheet} cannot be read: {error}") from None
    return answers


def _answer(row: Row, uri: str, place: Place, faults: Faults) -> Answer | None:
    if not row.get("answer"):
        return None
    video_id = row.get("video_id") or ""
    yes = label_of(row["answer"])
    start_s, end_s = (seconds_of(row.get(name) or "") for name in ("start_s", "end_s"))
    problems = []
    try:
        checked_id(video_id)
    except ConfigError as error:
        problems.append((str(error), "leave video_id as it was"))
    if yes is None:
        problems.append((f"the answer {row['answer']!r} is unknown", "write Yes or No, or nothing"))
    if start_s is None or end_s is None or end_s <= start_s:
        problems.append(("its times are none", "leave start_s and end_s as they were"))
    for problem, mend in problems:
        faults.add(place, problem, mend, video=video_id or str(place))
    if problems:
        return None
    return Answer(
        video_id=video_id,
        start_s=start_s,
        end_s=end_s,
        yes=bool(yes),
        reviewer=row.get("reviewer") or uri.rsplit("/", 1)[-1],
        content=row.get("content"),
        participant=row.get("participant"),
        place=place,
    )
