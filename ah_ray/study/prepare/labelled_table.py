"""Any other data set: a CSV or Parquet file with `uri`, `label`, `participant`, and more if known.

Labels of questions of a profile, by name, are read by named_answers.py; `label` may then be empty.

A row with `start_s` and `end_s` is about that stretch of the video, one without about all of it.
`split`, `question`, `video_id`, `age`, `gender`, `ethnicity` and `language` may be there too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ah_ray import storage
from ah_ray.cohort.identity import video_id_of
from ah_ray.cohort.manifest import parse_video_id, resolve_uri
from ah_ray.cohort.participant_names import normal_form
from ah_ray.errors import ConfigError, StorageError
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.label_values import age_of, consent_of, label_of, seconds_of
from ah_ray.study.labelled_manifest import SPLITS
from ah_ray.study.labelled_video import LabelledVideo, Marked, MarkedAnswer, Person
from ah_ray.study.participants import check_splits
from ah_ray.study.prepare.bah.dataset import NO_CONSENT, relative_key
from ah_ray.study.prepare.named_answers import named_answers
from ah_ray.study.prepare.settings import KNOWN, NEEDED, LeftOut, PrepareSettings
from ah_ray.study.table_rows import Row, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One valid row."""

    uri: str
    row: Row
    place: Place
    marked: Marked | None
    answers: tuple[MarkedAnswer, ...]
    split: str | None
    age: int | None


def read_table(
    settings: PrepareSettings, id_key: bytes | None, faults: Faults, left_out: LeftOut
) -> list[LabelledVideo]:
    """Return all videos that may be used, in the order of their first rows. Raise ConfigError."""
    source = storage.normalise(settings.table or "")
    entries: dict[str, list[_Entry]] = {}
    said: dict[str, list[tuple[Row, Place]]] = {}  # also by rows that are faulty
    refused: set[str] = set()
    try:
        columns = settings.columns_of_questions
        needed = [*NEEDED, *columns.values(), *map(str.lower, settings.consent)]
        if columns:
            needed.remove("label")
        for number, row in read_rows(source, needed, ("label", *KNOWN), {"label": "answer"}):
            place = Place(file=source, line=number)
            if settings.split and "split" in row:
                raise ConfigError(
                    f"--split draws splits, and {source} brings its own: leave one out"
                )
            try:
                uri = resolve_uri(row.get("uri"), storage.parent(source))
            except ConfigError as error:
                faults.add_error(place, error, video=str(place), remedy="give the URI of a video")
                continue
            if not _consents(row, uri, place, settings.consent, faults):
                refused.add(uri)
            said.setdefault(uri, []).append((row, place))
            if (entry := _entry(row, uri, columns, place, faults)) is not None:
                entries.setdefault(uri, []).append(entry)
    except StorageError as error:
        raise ConfigError(f"--table {settings.table} cannot be read: {error}") from None
    if not entries and not faults.found:
        raise ConfigError(f"--table {settings.table} names no video")
    left_out[NO_CONSENT] += len(refused)
    for uri in refused:
        faults.forget(uri)
    used = {uri: rows for uri, rows in entries.items() if uri not in refused}
    _check_agreement({uri: rows for uri, rows in said.items() if uri not in refused}, faults)
    _check(used, faults)
    identify = _identify(settings, id_key)
    return [_video(rows, identify) for uri, rows in used.items() if not faults.concern(uri)]


def _entry(
    row: Row, uri: str, columns: Mapping[str, str], place: Place, faults: Faults
) -> _Entry | None:
    n_before = len(faults.found)

    def tell(problem: str, remedy: str) -> None:
        faults.add(place, problem, remedy, video=uri)

    start_s, end_s = _span(row, tell)
    answers = named_answers(row, (start_s, end_s), columns, place, tell)
    label, written = label_of(row.get("label") or ""), row.get("label")
    if written is not None and label is None:
        tell(f"the label {written!r} is unknown", "write 0 or 1")
    elif label is None and not answers:
        tell("the label is missing", "write 0 or 1")
    if not normal_form(row.get("participant") or ""):
        tell("the participant is missing", "say whose video it is")
    split = row.get("split")
    if "split" in row and split not in SPLITS:
        problem = "the split is missing" if split is None else f"the split {split!r} is unknown"
        tell(problem, f"write {', '.join(SPLITS)}, in all rows or in none")
    written_age = row.get("age")
    age = age_of(written_age) if written_age else None
    if written_age and age is None:
        tell(f"{written_age!r} is not an age", "write whole years")
    if video_id := row.get("video_id"):
        try:
            parse_video_id(video_id)
        except ConfigError as error:
            tell(str(error), "give another")
    if len(faults.found) > n_before:
        return None
    marked = None
    if label is not None:
        question = row.get("question")
        marked = Marked(start_s=start_s, end_s=end_s, label=label, question=question, place=place)
    return _Entry(
        uri=uri, row=row, place=place, marked=marked, answers=answers, split=split, age=age
    )


