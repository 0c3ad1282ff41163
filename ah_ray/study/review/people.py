"""Who is seen in the videos that reviewers judged, and in which split that puts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.study.faults import Faults, Place
from ah_ray.study.labels import SPLITS
from ah_ray.study.participants import NO_PSEUDONYMS, check_splits, draw_splits
from ah_ray.study.prepare.settings import DEFAULT_SHARES
from ah_ray.study.review.settings import AnswerSettings
from ah_ray.study.review.sheet import Answer
from ah_ray.study.table_rows import read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Of the videos that have answers. Names are as written: not to be written on."""

    participant: dict[str, str]  # by video_id
    split: dict[str, str]  # by participant
    is_known: bool  # False: nobody said who it is, so each video is a participant of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    video_id: str
    participant: str | None
    split: str | None
    place: Place


def people_of(answers: Sequence[Answer], settings: AnswerSettings, faults: Faults) -> People:
    """From the table `--participants`, or the sheets' own column, or nobody's.

    Splits are the table's, or drawn by participant. What does not agree goes to `faults`. Raises
    ConfigError if names need pseudonyms and none were asked for.
    """
    first = {one.video_id: one.place for one in reversed(answers)}
    said = _table(settings, faults) if settings.participants else _sheets(answers)
    said = [one for one in said if one.video_id in first]
    if not said:
        if settings.participants:
            raise ConfigError(
                f"--participants {settings.participants} has none of the videos in the sheets: "
                "its video_id must be as in the sheets"
            )
        alone = {video_id: video_id for video_id in first}
        return People(participant=alone, split=_drawn(alone, settings), is_known=False)
    if not (settings.id_key or settings.plain_participants):
        raise ConfigError(NO_PSEUDONYMS)
    participant: dict[str, str] = {}
    for one in said:
        if participant.setdefault(one.video_id, one.participant) != one.participant:
            problem = f"video {one.video_id} has another participant before"
            faults.add(one.place, problem, "give one participant a video", video=one.video_id)
    for video_id in first.keys() - participant.keys():
        problem = f"nobody says whose video {video_id} is"
        mend = "give the participant of all videos, or of none"
        faults.add(first[video_id], problem, mend, video=video_id)
    return People(
        participant=participant, split=_splits(said, participant, settings, faults), is_known=True
    )


def _sheets(answers: Sequence[Answer]) -> list[_Said]:
    return [
        _Said(video_id=one.video_id, participant=one.participant, split=None, place=one.place)
        for one in answers
        if one.participant is not None
    ]


def _table(settings: AnswerSettings, faults: Faults) -> list[_Said]:
    uri, said = storage.normalise(settings.participants), []
    try:
        for number, row in read_rows(uri, ("video_id", "participant"), ("split",)):
            one = _Said(
                video_id=row.get("video_id") or "",
                participant=row.get("participant"),
                split=row.get("split"),
                place=Place(file=uri, line=number),
            )
            if one.participant is None:
                faults.add(one.place, "the participant is missing", "say whose video it is",
                           video=one.video_id)  # fmt: skip
            elif one.split not in (None, *SPLITS):
                problem, mend = f"the split {one.split!r} is none", f"write {', '.join(SPLITS)}"
                faults.add(one.place, problem, mend, video=one.video_id)
            else:
                said.append(one)
    except StorageError as error:
        raise ConfigError(f"--participants {settings.participants}: {error}") from None
    return said


def _splits(
    said: Sequence[_Said], participant: dict[str, str], settings: AnswerSettings, faults: Faults
) -> dict[str, str]:
    known = [(one.participant, one.split, one.place) for one in said if one.split is not None]
    if not known:
        return _drawn(participant, settings)
    if settings.split:
        raise ConfigError("--split draws splits, and --participants brings its own: leave one out")
    check_splits(known, faults)
    split = {who: split for who, split, _ in known}
    for one in said:
        if one.participant not in split:
            faults.add(one.place, "the split is missing", "give it of all participants, or of none",
                       participant=one.participant, video=one.video_id)  # fmt: skip
    return split


def _drawn(participant: dict[str, str], settings: AnswerSettings) -> dict[str, str]:
    return draw_splits(participant.values(), settings.split or DEFAULT_SHARES, settings.seed)
