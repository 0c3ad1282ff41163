"""What a locked plan asked for, measured: its reducer and threshold, its groups, its hypotheses."""

from __future__ import annotations

from collections.abc import Sequence

from ah_ray.errors import ConfigError
from ah_ray.study.evaluation.answers.given_answers import answer_output, measure_answers
from ah_ray.study.evaluation.answers.labels import QuestionLabels, read_question_labels
from ah_ray.study.evaluation.answers.schema import YES_NO, AnswerFigures, JudgedQuestion
from ah_ray.study.evaluation.answers.yes_no import judge_question
from ah_ray.study.evaluation.figures.estimate import Estimate
from ah_ray.study.evaluation.figures.slices import measure_slices
from ah_ray.study.evaluation.figures.thresholds import fit_threshold
from ah_ray.study.evaluation.predictions import Predictions, measure
from ah_ray.study.evaluation.question import columns_of
from ah_ray.study.evaluation.reported_videos import split_videos
from ah_ray.study.evaluation.schema import Hypothesis, Measures, Planned
from ah_ray.study.evaluation.scored_output import Row, ScoredOutput, read_output
from ah_ray.study.evaluation.settings import Threshold
from ah_ray.study.evaluation.validity.locked_plan import SCALE_MEASURES, Plan, PlannedHypothesis
from ah_ray.study.evaluation.validity.selection import (
    selection_of,
    weigh,
    without_intervals,
)
from ah_ray.study.labelled_manifest import DRAWN, read_labelled_videos
from ah_ray.verdicts.verdict import reducer_name, video_threshold


def measure_plan(
    plan: Plan,
    outs: Sequence[str],
    labels: str,
    level: float,
    question: JudgedQuestion | None = None,
) -> tuple[Planned, ...]:
    """Return the figures that a plan asked for, of each output. Raise ConfigError.

    `question` is that of the profile which the plan is about; None: the verdicts.
    """
    if question is not None and question.kind != YES_NO:
        return _measure_answers(plan, outs, read_question_labels(labels, question), level)
    if question is None:
        table = read_labelled_videos(labels)
    else:
        table = read_question_labels(labels, question).videos
    reported, fitting = split_videos(table, plan.split)
    wanted = {video["video_id"] for video in (*reported, *fitting)}
    outputs = [read_output(out, wanted) for out in outs]
    if question is not None:
        outputs = [judge_question(output, question) for output in outputs]
    return tuple(_measure_output(plan, output, reported, fitting, level) for output in outputs)


def _measure_output(
    plan: Plan, output: ScoredOutput, reported: list[Row], fitting: list[Row], level: float
) -> Planned:
    own = output.config.reduction
    reduction = None if plan.reducer is None else output.plain(plan.reducer)
    threshold = _threshold(plan, output, output.predictions(fitting, reduction))
    predictions = output.predictions(reported, reduction)
    is_scored = predictions.is_scored.tolist()
    videos = [video for video, there in zip(reported, is_scored, strict=True) if there]
    scored = predictions.without_unscored().answer_at(threshold)
    measures, selection = measure(scored, level), selection_of(reported, reported)
    columns: dict[str, Sequence[object]] = {
        **columns_of(plan.groups, videos, output.rows),
    }
    groups = measure_slices(scored, videos, level, columns)
    if selection is not None and selection.kind == DRAWN:
        if plan.groups:
            raise ConfigError(
                f"--plan asks for groups by {plan.groups[0]}: these videos were drawn, and groups "
                "have no weighted figures; label a whole cohort"
            )
        measures, groups = weigh(measures, videos, scored), ()
    elif selection is not None:
        measures, groups = without_intervals(measures), without_intervals(groups)
    return Planned(
        out=output.out,
        reducer=plan.reducer or reducer_name(own),
        threshold_rule=str(plan.threshold),
        threshold=threshold,
        asked=plan.measures,
        measures=measures,
        groups=tuple(group for group in groups if group.by in plan.groups),
        hypotheses=tuple(_judge(one, measures) for one in plan.hypotheses),
    )


def _measure_answers(
    plan: Plan, outs: Sequence[str], labels: QuestionLabels, level: float
) -> tuple[Planned, ...]:
    """Return the figures of several answers."""
    reported, _ = split_videos(labels.videos, plan.split)
    selection = selection_of(reported, reported)
    found = []
    for out in outs:
        output = answer_output(out, {video["video_id"] for video in reported}, labels.question)
        given = output.answer_videos(reported, labels.answer).without_unanswered()
        if not len(given):
            raise ConfigError(
                f"{output.scored.out} has no answer to {labels.question.name} in any video with a "
                "label of the whole video, so the plan cannot be measured: score these videos"
            )
        figures = measure_answers(given, labels.question, level)
        figures = figures if selection is None else without_intervals(figures)
        found.append(
            Planned(
                out=output.scored.out,
                reducer=output.reducer,
                threshold_rule="the likeliest answer",
                threshold=None,
                asked=plan.measures,
                measures=figures,
                groups=(),
                hypotheses=tuple(_judge(one, figures) for one in plan.hypotheses),
            )
        )
    return tuple(found)


def planned_estimate(measures: Measures | AnswerFigures, name: str) -> Estimate:
    """Return a measure that a plan names."""
    scale = measures.scale if isinstance(measures, AnswerFigures) else None
    if scale is not None and name in SCALE_MEASURES:
        of_scale: Estimate = getattr(scale, name)
        return of_scale
    found: Estimate = getattr(measures, name)
    return found


def _threshold(plan: Plan, output: ScoredOutput, of_val: Predictions) -> float:
    if not isinstance(plan.threshold, Threshold):
        return plan.threshold
    if plan.threshold is Threshold.FIXED:
        return 0.5 if plan.reducer is not None else video_threshold(output.config.reduction)
    fit = of_val.without_unscored()
    if not fit.has_both_labels:
        raise ConfigError(
            f"--plan fits its threshold ({plan.threshold}) on val, and {output.out} has no scored "
            "videos of both labels there: plan `threshold: fixed`, or a number"
        )
    return fit_threshold(plan.threshold, fit.label, fit.p_ah)


def _judge(one: PlannedHypothesis, measures: Measures | AnswerFigures) -> Hypothesis:
    """Return whether the whole interval is on the side of the limit that the plan says."""
    found = planned_estimate(measures, one.measure)
    supported = None
    if found.low is not None and found.high is not None:
        above = one.above is not None
        supported = found.low > one.limit if above else found.high < one.limit
    return Hypothesis(
        text=one.text,
        measure=one.measure,
        value=found.value,
        low=found.low,
        high=found.high,
        limit=one.limit,
        is_supported=supported,
    )
