"""Participants and their visits: whose video each is, and its place on their axis of time.

Sources, the first that knows a video wins: the table of `--participants`, the columns
`participant`, `visit` and `question` of the output, and the participants of `--labels`. All
spellings of a name are one person (participant_names.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from ah_ray import storage
from ah_ray.cohort.identity import video_id_of
from ah_ray.cohort.participant_names import normal_form, show_spellings, spellings
from ah_ray.errors import ConfigError, StorageError
from ah_ray.records import DESCRIBED_BY
from ah_ray.study.table_rows import read_rows

Row = Mapping[str, Any]
_DIGITS = re.compile(r"(\d+)")
_NUMBER = re.compile(r"(?:visit|session|v|t)?[ _-]?0*(\d{1,6})(?:\.0*)?", re.IGNORECASE)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of a video apart from its picture and sound."""

    participant: str
    visit: str | None = None
    question: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitAxis:
    """How visits lie in time. `place` is visit → its place on the axis.

    `kind` is `date` (places are days), `number` (numbers of visits), `order` (neither, so visits
    are in the order of their names), or `file` (no visit is known: days of the files' last change).
    """

    kind: str
    place: dict[str, float]


def read_people(
    verdicts: pa.Table, table: str | None, labels: Mapping[str, Row] | None
) -> dict[str, Person]:
    """Return video_id → whose video it is, of the rows of VERDICTS whose participant is known.

    Raise ConfigError if `table` (`--participants`) cannot be read, gives a video two participants,
    or names no video of the output.
    """
    rows = verdicts.select(["video_id", "uri", *DESCRIBED_BY]).to_pylist()
    found: dict[str, Person] = {}
    for row in rows:
        label = (labels or {}).get(row["video_id"]) or {}
        participant = row["participant"] or label.get("participant_id")
        if participant:
            found[row["video_id"]] = Person(
                participant=participant,
                visit=row["visit"],
                question=row["question"],
            )
    return found if table is None else found | _read_table(table, rows)


def _read_table(table: str, rows: Iterable[Row]) -> dict[str, Person]:
    uri = storage.normalise(table)
    by_uri = {row["uri"]: row["video_id"] for row in rows if row["uri"]}
    known = {row["video_id"] for row in rows}
    found: dict[str, Person] = {}
    try:
        for number, row in read_rows(
            uri, ("participant",), ("video_id", "uri", "visit", "question")
        ):
            video_id = row.get("video_id") or by_uri.get(row.get("uri") or "")
            participant = row.get("participant")
            if video_id is None or video_id not in known or participant is None:
                continue
            one = Person(
                participant=participant, visit=row.get("visit"), question=row.get("question")
            )
            known_as = found.setdefault(video_id, one).participant
            if normal_form(known_as) != normal_form(participant):
                raise ConfigError(
                    f"--participants {table}: row {number} gives the video {video_id} another "
                    "participant than a row before; give each video one participant"
                )
    except StorageError as error:
        raise ConfigError(f"--participants {table} cannot be read: {error}") from None
    if not found:
        raise ConfigError(
            f"--participants {table} has no video of this output: give its column video_id (or "
            "uri) as in verdicts.parquet"
        )
    return found


def participant_name(names: Sequence[str], *, plain: bool, id_key: bytes | None) -> str:
    """Return what the page calls a participant, whose name is written in these ways.

    It is the name with its spellings if `plain`, else 10 hex digits of a hash of its normal form.
    With `id_key` the hash is keyed, so that nobody finds the name by trying likely ones.
    """
    if plain:
        return show_spellings(names)
    return "P-" + video_id_of(f"participant\0{normal_form(names[0])}", id_key)[:10]


def make_visit_axis(visits: Iterable[str | None]) -> VisitAxis:
    """Return the axis on which these visits lie. None stands for a video without a visit."""
    names = sorted({visit for visit in visits if visit}, key=natural_key)
    if not names:
        return VisitAxis(kind="file", place={})
    days = [_day(name) for name in names]
    if all(day is not None for day in days):
        return VisitAxis(kind="date", place=_places(names, days))
    numbers = [float(found[1]) if (found := _NUMBER.fullmatch(name)) else None for name in names]
    if all(number is not None for number in numbers):
        return VisitAxis(kind="number", place=_places(names, numbers))
    return VisitAxis(kind="order", place={name: float(n) for n, name in enumerate(names)})


def _places(names: Iterable[str], values: Iterable[float | None]) -> dict[str, float]:
    return {name: v for name, v in zip(names, values, strict=True) if v is not None}


def place_in_time(
    visit: str | None, last_modified: datetime | None, axis: VisitAxis
) -> float | None:
    """Return the place of a video on the axis; None where it is unknown."""
    if axis.kind != "file":
        return axis.place.get(visit or "")
    if last_modified is None:
        return None
    return last_modified.astimezone(UTC).timestamp() / 86_400


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts `visit 2` before `visit 10`."""
    parts = _DIGITS.split(name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _day(name: str) -> float | None:
    """Return the days since 1970 of `2026-01-31`, with or without a time behind it."""
    try:
        moment = datetime.fromisoformat(name)
    except ValueError:
        return None
    if not re.match(r"\d{4}-\d\d-\d\d", name):
        return None
    midnight = datetime(moment.year, moment.month, moment.day, tzinfo=moment.tzinfo)
    return moment.toordinal() - _EPOCH + (moment - midnight).total_seconds() / 86_400


def people_columns(
    video_ids: Iterable[str],
    people: Mapping[str, Person],
    last_modified: Iterable[datetime | None],
    *,
    plain: bool,
    id_key: bytes | None,
) -> dict[str, Any]:
    """Return what the page's script needs of participants.

    `participants` holds their names and `participant` one place in it per video (null: unknown);
    `visit` and `question` are texts or null, and `at` is the place on the axis of time.
    """
    ids = list(video_ids)
    axis = make_visit_axis(person.visit for video_id in ids if (person := people.get(video_id)))
    listed = [people[video_id].participant for video_id in ids if video_id in people]
    shown = {
        form: participant_name(names, plain=plain, id_key=id_key)
        for form, names in spellings(sorted(listed, key=natural_key)).items()
    }
    names = sorted(shown.values(), key=natural_key)
    place = {name: n for n, name in enumerate(names)}
    columns: dict[str, list[Any]] = {"participant": [], "visit": [], "question": [], "at": []}
    for video_id, modified in zip(ids, last_modified, strict=True):
        person = people.get(video_id)
        if person is None:
            values: tuple[Any, ...] = (None, None, None, None)
        else:
            name = shown[normal_form(person.participant)]
            at = place_in_time(person.visit, modified, axis)
            at = None if at is None else round(at, 3)
            values = (place[name], person.visit, person.question, at)
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    return {
        "participants": names,
        "axis": {"kind": axis.kind, "visits": axis.place},
        "videos": columns,
    }
