"""The sheet that a reviewer fills in: one clip or whole video a row, as CSV.

    clip, video_id, start_s, end_s, content, selection,
    seen, answer, certainty, cues, note, reviewer

`content` says which content of the video was cut, so that an answer is never taken for that of
another. `selection` says how the row was chosen: `moments`, or the mark of a draw. `seen` is `yes`
where the page has played the clip: a clip without an answer was seen, or it was not. A score is in
the sheet only if that was asked for. A cell that a spreadsheet would take for a formula has a '
before it, which is removed again (source: OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ah_ray import storage
from ah_ray.cohort.manifest import parse_video_id
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.study.exchange.clean_text import guarded, unguarded
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.label_values import label_of, seconds_of
from ah_ray.study.labelled_manifest import CUES, MOMENTS
from ah_ray.study.review.moments import Moment
from ah_ray.study.table_rows import Row, read_rows

SHEET_FILE = "sheet.csv"
COLUMNS = (
    *("clip", "video_id", "start_s", "end_s", "content", "selection"),
    *("seen", "answer", "certainty", "cues", "note", "reviewer"),
)
SCORE = "p_ah"
_NEEDED = ("video_id", "start_s", "end_s", "answer")
_KNOWN = ("content", "selection", "seen", "certainty", "cues", "reviewer", "participant")
CANNOT_TELL = "Cannot tell"
_CANNOT_TELL = {
    "cannot tell",
    "can not tell",
    "can't tell",
    "can’t tell",
    "cannot say",
    "unsure",
    "?",
}
_CUE_MARKS = re.compile(r"[;,/+]")


class Certainty(StrEnum):
    """How certain a reviewer is of an answer."""

    SURE = "sure"
    FAIRLY = "fairly sure"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of one reviewer about one clip, or one whole video."""

    video_id: str
    start_s: float
    end_s: float
    yes: bool | None  # None: the reviewer cannot tell
    reviewer: str
    content: str | None  # of the video when it was cut; null if the sheet does not have it
    participant: str | None
    place: Place
    selection: str | None = None  # as on the sheet
    certainty: Certainty | None = None
    cues: tuple[str, ...] = ()  # of labelled_manifest.CUES


@dataclass(slots=True, kw_only=True)
class Answers:
    """The answers of all sheets, and what the rows without one are."""

    answers: list[Answer] = field(default_factory=list)
    n_seen: int = 0  # rows that were seen, and have no answer
    n_not_seen: int = 0  # rows that were not seen
    n_unknown: int = 0  # rows without an answer of sheets that do not tell

    @property
    def n_cannot_tell(self) -> int:
        return sum(one.yes is None for one in self.answers)


_FILLED_IN = (
    *(("answer", "answers"), ("note", "notes"), ("reviewer", "a name")),
    *(("certainty", "answers"), ("cues", "answers")),
)


def content_of(etag: str) -> str:
    """Return 8 hex digits that stand for the content of a video."""
    return hashlib.sha256(etag.encode()).hexdigest()[:8]


def seconds(value: float) -> str:
    """Return a time as it is on sheets and in names of files, to the microsecond."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def row_of(
    moment: Moment, clip: str, *, selection: str = MOMENTS, show_score: bool
) -> dict[str, str]:
    """Return a row with nothing filled in; `clip` is the file, relative to the sheet."""
    row = dict.fromkeys(COLUMNS, "") | {
        "clip": clip,
        "video_id": moment.video.video_id,
        "start_s": seconds(moment.start_s),
        "end_s": seconds(moment.end_s),
        "content": content_of(moment.video.etag or ""),
        "selection": selection,
    }
    return row | {SCORE: f"{moment.p_ah:.4f}"} if show_score else row


def write_sheet(uri: str, rows: Sequence[dict[str, str]]) -> None:
    """Write a sheet, with the mark at its beginning by which spreadsheets know UTF-8."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: guarded(text) for name, text in row.items()} for row in rows)
    storage.write_whole(uri, b"\xef\xbb\xbf" + text.getvalue().encode())


