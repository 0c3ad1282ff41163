"""Annotations of ELAN, BORIS or Label Studio as labelled videos.

    files ─▶ what each annotator says of each recording ─▶ by the vocabulary: Yes, No, ignored
          ─▶ the recordings, wherever they are ─▶ the labels of the majority

An annotation that the vocabulary does not know is a mistake in the labels. So are an interval
without length, and a moment for which an annotator says both Yes and No.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ah_ray import storage
from ah_ray.cohort.participant_names import normal_form
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.profile import answer_word
from ah_ray.study.exchange.settings import Tool
from ah_ray.study.exchange.vocabulary import Meaning, Vocabulary, read_vocabulary
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.labelled_video import LabelledVideo, Marked, MarkedAnswer
from ah_ray.study.participants import compiled, participant_in
from ah_ray.study.prepare.annotated import boris_file, elan_file, label_studio_file
from ah_ray.study.prepare.annotated.agreed import Judged, agree, agree_answers, annotated
from ah_ray.study.prepare.annotated.coded import Coded, CodedVideo
from ah_ray.study.prepare.annotated.media_places import MediaPlace, MediaPlaces
from ah_ray.study.prepare.settings import LeftOut, PrepareSettings
from ah_ray.study.source_files import read_source

TIES, NOT_ANNOTATED = "ties between annotators", "videos without an annotation"
_CORRECT = "correct one of them"
_READ_AGAIN = "give --vocabulary an entry for it (`label: ignored` leaves it out)"


@dataclass(slots=True, kw_only=True)
class _Video:
    """All that was found about one recording."""

    place: MediaPlace
    said: list[CodedVideo] = field(default_factory=list)


def read_annotated(
    settings: PrepareSettings, id_key: bytes | None, faults: Faults, left_out: LeftOut
) -> list[LabelledVideo]:
    """Return all recordings that were annotated, in the order of the files that name them first.

    Mistakes go to `faults`. Raise ConfigError if there is no file, or the vocabulary is wrong.
    """
    tool, source = settings.annotated
    vocabulary = read_vocabulary(settings.vocabulary, tool)
    folder, files = _files(tool, source)
    places = MediaPlaces(folder, settings.videos, id_key)
    found: dict[str, _Video] = {}
    names: dict[tuple[str, ...], bool] = {}  # of recordings; False: nobody annotated it
    for file in files:
        for coded in _read_file(tool, file, vocabulary, faults):
            before = names.setdefault(coded.media, False)
            if not _is_annotated(coded, vocabulary):
                continue
            names[coded.media] = True
            place = places.find(coded.media, storage.parent(file), coded.video_id)
            if place is not None:
                found.setdefault(place.uri, _Video(place=place)).said.append(coded)
            elif not before:
                _report_missing(coded, settings.videos, faults)
    left_out[NOT_ANNOTATED] += sum(not is_annotated for is_annotated in names.values())
    labelled = [
        _Labels(video, settings, vocabulary, faults, left_out).make() for video in found.values()
    ]
    return [one for one in labelled if one is not None and not faults.concern(one.uri)]


def _files(tool: Tool, source: str) -> tuple[str, list[str]]:
    """Return the folder of the annotations, and its files of the tool: one, or all below it."""
    uri = storage.normalise(source)
    endings = _ENDINGS[tool]
    try:
        if uri.lower().endswith(endings):
            storage.stat(uri)
            return storage.parent(uri), [uri]
        listed = [entry.uri for page in storage.list_pages(uri) for entry in page]
    except ObjectMissing:
        raise ConfigError(f"--{tool.value} {source}: there is nothing of that name") from None
    except StorageError as error:
        raise ConfigError(f"--{tool.value} {source} cannot be read: {error}") from None
    files = [one for one in listed if one.lower().endswith(endings)]
    if not files:
        raise ConfigError(f"--{tool.value} {source}: it holds no file *{endings[0]}")
    return uri, files


_ENDINGS = {
    Tool.ELAN: elan_file.ENDINGS,
    Tool.BORIS: boris_file.ENDINGS,
    Tool.LABEL_STUDIO: label_studio_file.ENDINGS,
}


def _read_file(
    tool: Tool, file: str, vocabulary: Vocabulary, faults: Faults
) -> Iterator[CodedVideo]:
    try:
        data = read_source(file)
    except StorageError as error:
        raise ConfigError(f"--{tool.value} {file} cannot be read: {error}") from None
    if tool is Tool.ELAN:
        yield from elan_file.read_elan(file, data, faults)
    elif tool is Tool.BORIS:
        yield from boris_file.read_boris(file, data, vocabulary, faults)
    else:
        yield from label_studio_file.read_label_studio(file, data, vocabulary, faults)


def _is_annotated(coded: CodedVideo, vocabulary: Vocabulary) -> bool:
    """Return whether there is more than annotations that the vocabulary ignores."""
    entries = (vocabulary.find(one.tier, one.value) for one in coded.annotations)
    if any(entry is None or entry.label is not Meaning.IGNORED for entry in entries):
        return True
    return vocabulary.unmarked is False and _could_mark(coded, vocabulary)


def _could_mark(coded: CodedVideo, vocabulary: Vocabulary) -> bool:
    """Return whether somebody looked here for A/H: in a tier that the vocabulary knows."""
    return not coded.tiers or any(map(vocabulary.may_label, coded.tiers))


def _report_missing(coded: CodedVideo, videos: str | None, faults: Faults) -> None:
    where = f"among --videos {videos}" if videos else "there, nor beside the file"
    remedy = "give --videos that has it (and --id-key of score.py), or put it beside the file"
    named = coded.media[0]
    problem = f"{_part(coded)}the recording {named!r} is not {where}"
    faults.add(coded.place, problem, remedy, video=f"{coded.place.file}\0{named}")


def _part(coded: CodedVideo) -> str:
    return f"{coded.part}: " if coded.part else ""


class _Labels:
    """The labels of one recording while they are made."""

    def __init__(
        self,
        video: _Video,
        settings: PrepareSettings,
        vocabulary: Vocabulary,
        faults: Faults,
        left_out: LeftOut,
    ):
        self._said, self._place = video.said, video.place
        self._vocabulary, self._faults, self._left_out = vocabulary, faults, left_out
        self._pattern = compiled(settings.participant_pattern)
        self._first = video.said[0].place
        self._answers: dict[str, dict[str | None, list[MarkedAnswer]]] = {}

    def make(self) -> LabelledVideo | None:
        """Return the labelled video; None if it was not annotated, or is left out."""
        by_question = self._judge()
        if not by_question and not self._answers:
            return None  # all that was found is faulty
        agreed = {question: agree(judged) for question, judged in by_question.items()}
        first = agreed.get(None)
        if first is not None and first.is_tie:
            self._left_out[TIES] += 1
            return None
        participant = self._participant()
        if participant is None:
            return None
        return LabelledVideo(
            uri=self._place.uri,
            video_id=self._place.video_id,
            label=None if first is None else first.label,
            participant=participant,
            split=None,
            marked=tuple(one for each in agreed.values() for one in each.marked),
            place=self._first,
            annotations=annotated(by_question.get(None, [])),
            answers=tuple(
                answer
                for given in self._answers.values()
                for answer in agree_answers(list(given.items()))
            ),
        )

    def _judge(self) -> dict[str | None, list[Judged]]:
        """Return what each annotator says, by question; None is the question whether it is A/H."""
        by_annotator: dict[str | None, list[CodedVideo]] = {}
        for coded in self._said:
            by_annotator.setdefault(coded.annotator, []).append(coded)
        found: dict[str | None, list[Judged]] = {}
        for annotator, said in by_annotator.items():
            for question, judged in self._of_annotator(annotator, said).items():
                found.setdefault(question, []).append(judged)
        return found

    def _of_annotator(
        self, annotator: str | None, said: Sequence[CodedVideo]
    ) -> dict[str | None, Judged]:
        wholes: dict[str | None, list[tuple[int, Place]]] = {}
        marked: dict[str | None, list[Marked]] = {}
        unknown: dict[tuple[str, str], int] = {}
        for coded in said:
            for one in coded.annotations:
                entry = self._vocabulary.find(one.tier, one.value)
                if entry is None:
                    n = unknown[one.tier, one.value] = unknown.get((one.tier, one.value), 0) + 1
                    if n == 1:
                        self._report_unknown(coded, one)
                elif (answer := entry.answer_of(one.value)) is not None:
                    whole = entry.whole or not one.has_times
                    if whole or self._has_length(coded, one):
                        self._add_answer(annotator, entry.question or "", answer, one, whole)
                elif entry.label is Meaning.IGNORED:
                    continue
                elif entry.whole or not one.has_times:
                    label = int(entry.label is Meaning.YES)
                    wholes.setdefault(entry.question, []).append((label, one.place))
                elif self._has_length(coded, one):
                    marked.setdefault(entry.question, []).append(
                        Marked(
                            start_s=one.start_s,
                            end_s=one.end_s,
                            label=int(entry.label is Meaning.YES),
                            question=entry.question,
                            place=one.place,
                        )
                    )
        for question, by_annotator in self._answers.items():
            self._check_overlaps(said[0], by_annotator.get(annotator, []), question)
        if self._vocabulary.unmarked is False and any(
            _could_mark(coded, self._vocabulary) for coded in said
        ):
            wholes.setdefault(None, [])
            marked.setdefault(None, [])
        return {
            question: Judged(
                annotator=annotator,
                whole=self._whole(
                    question, wholes.get(question, []), marked.get(question, []), said[0]
                ),
                marked=tuple(marked.get(question, [])),
                place=said[0].place,
            )
            for question in {**wholes, **marked}
        }

    def _whole(
        self,
        question: str | None,
        given: Sequence[tuple[int, Place]],
        marked: Sequence[Marked],
        coded: CodedVideo,
    ) -> int | None:
        """Return the label of the whole recording by one annotator, and report contradictions."""
        labels = {label for label, _ in given}
        yes = [one for one in marked if one.label]
        if len(labels) > 1:
            problem = "the recording as a whole is Yes and No"
            self._report(coded, given[-1][1], problem, "keep one of them")
        elif labels == {0} and yes:
            problem = "the recording as a whole is a No, but a stretch of it is a Yes"
            self._report(coded, yes[0].place, problem, _CORRECT)
        self._check_overlaps(coded, marked, question)
        if labels:
            return min(labels)
        is_no = question is None and self._vocabulary.unmarked is False and not yes
        return 0 if is_no else None

    def _add_answer(
        self, annotator: str | None, question: str, answer: str, one: Coded, whole: bool
    ) -> None:
        given = self._answers.setdefault(question, {}).setdefault(annotator, [])
        given.append(
            MarkedAnswer(
                start_s=0.0 if whole else one.start_s,
                end_s=None if whole else one.end_s,
                question=question,
                answer=answer,
                place=one.place,
            )
        )

    def _check_overlaps(
        self, coded: CodedVideo, marked: Sequence[Marked | MarkedAnswer], question: str | None
    ) -> None:
        """Report the first moment for which an annotator says two different things."""
        latest: dict[str, Marked | MarkedAnswer] = {}  # what ends last so far, by what it says
        for one in sorted((each for each in marked if each.end_s), key=lambda each: each.start_s):
            says = one.answer if isinstance(one, MarkedAnswer) else answer_word(bool(one.label))
            for other_says, other in latest.items():
                if other_says != says and one.start_s < (other.end_s or 0.0):
                    problem = f"it is a {other_says} and a {says} at {one.start_s:g} s"
                    if question is not None:
                        problem = f"{question!r}: {problem}"
                    self._report(coded, max(one.place, other.place), problem, _CORRECT)
                    return
            if says not in latest or (one.end_s or 0.0) > (latest[says].end_s or 0.0):
                latest[says] = one
        wholes = {one.answer for one in marked if isinstance(one, MarkedAnswer) and one.is_whole}
        if len(wholes) > 1:
            problem = f"{question!r}: the recording as a whole is {' and '.join(sorted(wholes))}"
            self._report(coded, marked[-1].place, problem, _CORRECT)

    def _has_length(self, coded: CodedVideo, one: Coded) -> bool:
        if one.end_s > one.start_s >= 0:
            return True
        way = "empty" if one.end_s == one.start_s else "reversed"
        if one.start_s < 0:
            way = "before the video's beginning"
        problem = f"the interval {one.start_s:g} – {one.end_s:g} s of {one.tier!r} is {way}"
        remedy = "correct it, or write `whole: true` if it is about the whole recording"
        self._report(coded, one.place, problem, remedy)
        return False

    def _report_unknown(self, coded: CodedVideo, one: Coded) -> None:
        what = f"the value {one.value!r} of {one.tier!r}" if one.value else f"{one.tier!r}"
        self._report(coded, one.place, f"{what} is not in the vocabulary", _READ_AGAIN)

    def _report(self, coded: CodedVideo, place: Place, problem: str, remedy: str) -> None:
        self._faults.add(place, _part(coded) + problem, remedy, video=self._place.uri)

    def _participant(self) -> str | None:
        """Return whose video it is; report a fault if that is not known, or not one person."""
        if self._pattern is not None:
            named: list[str | None] = [participant_in(self._place.key, self._pattern)]
        else:
            named = [coded.participant for coded in self._said if coded.participant]
            named = named or [participant_in(self._place.key, None)]
        names = [name for name in named if name is not None and normal_form(name)]
        if len(set(map(normal_form, names))) == 1:
            return names[0]
        if names:
            problem = f"the recording is of {names[0]} and of {names[-1]}"
            remedy = "correct one of them, or give a --participant-pattern"
        else:
            problem = f"nothing tells whose video {self._place.key} is"
            remedy = "name the participant in the file, or give a --participant-pattern"
        self._report(self._said[0], self._first, problem, remedy)
        return None
