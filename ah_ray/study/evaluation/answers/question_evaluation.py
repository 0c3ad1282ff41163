"""Measure the answers to a question of the profile against labels of it.

A question with two answers is measured as verdicts are (evaluate.py). Of several answers, a video's
is the one with the highest probability, as the question's reducer makes it from the clips; a scale
also has its expected value. Clips are measured where labels have times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import pyarrow as pa

from ah_ray.errors import ConfigError
from ah_ray.installation import ah_ray_version
from ah_ray.provenance.learned_from import LearnedFrom
from ah_ray.study.evaluation.answers.answer_comparison import (
    compare_answers,
    measure_groups,
    measure_majority,
)
from ah_ray.study.evaluation.answers.given_answers import (
    AnsweredOutput,
    GivenAnswers,
    answer_output,
    measure_answers,
)
from ah_ray.study.evaluation.answers.labels import QuestionLabels, read_question_labels
from ah_ray.study.evaluation.answers.schema import (
    YES_NO,
    AnsweredClips,
    AnswerGain,
    AnswersEvaluation,
    JudgedQuestion,
)
from ah_ray.study.evaluation.evaluate import (
    check_distinct,
    describe_labels,
    evaluate,
    find_columns,
    join_column,
)
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.figures.intervals import CLIP_CORRELATION
from ah_ray.study.evaluation.predictions import measure
from ah_ray.study.evaluation.reported_videos import (
    TRAIN,
    describe_split,
    labelled_videos,
    split_videos,
    videos_of_strangers,
)
from ah_ray.study.evaluation.schema import SCHEMA_VERSION, Evaluation
from ah_ray.study.evaluation.scored_output import Row, check_same_content
from ah_ray.study.evaluation.validity.leaks import check_headline, find_leaks, leak_notes
from ah_ray.study.evaluation.validity.selection import (
    selection_notes,
    selection_of,
    without_intervals,
)
from ah_ray.study.labelled_manifest import DRAWN, LABELLED_VIDEOS
from ah_ray.units import format_count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelled:
    """The labels of an evaluation, and the videos that they are about."""

    labels: QuestionLabels
    split: str
    reported: list[Row]  # with any label of the question
    majority: tuple[str, list[str]]  # a split, and the labels in it; [] where there are none
    group_by: tuple[str, ...]
    trained_on: tuple[LearnedFrom, ...]
    notes: tuple[str, ...]
    level: float

    @property
    def whole(self) -> list[Row]:
        """Return the videos with a label of the whole video."""
        return [video for video in self.reported if video["video_id"] in self.labels.answer]


def evaluate_question(
    question: JudgedQuestion,
    outs: Sequence[str],
    labels: str,
    *,
    split: str = "test",
    bootstrap: Bootstrap | None = None,
    group_by: Sequence[str] = (),
    trained_on: Sequence[LearnedFrom] = (),
) -> Evaluation:
    """Return the measures of the answers to a question; parameters and errors as `evaluate`."""
    bootstrap = bootstrap or Bootstrap()
    check_distinct(outs)
    found = read_question_labels(labels, question)
    everything = _label_all(found.videos)
    reported, _ = split_videos(everything, split)
    selection = selection_of(reported, labelled_videos(everything, split))
    labelled = _Labelled(
        labels=found,
        split=split,
        reported=reported,
        majority=_labels_of_another_split(found, split, reported),
        group_by=tuple(group_by),
        trained_on=tuple(trained_on),
        notes=tuple(selection_notes(selection, len(reported))),
        level=bootstrap.level,
    )
    if question.kind == YES_NO:
        evaluation = evaluate(
            outs,
            labels,
            split=split,
            bootstrap=bootstrap,
            group_by=group_by,
            trained_on=trained_on,
            judged=found,
        )
        return _add_clips(evaluation, question, labelled)
    if selection is not None and selection.kind == DRAWN:
        raise ConfigError(
            f"--question {question.name}: these videos were drawn, and several answers have no "
            "weighted figures; label a whole cohort"
        )
    outputs = [answer_output(out, _ids(reported), question) for out in outs]
    answers = tuple(_evaluate_output(output, labelled) for output in outputs)
    comparisons = _comparisons(outputs, labelled)
    if selection is not None:
        answers, comparisons = without_intervals(answers), without_intervals(comparisons)
    return Evaluation(
        schema_version=SCHEMA_VERSION,
        ah_ray_version=ah_ray_version(),
        bootstrap=bootstrap,
        labels=describe_labels(labels, found.videos, split, reported, selection, found),
        outputs=(),
        comparisons=(),
        construct=question.name,
        question=question,
        answers=answers,
        answer_comparisons=comparisons,
    )


def _ids(videos: Sequence[Row]) -> set[str]:
    return {video["video_id"] for video in videos}


def _label_all(videos: pa.Table) -> pa.Table:
    """Return the videos with a label each, so that those with labels of intervals alone count."""
    place, field = videos.schema.get_field_index("label"), LABELLED_VIDEOS.field("label")
    return videos.set_column(place, field, videos["label"].fill_null(0))


def _labels_of_another_split(
    found: QuestionLabels, split: str, reported: Sequence[Row]
) -> tuple[str, list[str]]:
    """Return the labels of train, or of val, of people who are not reported."""
    for name, videos in videos_of_strangers(found.videos, split, reported):
        if videos:
            return name, [found.answer[video["video_id"]] for video in videos]
    return TRAIN, []


def _evaluate_output(output: AnsweredOutput, labelled: _Labelled) -> AnswersEvaluation:
    question, level, split = output.question, labelled.level, labelled.split
    config = output.scored.config
    leaks = find_leaks((*config.learned_from, *labelled.trained_on), labelled.reported)
    check_headline(output.scored.out, split, leaks)
    given = output.answer_videos(labelled.whole, labelled.labels.answer)
    scored = given.without_unanswered()
    clips = measure_clips(output, labelled.reported, labelled.labels, level)
    if not len(scored) and clips is None:
        raise ConfigError(
            f"{output.scored.out} has no answer to {question.name} in any labelled video of "
            f"{split}: score these videos, or choose another --split"
        )
    is_answered = given.is_answered.tolist()
    answered = [video for video, there in zip(labelled.whole, is_answered, strict=True) if there]
    columns = find_columns(output.scored, answered or labelled.reported, labelled.group_by)
    reasons = Counter(
        reason
        for video in labelled.whole
        if (reason := output.reason(video["video_id"])) is not None
    )
    return AnswersEvaluation(
        out=output.scored.out,
        model=join_column(output.scored, "model"),
        profile=join_column(output.scored, "profile"),
        config_fingerprint=config.config_fingerprint,
        reducer=output.reducer,
        n_without_answer=sum(reasons.values()),
        without_answer=dict(sorted(reasons.items())),
        scored=measure_answers(scored, question, level) if len(scored) else None,
        counted_wrong=measure_answers(given, question, level) if len(scored) else None,
        clips=clips,
        majority=measure_majority(scored, *labelled.majority, question, level),
        groups=measure_groups(scored, answered, question, columns, level) if len(scored) else (),
        notes=(
            *labelled.notes,
            *leak_notes(leaks),
            *describe_split(split, _count_people(given, labelled)),
        ),
        leaks=leaks,
    )


def _count_people(given: GivenAnswers, labelled: _Labelled) -> int:
    if len(given):
        return len(set(given.without_unanswered().participant.tolist()))
    return len({video["participant_id"] for video in labelled.reported})


def measure_clips(
    output: AnsweredOutput, videos: Sequence[Row], labels: QuestionLabels, level: float
) -> AnsweredClips | None:
    """Return the figures of labelled clips; None if no label of these videos has times.

    Scores of a question with two answers are measured as those of verdicts are.
    """
    if not any(video["video_id"] in labels.intervals for video in videos):
        return None
    given, n_videos = output.answer_clips(videos, labels)
    if not len(given):
        return None
    question = output.question
    scores = None
    if question.kind == YES_NO:
        scores = measure(given.predictions(question), level, CLIP_CORRELATION)
    return AnsweredClips(
        n_videos=n_videos,
        figures=measure_answers(given, question, level, CLIP_CORRELATION),
        scores=scores,
    )


def _add_clips(evaluation: Evaluation, question: JudgedQuestion, labelled: _Labelled) -> Evaluation:
    """Return the evaluation of a question with two answers, with its clips."""
    selection = evaluation.labels.selection
    derived = sum(video["video_id"] in labelled.labels.derived for video in labelled.reported)
    note = (
        f"{format_count(derived, 'video')} with labels of intervals alone: {question.construct} if "
        "an interval is"
    )
    outputs = []
    for one in evaluation.outputs:
        clips = None
        if labelled.labels.intervals and (selection is None or selection.kind != DRAWN):
            output = answer_output(one.out, _ids(labelled.reported), question)
            clips = measure_clips(output, labelled.reported, labelled.labels, labelled.level)
        if selection is not None and clips is not None:
            clips = without_intervals(clips)
        notes = (*one.notes, *([note] if derived else []))
        outputs.append(replace(one, clips=clips, notes=notes))
    return replace(evaluation, question=question, outputs=tuple(outputs))


def _comparisons(outputs: Sequence[AnsweredOutput], labelled: _Labelled) -> tuple[AnswerGain, ...]:
    found = []
    for a, b in combinations(outputs, 2):
        check_same_content(a.scored, b.scored)
        first, second = (
            each.answer_videos(labelled.whole, labelled.labels.answer) for each in (a, b)
        )
        names = (a.scored.out, b.scored.out)
        found.append(compare_answers(first, second, a.question, names, labelled.level))
    return tuple(one for one in found if one is not None)
