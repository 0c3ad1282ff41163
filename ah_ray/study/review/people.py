"""The participants in the videos that reviewers judged, and their splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ah_ray import storage
from ah_ray.cohort.participant_names import normal_form, spellings
from ah_ray.errors import ConfigError, StorageError
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.labelled_manifest import SPLITS
from ah_ray.study.participants import check_splits, draw_splits
from ah_ray.study.prepare.settings import DEFAULT_SHARES
from ah_ray.study.pseudonym_rule import NO_PSEUDONYMS
from ah_ray.study.review.settings import AnswerSettings
from ah_ray.study.review.sheet import Answer
from ah_ray.study.table_rows import read_rows

ALL_IN_TEST = (0.0, 0.0, 1.0)
NOBODY: Mapping[str, str | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Participants of the videos that have answers. Names are the source's own: never written."""

    participant: dict[str, str]  # by video_id
    split: dict[str, str]  # by participant
    is_known: bool  # False: nobody said who it is, so each video is a participant of its own
    are_pseudonyms: bool = False  # as the rows of an output that hides names have them

    @property
    def needs_pseudonyms(self) -> bool:
        return self.is_known and not self.are_pseudonyms


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    video_id: str
    participant: str
    split: str | None
    place: Place


def people_of(
    answers: Sequence[Answer],
    settings: AnswerSettings,
    faults: Faults,
    *,
    of_rows: Mapping[str, str | None] = NOBODY,
    hidden: bool = False,
    all_in_test: bool = False,
) -> People:
    """Return participants and splits from `--participants`, the sheets' own column, or the rows.

    `of_rows` are the participants in the rows of the output, by video_id; `hidden` says that these
    are pseudonyms. Where nobody names them all, each video counts as a participant of its own.
    Splits are the table's, or drawn
    by participant; with `all_in_test` everyone is in test, unless --split is given. What does not
    agree goes to `faults`. Raise ConfigError if names need pseudonyms and none were asked for.
    """
    first = {one.video_id: one.place for one in reversed(answers)}
    shares = settings.split or (ALL_IN_TEST if all_in_test else DEFAULT_SHARES)
    entries = _table(settings, faults) if settings.participants else _sheets(answers)
    entries = [one for one in entries if one.video_id in first]
    from_rows = not entries and not settings.participants
    if from_rows and all(of_rows.get(video_id) for video_id in first):
        entries = _rows(of_rows, first)
    if not entries:
        if settings.participants:
            raise ConfigError(
                f"--participants {settings.participants} has none of the videos in the sheets: "
                "its video_id must be as in the sheets"
            )
        alone = {video_id: video_id for video_id in first}
        split = draw_splits(alone.values(), shares, settings.seed)
        return People(participant=alone, split=split, is_known=False)
    are_pseudonyms = from_rows and hidden
    if not (settings.id_key or settings.plain_participants or are_pseudonyms):
        raise ConfigError(NO_PSEUDONYMS)
    name = {form: names[0] for form, names in spellings(e.participant for e in entries).items()}
    participant: dict[str, str] = {}
    for one in entries:
        who = name[normal_form(one.participant)]
        if participant.setdefault(one.video_id, who) != who:
            problem = f"video {one.video_id} has another participant before"
            faults.add(one.place, problem, "give each video one participant", video=one.video_id)
    for video_id in first.keys() - participant.keys():
        problem = f"video {video_id} has no participant"
        remedy = "give the participant of all videos, or of none"
        faults.add(first[video_id], problem, remedy, video=video_id)
    return People(
        participant=participant,
        split=_splits(entries, participant, settings, shares, faults),
        is_known=True,
        are_pseudonyms=are_pseudonyms,
    )


def _rows(of_rows: Mapping[str, str | None], first: Mapping[str, Place]) -> list[_Entry]:
    return [
        _Entry(video_id=video_id, participant=of_rows[video_id] or "", split=None, place=place)
        for video_id, place in first.items()
    ]


def _sheets(answers: Sequence[Answer]) -> list[_Entry]:
    return [
        _Entry(video_id=one.video_id, participant=one.participant, split=None, place=one.place)
        for one in answers
        if one.participant is not None
    ]


def _table(settings: AnswerSettings, faults: Faults) -> list[_Entry]:
    uri, entries = storage.normalise(settings.participants or ""), []
    try:
        for number, row in read_rows(uri, ("video_id", "participant"), ("split",)):
            place, video_id = Place(file=uri, line=number), row.get("video_id") or ""
            participant, split = row.get("participant"), row.get("split")
            if participant is None or not normal_form(participant):
                problem, remedy = "the participant is missing", "write whose video it is"
                faults.add(place, problem, remedy, video=video_id)
            elif split not in (None, *SPLITS):
                problem, remedy = f"the split {split!r} is unknown", f"write {', '.join(SPLITS)}"
                faults.add(place, problem, remedy, video=video_id)
            else:
                entries.append(
                    _Entry(video_id=video_id, participant=participant, split=split, place=place)
                )
    except StorageError as error:
        raise ConfigError(f"--participants {settings.participants}: {error}") from None
    return entries


def _splits(
    entries: Sequence[_Entry],
    participant: dict[str, str],
    settings: AnswerSettings,
    shares: Sequence[float],
    faults: Faults,
) -> dict[str, str]:
    """Return the split of each participant, by the name that `participant` has."""
    known = [(one.participant, one.split, one.place) for one in entries if one.split is not None]
    if not known:
        return draw_splits(participant.values(), shares, settings.seed)
    if settings.split:
        raise ConfigError("--split draws splits, and --participants brings its own: leave one out")
    check_splits(known, faults)
    split = {normal_form(who): split for who, split, _ in known}
    for one in entries:
        if normal_form(one.participant) not in split:
            problem, remedy = "the split is missing", "give it for all participants, or for none"
            faults.add(one.place, problem, remedy, participant=one.participant, video=one.video_id)
    return {who: split.get(normal_form(who), "") for who in participant.values()}