def _span(row: Row, tell: Callable[[str, str], None]) -> tuple[float, float | None]:
    written = row.get("start_s"), row.get("end_s")
    if written == (None, None):
        return 0.0, None
    start_s, end_s = (seconds_of(text) if text is not None else None for text in written)
    if start_s is None or end_s is None:
        name, wrong = ("start_s", written[0]) if start_s is None else ("end_s", written[1])
        problem = f"{name} is missing" if wrong is None else f"{wrong!r} is not a time"
        tell(problem, "give start_s and end_s in seconds, or neither of them")
        return 0.0, None
    if end_s <= start_s:
        way = "reversed" if end_s < start_s else "empty"
        tell(f"the interval {written[0]} – {written[1]} is {way}", "give an end_s after start_s")
    return start_s, end_s


def _consents(row: Row, uri: str, place: Place, columns: Sequence[str], faults: Faults) -> bool:
    given = True
    for column in columns:
        said = consent_of(row.get(column.lower()))
        if said is None:
            problem = f"{row[column.lower()]!r} says neither yes nor no to {column}"
            faults.add(place, problem, "write yes or no", video=uri)
        given = given and said is not False
    return given


def _check_agreement(said: dict[str, list[tuple[Row, Place]]], faults: Faults) -> None:
    """Add a fault where rows about the same video, or the same participant, do not agree.

    A participant or a split that is not valid was reported already.
    """
    for uri, rows in said.items():
        for name in ("participant", "split", "video_id"):
            told = [(row.get(name), place) for row, place in rows if _may_be(name, row.get(name))]
            for value, place in told:
                if _compared(name, value) != _compared(name, told[0][0]):
                    problem = f"its {name} is another than on line {told[0][1].line}"
                    faults.add(place, problem, "make them the same", video=uri)
    check_splits(
        (
            (participant, split, place)
            for rows in said.values()
            for row, place in rows
            if (participant := row.get("participant")) and (split := row.get("split")) in SPLITS
        ),
        faults,
    )


def _compared(name: str, value: str | None) -> str | None:
    return normal_form(value) if name == "participant" and value is not None else value


def _may_be(name: str, value: str | None) -> bool:
    if name == "split":
        return value in SPLITS
    return name == "video_id" or value is not None


def _check(entries: dict[str, list[_Entry]], faults: Faults) -> None:
    """Check that each video has its own id, and each of its moments one label."""
    owner: dict[str, _Entry] = {}
    for uri, rows in entries.items():
        first = rows[0]
        video_id = first.row.get("video_id")
        if video_id and owner.setdefault(video_id, first) is not first:
            problem = f"the video_id of line {owner[video_id].place.line} again"
            faults.add(first.place, problem, "give each video its own", video=uri)
        _check_overlaps(uri, [one.marked for one in rows if one.marked], faults)
        _check_overlaps(uri, [answer for one in rows for answer in one.answers], faults)


def _check_overlaps(uri: str, marked: Sequence[Marked | MarkedAnswer], faults: Faults) -> None:
    """Check that a moment has one label for each question."""
    by_time = sorted(marked, key=lambda one: (one.question or "", one.start_s, one.place))
    before: Marked | MarkedAnswer | None = None
    for one in by_time:
        if before is not None and one.question == before.question:
            if before.end_s is None or one.start_s < before.end_s:
                problem = f"it overlaps line {before.place.line}"
                remedy = "let each moment of a video be in one row"
                faults.add(max(one.place, before.place), problem, remedy, video=uri)
            if before.end_s is None or (one.end_s is not None and one.end_s < before.end_s):
                continue
        before = one


def _identify(settings: PrepareSettings, id_key: bytes | None) -> Callable[[_Entry], str]:
    """Return the video_id of a scoring run over --videos, or over this table as its manifest."""
    root = settings.videos and storage.normalise(settings.videos)

    def identify(entry: _Entry) -> str:
        if root:
            return video_id_of(relative_key(entry.uri, root), id_key)
        return entry.row.get("video_id") or video_id_of(entry.row["uri"] or "", id_key)

    return identify


def _video(rows: list[_Entry], identify: Callable[[_Entry], str]) -> LabelledVideo:
    first = rows[0]
    marked = tuple(one.marked for one in rows if one.marked is not None)
    labels = [one.label for one in marked if one.question is None]
    return LabelledVideo(
        uri=first.uri,
        video_id=identify(first),
        label=max(labels) if labels else None,
        participant=first.row["participant"] or "",
        split=first.split,
        marked=marked,
        answers=tuple(answer for one in rows for answer in one.answers),
        place=first.place,
        person=Person(
            age=next((one.age for one in rows if one.age is not None), None),
            gender=_first_value(rows, "gender"),
            ethnicity=_first_value(rows, "ethnicity"),
        ),
        language=_first_value(rows, "language"),
    )


def _first_value(rows: list[_Entry], name: str) -> str | None:
    return next((text for one in rows if (text := one.row.get(name))), None)
