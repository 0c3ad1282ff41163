"""BAH's cues as labels of Yes/No questions: where was A/H seen or heard? Pure.

    within a marked interval   cue-face … cue-contradiction are Yes if an annotator who marked a
                               part of it named this cue there, and No if only others were named
    outside                    all are No: in videos without A/H, and with `--negatives unmarked` in
                               the parts that nobody marked too

Where annotators marked A/H and named no cue at all, nothing is known of cues.
"""

from __future__ import annotations

from dataclasses import replace

from ah_ray.profile import answer_word
from ah_ray.study.evaluation.figures.timeline import union
from ah_ray.study.labelled_manifest import CUES
from ah_ray.study.labelled_video import LabelledVideo, MarkedAnswer
from ah_ray.study.prepare.cutting import end_of, unmarked
from ah_ray.study.prepare.settings import Negatives, PrepareSettings


def add_cue_answers(
    video: LabelledVideo, duration_s: float, settings: PrepareSettings
) -> LabelledVideo:
    """Return a video of BAH with answers to the questions cue-face, cue-voice and so on."""
    if not video.label:
        return replace(video, answers=_answers(video, 0.0, None, set()))
    answers: list[MarkedAnswer] = []
    marked = union((one.start_s, end_of(one, duration_s)) for one in video.marked if one.label)
    for start_s, end_s in marked:
        if named := _cues_within(video, start_s, end_s):
            answers += _answers(video, start_s, end_s, named)
    if settings.negatives is Negatives.UNMARKED:
        for start_s, end_s in unmarked(video.marked, duration_s, settings.margin_s):
            answers += _answers(video, start_s, end_s, set())
    return replace(video, answers=tuple(answers))


def _cues_within(video: LabelledVideo, start_s: float, end_s: float) -> set[str]:
    """Return the cues of all marks of A/H that share a moment with an interval."""
    return {
        cue
        for annotated in video.annotations
        if annotated.label
        for mark in annotated.intervals
        if mark.start_s < end_s and start_s < mark.end_s
        for cue, _ in mark.cues
    }


def _answers(
    video: LabelledVideo, start_s: float, end_s: float | None, named: set[str]
) -> tuple[MarkedAnswer, ...]:
    return tuple(
        MarkedAnswer(
            start_s=start_s,
            end_s=end_s,
            question=f"cue-{cue}",
            answer=answer_word(cue in named),
            place=video.place,
        )
        for cue in CUES
    )
