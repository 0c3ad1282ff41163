"""The timeline of a recording as tiers of labelled spans, in whole milliseconds. Pure.

    model A/H, model P(A/H)                 every clip: answer and probability
    model A/H of the video, model P(…)      the verdict
    model face, model P(face)               a further question: its likeliest answer
    model contrast face-voice               how differently two questions were answered
    A/H, A/H of the video                   what all annotators agreed on
    A/H@NAME, A/H of the video@NAME         what one annotator said
    face, face of the video                 what people answered to a further question

Tools show one value at a time in a tier, so spans that overlap are given to further layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ah_ray.profile import NO, YES, answer_word
from ah_ray.study.exchange.recording import (
    AnnotatorLabels,
    AskedQuestion,
    ExportedClip,
    ExportedCohort,
    Recording,
)

BY_MODEL = "model "
OF_VIDEO = " of the video"
BY = "@"
_NO_LENGTH_MS = 1  # a span needs a length in every tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a recording with a value."""

    start_ms: int
    end_ms: int  # after start_ms
    text: str
    p: float | None = None  # of this value


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Spans of one kind, by one annotator or by the model."""

    kind: str  # without the annotator: `A/H`, `model face`
    annotator: str | None = None
    values: tuple[str, ...] = ()  # that a span may have; none: any text
    spans: tuple[Span, ...] = ()
    question: str | None = None  # a further one that is answered; None: the first one
    contrast: str | None = None
    is_probability: bool = False  # of the answers in the tier before

    @property
    def name(self) -> str:
        return self.kind if self.annotator is None else f"{self.kind}{BY}{self.annotator}"

    @property
    def is_model(self) -> bool:
        return self.kind.startswith(BY_MODEL)

    @property
    def is_of_video(self) -> bool:
        return self.kind.endswith(OF_VIDEO)


def model_tiers(recording: Recording, cohort: ExportedCohort) -> Iterator[Tier]:
    """Yield what the model said of a recording, clip by clip and as a whole."""
    first, clips = cohort.construct, recording.clips
    yield Tier(
        kind=BY_MODEL + first,
        values=(YES, NO),
        spans=_clip_spans(clips, lambda clip: _answer(clip.answer, clip.p)),
    )
    yield Tier(
        kind=f"{BY_MODEL}P({first})",
        spans=_clip_spans(clips, lambda clip: _number(clip.p)),
        is_probability=True,
    )
    whole = _whole(recording)
    yield Tier(
        kind=BY_MODEL + first + OF_VIDEO,
        values=(YES, NO),
        spans=whole and _spans(whole, _answer(recording.answer, recording.p)),
    )
    yield Tier(
        kind=f"{BY_MODEL}P({first}){OF_VIDEO}",
        spans=whole and _spans(whole, _number(recording.p)),
        is_probability=True,
    )
    for question in cohort.questions:
        yield from _question_tiers(question, clips)
    yield from (_contrast_tier(name, clips) for name in cohort.contrasts)


def _contrast_tier(name: str, clips: Sequence[ExportedClip]) -> Tier:
    return Tier(
        kind=f"{BY_MODEL}contrast {name}",
        spans=_clip_spans(clips, lambda clip: _number(clip.contrasts.get(name))),
        contrast=name,
    )


def _question_tiers(question: AskedQuestion, clips: Sequence[ExportedClip]) -> Iterator[Tier]:
    name = question.name
    yield Tier(
        kind=BY_MODEL + name,
        values=question.answers,
        spans=_clip_spans(clips, lambda clip: clip.further.get(name)),
        question=name,
    )
    yield Tier(
        kind=f"{BY_MODEL}P({name})",
        spans=_clip_spans(clips, lambda clip: _number((clip.further.get(name) or (None, None))[1])),
        question=name,
        is_probability=True,
    )


def label_tiers(recording: Recording, cohort: ExportedCohort) -> Iterator[Tier]:
    """Yield what people said of a recording; without labels two empty tiers, to be filled in."""
    agreed = AnnotatorLabels(annotator=None, label=None, marks=())
    for one in recording.labels or (agreed,):
        yield Tier(
            kind=cohort.construct,
            annotator=one.annotator,
            values=(YES, NO),
            spans=tuple(_span(start_s, end_s, YES) for start_s, end_s in one.marks),
        )
        whole = _whole(recording) if one.label is not None else ()
        yield Tier(
            kind=cohort.construct + OF_VIDEO,
            annotator=one.annotator,
            values=(YES, NO),
            spans=whole and (_span(*whole, answer_word(bool(one.label))),),
        )
    for question in cohort.labelled_questions:
        yield from _given_tiers(question, recording)


def _given_tiers(question: AskedQuestion, recording: Recording) -> Iterator[Tier]:
    """Yield what people answered to a further question: in stretches, and about the whole."""
    given = [one for one in recording.given if one.question == question.name]
    parts = [(one.start_s, one.end_s or recording.duration_s, one.answer) for one in given]
    spans = [_span(a, b, text) for a, b, text in parts if a is not None and b is not None]
    whole = _whole(recording)
    wholes = [_span(*whole, one.answer) for one in given if one.start_s is None and whole]
    name, values = question.name, question.answers
    yield Tier(kind=name, spans=tuple(spans), values=values, question=name)
    yield Tier(kind=name + OF_VIDEO, spans=tuple(wholes), values=values, question=name)


def split_layers(spans: Iterable[Span]) -> list[tuple[Span, ...]]:
    """Return the spans in as few layers as possible. No two of a layer overlap."""
    layers: list[list[Span]] = []
    for span in sorted(spans, key=lambda one: (one.start_ms, one.end_ms)):
        free = (layer for layer in layers if layer[-1].end_ms <= span.start_ms)
        layer = next(free, None)
        if layer is None:
            layers.append([span])
        else:
            layer.append(span)
    return [tuple(layer) for layer in layers]


def layer_name(name: str, number: int) -> str:
    """Return the name of a tier's layer, numbered from 0: `A/H`, `A/H (2)`."""
    return f"{name} ({number + 1})" if number else name


def milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _clip_spans(
    clips: Sequence[ExportedClip],
    value_of: Callable[[ExportedClip], tuple[str, float | None] | None],
) -> tuple[Span, ...]:
    return tuple(
        _span(clip.start_s, clip.end_s, *value)
        for clip in clips
        if (value := value_of(clip)) is not None
    )


def _answer(answer: str | None, p: float | None) -> tuple[str, float | None] | None:
    """Return an answer with its probability. `p` is that of Yes."""
    if answer is None:
        return None
    return answer, p if p is None or answer == YES else 1 - p


def _number(value: float | None) -> tuple[str, float | None] | None:
    return None if value is None else (f"{value:.3f}", value)


def _whole(recording: Recording) -> tuple[float, float] | tuple[()]:
    """Return the span of a whole recording; empty where its length is not known."""
    duration_s = recording.duration_s
    return () if duration_s is None else (0.0, duration_s)


def _spans(whole: tuple[float, float], value: tuple[str, float | None] | None) -> tuple[Span, ...]:
    return () if value is None else (_span(*whole, *value),)


def _span(start_s: float, end_s: float, text: str, p: float | None = None) -> Span:
    start_ms = milliseconds(start_s)
    end_ms = max(milliseconds(end_s), start_ms + _NO_LENGTH_MS)
    return Span(start_ms=start_ms, end_ms=end_ms, text=text, p=p)
