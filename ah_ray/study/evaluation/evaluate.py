"""Measure the verdicts of outputs against labels; the result is plain values.

Functions that fit get the videos of val, or of train for baselines, and nothing else. Those that
report get another split. That no participant is in both is checked before anything is fitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.installation import ah_ray_version
from ah_ray.provenance.learned_from import LearnedFrom
from ah_ray.study.evaluation.alternatives import (
    compare_reducers,
    compare_scalings,
    compare_thresholds,
    threshold_curve,
)
from ah_ray.study.evaluation.answers.contrasts import measure_contrasts
from ah_ray.study.evaluation.answers.labels import QuestionLabels
from ah_ray.study.evaluation.answers.yes_no import judge_question
from ah_ray.study.evaluation.baselines import KnownFacts, compare_with_baselines
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.figures.comparison import compare
from ah_ray.study.evaluation.figures.length_bias import measure_length_bias
from ah_ray.study.evaluation.figures.slices import MIN_PARTICIPANTS, measure_slices
from ah_ray.study.evaluation.figures.timeline import (
    MarkedClips,
    marked_clips,
    measure_timeline,
)
from ah_ray.study.evaluation.predictions import Predictions, measure
from ah_ray.study.evaluation.question import QUESTION, columns_of
from ah_ray.study.evaluation.reported_videos import (
    FIT_ON,
    baseline_videos,
    describe_split,
    labelled_videos,
    split_videos,
)
from ah_ray.study.evaluation.schema import (
    SCHEMA_VERSION,
    AtThreshold,
    Baselines,
    Comparison,
    Evaluation,
    Labels,
    OutputEvaluation,
    Selection,
    Timeline,
    Unscored,
)
from ah_ray.study.evaluation.scored_output import (
    Row,
    ScoredOutput,
    check_same_content,
    read_output,
)
from ah_ray.study.evaluation.settings import ALL, Threshold
from ah_ray.study.evaluation.validity.leaks import (
    check_headline,
    find_leaks,
    leak_notes,
)
from ah_ray.study.evaluation.validity.selection import (
    mark_selection,
    selection_notes,
    selection_of,
    without_intervals,
)
from ah_ray.study.labelled_manifest import DRAWN, read_about, read_labelled_videos
from ah_ray.units import format_count
from ah_ray.verdicts.verdict import reducer_name, video_threshold


def evaluate(
    outs: Sequence[str],
    labels: str,
    *,
    split: str = "test",
    bootstrap: Bootstrap | None = None,
    group_by: Sequence[str] = (),
    trained_on: Sequence[LearnedFrom] = (),
    judged: QuestionLabels | None = None,
) -> Evaluation:
    """Return all measures of one or several outputs on one split of a labelled manifest.

    `labels` is an output of jobs/prepare.py; `group_by` are further columns of the rows or labels
    by which groups are formed; `trained_on` is whose videos the models know, besides what their
    outputs record; `judged` are the labels of a further question with two answers, which is judged
    in the place of the first one. Raise ConfigError if an output or the labels cannot be read, if
    they have no video in common, if a participant is in val and in the split that is reported, or
    if a model or a calibration knows somebody in test.
    """
    bootstrap = bootstrap or Bootstrap()
    check_distinct(outs)
    table = read_labelled_videos(labels) if judged is None else judged.videos
    reported, fitting = split_videos(table, split)
    selection = selection_of(reported, labelled_videos(table, split))
    if group_by and selection is not None and selection.kind == DRAWN:
        raise ConfigError(
            f"--group-by {group_by[0]}: these videos were drawn, and groups have no weighted "
            "figures; leave it out, or label a whole cohort"
        )
    baseline = baseline_videos(table, split, reported)
    wanted = {video["video_id"] for video in (*reported, *fitting, *baseline[1])}
    outputs = [read_output(out, wanted) for out in outs]
    if judged is not None:
        outputs = [judge_question(output, judged.question) for output in outputs]
    videos = _Videos(
        split=split,
        reported=reported,
        fitting=fitting,
        baseline=baseline,
        group_by=tuple(group_by),
        selection=selection,
        trained_on=tuple(trained_on),
        is_of_verdicts=judged is None,
    )
    comparisons = _comparisons(outputs, reported, bootstrap.level)
    if selection is not None:
        comparisons = () if selection.kind == DRAWN else without_intervals(comparisons)
    return Evaluation(
        schema_version=SCHEMA_VERSION,
        ah_ray_version=ah_ray_version(),
        bootstrap=bootstrap,
        labels=describe_labels(labels, table, split, reported, selection, judged),
        outputs=tuple(_evaluate_output(output, videos, bootstrap) for output in outputs),
        comparisons=comparisons,
        construct=_construct(outputs, judged),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Videos:
    """The labelled videos of an evaluation, by what they are used for."""

    split: str
    reported: list[Row]
    fitting: list[Row]  # thresholds and scalings
    baseline: tuple[
        str, list[Row]
    ]  # a split, and its videos, for baselines; [] where there is none
    group_by: tuple[str, ...]  # columns that must be known
    selection: Selection | None
    trained_on: tuple[LearnedFrom, ...]
    is_of_verdicts: bool  # not of a further question


def check_distinct(outs: Sequence[str]) -> None:
    """Raise ConfigError if the same output is named twice."""
    if len({storage.normalise(out) for out in outs}) < len(outs):
        raise ConfigError("an output is named twice: name each OUT once")


def _construct(outputs: Sequence[ScoredOutput], judged: QuestionLabels | None) -> str:
    if judged is not None:
        return judged.question.construct
    return " + ".join(dict.fromkeys(output.config.construct_name for output in outputs))


def describe_labels(
    uri: str,
    table: pa.Table,
    split: str,
    reported: list[Row],
    selection: Selection | None,
    judged: QuestionLabels | None = None,
) -> Labels:
    """Return which videos are reported, by whose labels; `judged` are those of a question."""
    about = read_about(uri)
    n_ah, by_answer = None, None
    if judged is not None:
        answers = Counter(judged.answer.get(video["video_id"]) for video in reported)
        by_answer = {answer: answers[answer] for answer in judged.question.answers}
    if judged is None or judged.question.positive is not None:
        n_ah = sum(video["label"] for video in reported)
    return Labels(
        data_fingerprint=about["data_fingerprint"],
        selection=selection,
        participants_known=about.get("participants_known") is not False,
        split=split,
        n_videos=len(reported),
        n_participants=len({video["participant_id"] for video in reported}),
        n_ah=n_ah,
        by_answer=by_answer,
        n_without_label=sum(
            row["label"] is None and split in (ALL, row["split"])
            for row in table.select(["label", "split"]).to_pylist()
        ),
    )


def _evaluate_output(
    output: ScoredOutput, videos: _Videos, bootstrap: Bootstrap
) -> OutputEvaluation:
    level, split = bootstrap.level, videos.split
    all_reported = output.predictions(videos.reported)
    scored = all_reported.without_unscored()
    if not len(scored):
        raise ConfigError(
            f"{output.out} has no verdict of any labelled video of {split}: score these videos, or "
            "choose another --split"
        )
    is_scored = all_reported.is_scored.tolist()
    with_score = [v for v, there in zip(videos.reported, is_scored, strict=True) if there]
    n_clips = np.array([output.rows[video["video_id"]]["n_clips"] for video in with_score])
    config = output.config
    threshold = video_threshold(config.reduction)
    of_val = output.predictions(videos.fitting).without_unscored()
    fit = of_val if of_val.has_both_labels else None
    columns = find_columns(output, with_score, videos.group_by)
    leaks = find_leaks((*config.learned_from, *videos.trained_on), videos.reported)
    check_headline(output.out, split, leaks)
    thresholds = compare_thresholds(scored, fit, threshold, FIT_ON, level)
    found = OutputEvaluation(
        out=output.out,
        model=join_column(output, "model"),
        profile=join_column(output, "profile"),
        config_fingerprint=config.config_fingerprint,
        reducer=reducer_name(config.reduction),
        threshold=threshold,
        calibration_fingerprint=config.reduction.calibration_fingerprint,
        unscored=_unscored(output, videos.reported),
        scored=measure(scored, level),
        counted_wrong=measure(all_reported.count_unscored_as_wrong(), level),
        reducers=compare_reducers(
            output, with_score, videos.fitting if fit is not None else [], n_clips, level
        ),
        thresholds=thresholds,
        curve=threshold_curve(scored),
        calibration=compare_scalings(scored, fit, FIT_ON, bootstrap),
        slices=measure_slices(scored, with_score, level, columns),
        length=measure_length_bias(scored, n_clips),
        timeline=_timeline(output, videos, bootstrap),
        notes=(
            *selection_notes(videos.selection, len(videos.reported)),
            *leak_notes(leaks),
            *_notes(scored, fit, split),
        ),
        baselines=_baselines(output, scored, with_score, videos, thresholds, level),
        contrasts=measure_contrasts(output, with_score, videos.fitting, FIT_ON, level)
        if videos.is_of_verdicts
        else (),
        leaks=leaks,
    )
    return mark_selection(found, videos.selection, videos.reported, all_reported)


def _timeline(output: ScoredOutput, videos: _Videos, bootstrap: Bootstrap) -> Timeline | None:
    def marked(some: list[Row]) -> MarkedClips | None:
        rows = [output.rows.get(video["video_id"]) for video in some]
        return marked_clips(some, rows, output.predictions(some).participant)

    reported, fit = marked(videos.reported), marked(videos.fitting)
    if reported is None:
        return None
    of_val = fit.clips if fit is not None and fit.clips.has_both_labels else None
    calibration = compare_scalings(reported.clips, of_val, FIT_ON, bootstrap)
    return measure_timeline(reported, calibration, bootstrap.level)


def _baselines(
    output: ScoredOutput,
    scored: Predictions,
    with_score: list[Row],
    videos: _Videos,
    thresholds: Sequence[AtThreshold],
    level: float,
) -> Baselines | None:
    fitted_on, fitting = videos.baseline
    if not fitting:
        return None
    fitted = [each.threshold for each in thresholds if each.how == Threshold.MACRO_F1]
    reported, fit = (
        KnownFacts.of(
            some, columns_of([QUESTION], some, output.rows).get(QUESTION, [None] * len(some))
        )
        for some in (with_score, fitting)
    )
    return compare_with_baselines(
        scored, reported, fit, fitted_on, threshold=fitted[0] if fitted else None, level=level
    )


def find_columns(
    output: ScoredOutput, videos: Sequence[Row], group_by: Sequence[str]
) -> dict[str, list[str | None]]:
    """Return the columns [n] to form groups of n videos by: the question, and those that are asked.

    Raise ConfigError if one of `group_by` is not known.
    """
    columns = columns_of(dict.fromkeys((QUESTION, *group_by)), videos, output.rows)
    for name in group_by:
        if name not in columns:
            raise ConfigError(
                f"--group-by {name}: neither the rows of {output.out} nor the labels know it; name "
                "a column of the manifest or of the labels"
            )
    return columns


def join_column(output: ScoredOutput, name: str) -> str:
    """Return the values that the rows have in a column, for people: `model-a, model-b`."""
    return ", ".join(sorted({str(row[name]) for row in output.rows.values()}))


def _unscored(output: ScoredOutput, reported: list[Row]) -> Unscored:
    reasons = [(output.reason(video["video_id"]), video["label"]) for video in reported]
    found = [(reason, label) for reason, label in reasons if reason is not None]
    return Unscored(
        n_videos=len(found),
        n_ah=sum(label for _, label in found),
        by_reason=dict(sorted(Counter(reason for reason, _ in found).items())),
    )


def _notes(scored: Predictions, fit: Predictions | None, split: str) -> list[str]:
    notes = describe_split(split, scored.n_participants)
    if not scored.has_both_labels:
        notes.append("all these videos have the same label, so most measures are not defined")
    if split in (ALL, FIT_ON):
        notes.append(f"nothing is fitted, because {FIT_ON} itself is reported")
    elif fit is None:
        notes.append(f"nothing is fitted: {FIT_ON} has no scored videos, or not of both labels")
    elif fit.n_participants < MIN_PARTICIPANTS:
        notes.append(
            f"{FIT_ON} has {format_count(fit.n_participants, 'participant')}: thresholds and "
            "scalings that are fitted to so few may not hold"
        )
    return notes


def _comparisons(
    outputs: Sequence[ScoredOutput], reported: list[Row], level: float
) -> tuple[Comparison, ...]:
    pairs = list(combinations(outputs, 2))
    for a, b in pairs:
        check_same_content(a, b)
    found = (
        compare(a.predictions(reported), b.predictions(reported), names=(a.out, b.out), level=level)
        for a, b in pairs
    )
    return tuple(each for each in found if each is not None)
