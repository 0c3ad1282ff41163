"""Print an evaluation on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from ah_ray.cli.screen import print_table, say
from ah_ray.study.evaluation.figures.estimate import FEWEST_PEOPLE, WIDEST
from ah_ray.study.evaluation.schema import (
    Baselines,
    Comparison,
    Evaluation,
    Labels,
    OutputEvaluation,
)
from ah_ray.study.evaluation.validity.leaks import Leak
from ah_ray.study.evaluation.validity.view import print_analysis
from ah_ray.study.evaluation.view.answers import (
    print_answers,
    print_clips,
    print_contrasts,
    print_gain_of_answers,
)
from ah_ray.study.evaluation.view.tables import differences, list_tables
from ah_ray.study.evaluation.view.text import (
    TOO_FEW,
    format_counts,
    format_estimate,
    format_number,
)
from ah_ray.units import format_count


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Print what fits into words and short tables; the rest is in metrics.json."""
    say(console, _labels(evaluation))
    if evaluation.analysis is not None:
        asked = None if evaluation.question is None else evaluation.question.name
        print_analysis(console, evaluation.analysis, evaluation.construct, asked)
    for output in evaluation.outputs:
        _print_output(console, output, mark_of(evaluation.labels, output.leaks), evaluation)
        if evaluation.question is not None and output.clips is not None:
            print_clips(console, output.clips, evaluation.question)
    if evaluation.question is not None:
        for answers in evaluation.answers:
            mark = mark_of(evaluation.labels, answers.leaks)
            print_answers(console, answers, evaluation.question, mark)
        for gain in evaluation.answer_comparisons:
            print_gain_of_answers(console, gain, _mark(evaluation.labels))
    for comparison in evaluation.comparisons:
        _print_comparison(console, comparison, _mark(evaluation.labels))
    say(console, "")
    say(console, "Figures of other data, splits or participants are not comparable with these.", "")


def _labels(evaluation: Evaluation) -> str:
    labels, bootstrap = evaluation.labels, evaluation.bootstrap
    text = (
        f"{labels.split}: {format_count(labels.n_videos, 'labelled video')} of "
        f"{format_count(labels.n_participants, 'participant')}"
    )
    if evaluation.question is not None and not evaluation.outputs:
        text += f". {evaluation.question.name}: "
        text += ", ".join(f"{n:,} {answer}" for answer, n in (labels.by_answer or {}).items()) + "."
    else:
        text += f", {labels.n_ah or 0:,} of them {evaluation.construct}."
    if not labels.participants_known:
        text += " Their participants are unknown, so each video counts as a person."
    if labels.n_participants >= FEWEST_PEOPLE:
        text += (
            f" In brackets: {bootstrap.level:.0%} intervals over participants; a ? marks what is "
            f"{TOO_FEW}: fewer than {FEWEST_PEOPLE} people, or an interval wider than {WIDEST:g}."
        )
    return text


def mark_of(labels: Labels, leaks: Sequence[Leak]) -> str:
    """Return what stands behind every title: the videos or people that the figures describe."""
    return _mark(labels, *(["of people that it knows"] if leaks else []))


def _mark(labels: Labels, *more: str) -> str:
    marks = [labels.selection.mark] if labels.selection is not None else []
    marks += more
    return f" ({', '.join(marks)})" if marks else ""


def _print_output(
    console: Console, output: OutputEvaluation, mark: str, evaluation: Evaluation
) -> None:
    construct, question = evaluation.construct, evaluation.question
    calibrated = output.calibration_fingerprint
    say(console, "", output.out)
    say(
        console,
        f"model {output.model}, profile {output.profile}; "
        + (f"question {question.name}, " if question else "")
        + f"{output.reducer}, threshold {output.threshold:g}"
        + (f", calibration {calibrated}" if calibrated else ""),
        *(f"Note: {note}." for note in output.notes),
        *_unscored(output, mark, construct),
    )
    for title, columns, rows in list_tables(output, construct):
        if not rows:
            continue
        if question is not None:
            title = title.replace("Verdicts", "Answers")
        say(console, "", title + mark)
        print_table(console, columns, rows)
    if not output.slices:
        return  # a draw: the other parts have no figures
    say(
        console,
        "Compare groups by sensitivity and specificity: macro-F1, PPV and NPV also differ where "
        f"only the share of {construct} does, so they are no measures of fairness.",
    )
    say(console, *_length(output, construct), *_timeline(output, construct))
    if output.contrasts:
        print_contrasts(console, output.contrasts, mark)
    if output.baselines is not None:
        _print_gain(console, output.baselines)