def check_sheet_replaceable(uri: str, clips: Iterable[str]) -> None:
    """Raise ConfigError if there is a sheet that somebody wrote in, or one of other clips."""
    known = tuple(name for name, _ in _FILLED_IN if name != "answer")
    try:
        there = [row for _, row in read_rows(uri, ("clip", "answer"), known)]
    except ObjectMissing:
        return
    for row in there:
        for name, what in _FILLED_IN:
            if row.get(name):
                raise ConfigError(f"{uri} has {what} in it: choose another --to, or move it away")
    if not {row.get("clip") for row in there} <= set(clips):
        raise ConfigError(f"{uri} is of other clips: choose another --to, or empty that folder")


def read_answers(sheets: Sequence[str], faults: Faults) -> Answers:
    """Return all answers. Rows that cannot be used go to `faults`.

    A reviewer without a name is called after the file. Raise ConfigError if a file is not a sheet.
    """
    found = Answers()
    for sheet in sheets:
        uri = storage.normalise(sheet)
        try:
            for number, cells in read_rows(uri, _NEEDED, _KNOWN):
                row = {name: text and unguarded(text) for name, text in cells.items()}
                if row.get("answer"):
                    answer = _answer(row, uri, Place(file=uri, line=number), faults)
                    found.answers += [] if answer is None else [answer]
                elif "seen" not in row:
                    found.n_unknown += 1
                elif row["seen"]:
                    found.n_seen += 1
                else:
                    found.n_not_seen += 1
        except StorageError as error:
            raise ConfigError(f"--answers {sheet} cannot be read: {error}") from None
    return found


def _answer(row: Row, uri: str, place: Place, faults: Faults) -> Answer | None:
    """Return the answer of a row that has one; None if something in the row is wrong."""
    video_id, text = row.get("video_id") or "", row.get("answer") or ""
    cannot_tell = text.strip().casefold() in _CANNOT_TELL
    label = label_of(text)
    start_s, end_s = (seconds_of(row.get(name) or "") for name in ("start_s", "end_s"))
    problems = []
    try:
        parse_video_id(video_id)
    except ConfigError as error:
        problems.append((str(error), "leave video_id as it was"))
    if label is None and not cannot_tell:
        remedy = f"write Yes, No or {CANNOT_TELL}, or leave it empty"
        problems.append((f"the answer {text!r} is unknown", remedy))
    if start_s is None or end_s is None or end_s <= start_s:
        problems.append(("its times are not valid", "leave start_s and end_s as they were"))
    certainty = _certainty(row.get("certainty"), problems)
    cues = _cues(row.get("cues"), problems)
    for problem, remedy in problems:
        faults.add(place, problem, remedy, video=video_id or str(place))
    if problems or start_s is None or end_s is None:
        return None
    return Answer(
        video_id=video_id,
        start_s=start_s,
        end_s=end_s,
        yes=None if cannot_tell else bool(label),
        reviewer=row.get("reviewer") or uri.rsplit("/", 1)[-1],
        content=row.get("content"),
        participant=row.get("participant"),
        place=place,
        selection=row.get("selection"),
        certainty=certainty,
        cues=cues,
    )


def _certainty(text: str | None, problems: list[tuple[str, str]]) -> Certainty | None:
    if not text:
        return None
    try:
        return Certainty(text.strip().casefold())
    except ValueError:
        remedy = f"write {', '.join(Certainty)}, or leave it empty"
        problems.append((f"the certainty {text!r} is unknown", remedy))
        return None


def _cues(text: str | None, problems: list[tuple[str, str]]) -> tuple[str, ...]:
    names = [name.strip().casefold() for name in _CUE_MARKS.split(text or "") if name.strip()]
    for name in names:
        if name not in CUES:
            problems.append((f"the cue {name!r} is unknown", f"write {', '.join(CUES)}"))
    return tuple(cue for cue in CUES if cue in names)