def _unscored(output: OutputEvaluation, mark: str, construct: str) -> Iterator[str]:
    unscored = output.unscored
    if unscored.n_videos:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in unscored.by_reason.items())
        has = "has" if unscored.n_videos == 1 else "have"
        yield (
            f"{unscored.n_videos:,} {has} no verdict, {unscored.n_ah:,} of them {construct}: "
            f"{reasons}."
        )
    found = output.scored.confusion
    yield (
        f"Of {format_count(output.scored.n_ah, f'{construct} video')} {found.tp:,} "
        f"{_is(found.tp)} a Yes and {found.fn:,} a No; of "
        f"{format_count(found.fp + found.tn, 'other')} "
        f"{found.fp:,} {_is(found.fp)} a Yes and {found.tn:,} a No{mark}."
    )


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def _print_gain(console: Console, found: Baselines) -> None:
    say(console, "", f"Gain of the model over the best baseline ({found.best})")
    columns, rows = differences(found.gain)
    if found.gain_at_fitted is not None:
        at_fitted = differences(found.gain_at_fitted)[1]
        columns = ("<", "as it stands", "at the fitted threshold")
        rows = [[*row, also[1]] for row, also in zip(rows, at_fitted, strict=True)]
    print_table(console, columns, rows)
    gains = [found.gain, *([found.gain_at_fitted] if found.gain_at_fitted else [])]
    if not any(
        each.macro_f1.is_above_zero or each.average_precision.is_above_zero for each in gains
    ):
        say(console, "These figures show no gain over what needs neither picture nor sound.")
    within = found.within_question
    if within is not None:
        say(
            console,
            f"Within questions (means over {within.n_questions}): macro-F1 "
            f"{format_estimate(within.macro_f1)} ({format_counts(within.macro_f1)}), average "
            f"precision {format_number(within.average_precision)}, AUROC "
            f"{format_number(within.auroc)}.",
        )


def _length(output: OutputEvaluation, construct: str) -> Iterator[str]:
    yield (
        f"Rank correlation of the number of clips with p_ah over videos that are not {construct}: "
        f"{format_number(output.length.rank_correlation)} (0 is no bias); with the label over all: "
        f"{format_number(output.length.of_labels)}."
    )
    yield ""


def _timeline(output: OutputEvaluation, construct: str) -> Iterator[str]:
    found = output.timeline
    if found is None:
        if output.clips is None:
            yield f"Timelines: no label says when in a video {construct} occurs."
        return
    yield (
        f"Timelines of {format_count(found.n_videos, 'video')}, {found.n_ah_clips:,} of "
        f"{format_count(found.n_clips, 'clip')} {construct}: average precision "
        f"{format_estimate(found.average_precision)}; of {found.marked_s:,.0f} s "
        f"marked and {found.yes_s:,.0f} s of Yes, {found.both_s:,.0f} s are both: overlap (IoU) "
        f"{format_estimate(found.iou)}, precision {format_estimate(found.precision_s)}, recall "
        f"{format_estimate(found.recall_s)}."
    )


def _print_comparison(console: Console, found: Comparison, mark: str) -> None:
    both = format_count(found.n_videos, "video")
    say(console, "", f"{found.second} less {found.first}, on {both} of both{mark}:")
    print_table(console, *differences(found))
    say(
        console,
        f"Right only in the first: {found.only_first_right:,}; only in the second: "
        f"{found.only_second_right:,}; McNemar's exact p {_p(found.mcnemar_p)}.",
    )


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
