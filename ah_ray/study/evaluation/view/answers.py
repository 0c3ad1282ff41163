"""Print the figures of further questions, and of contrasts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from ah_ray.cli.screen import print_table, say
from ah_ray.study.evaluation.answers.schema import (
    AnsweredClips,
    AnswerFigures,
    AnswerGain,
    AnswersEvaluation,
    ContrastFigures,
    ContrastScores,
    JudgedQuestion,
    Majority,
)
from ah_ray.study.evaluation.figures.slices import MIN_PARTICIPANTS
from ah_ray.study.evaluation.view.text import (
    SCALE_NAMES,
    format_counts,
    format_estimate,
    name_measures,
)
from ah_ray.units import format_count


def print_answers(
    console: Console, found: AnswersEvaluation, question: JudgedQuestion, mark: str
) -> None:
    """Print the figures of one output whose question has several answers."""
    say(console, "", found.out)
    say(
        console,
        f"model {found.model}, profile {found.profile}; question {question.name} "
        f"({', '.join(question.answers)}), {found.reducer} of the clips",
        *(f"Note: {note}." for note in found.notes),
    )
    if found.n_without_answer:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in found.without_answer.items())
        has = "has" if found.n_without_answer == 1 else "have"
        say(console, f"{found.n_without_answer:,} {has} no answer: {reasons}.")
    if found.scored is None:
        say(console, "No label is about a whole video: only clips are measured.")
    else:
        wrong = found.counted_wrong if found.n_without_answer else None
        _print_figures(console, "Answers of videos" + mark, found.scored, question, wrong)
        if found.majority is not None:
            _print_majority(console, found.majority)
        _print_groups(console, found, mark)
    if found.clips is not None:
        print_clips(console, found.clips, question)


def _print_figures(
    console: Console,
    title: str,
    found: AnswerFigures,
    question: JudgedQuestion,
    counted_wrong: AnswerFigures | None = None,
    what: str = "videos",
) -> None:
    say(console, "", title)
    estimates = {"accuracy": found.accuracy, "macro-F1": found.macro_f1}
    for name, text in SCALE_NAMES.items() if found.scale is not None else ():
        estimates[text] = getattr(found.scale, name)
    rows = [[text, format_estimate(one), format_counts(one)] for text, one in estimates.items()]
    print_table(console, ("<", f"of answered {what}", f"<{what}"), rows)
    if counted_wrong is not None:
        say(
            console,
            f"With unanswered {what} counted as wrong: accuracy "
            f"{format_estimate(counted_wrong.accuracy)}, macro-F1 "
            f"{format_estimate(counted_wrong.macro_f1)}.",
        )
    rows = [
        [
            one.answer,
            f"{one.support:,}",
            *(format_estimate(each, ".2f") for each in (one.precision, one.recall, one.f1)),
        ]
        for one in found.classes
    ]
    say(console, "")
    print_table(console, ("<answer", "labelled", "precision", "recall", "F1"), rows)
    rows = [
        [answer, *(f"{n:,}" for n in row[:-1])]
        for answer, row in zip(question.answers, found.confusion, strict=True)
    ]
    say(console, "", "Confusion: labels in rows, answers in columns")
    print_table(console, ("<", *question.answers), rows)


def _print_majority(console: Console, found: Majority) -> None:
    say(
        console,
        "",
        f"Always answering {found.answer}, the most frequent label of {found.fitted_on}",
    )
    rows = [
        [text, format_estimate(getattr(found, name)), format_estimate(gain, "+.3f")]
        for name, text, gain in (
            ("accuracy", "accuracy", found.gain.accuracy),
            ("macro_f1", "macro-F1", found.gain.macro_f1),
        )
    ]
    print_table(console, ("<", f"always {found.answer}", "gain of the model"), rows)
    if not (found.gain.accuracy.is_above_zero or found.gain.macro_f1.is_above_zero):
        say(console, "These figures show no gain over that answer.")


def _print_groups(console: Console, found: AnswersEvaluation, mark: str) -> None:
    few = f"under {MIN_PARTICIPANTS}: too few"
    rows = [
        [
            one.by,
            one.group,
            "" if one.accuracy is None else f"{one.n_participants:,}",
            few if one.accuracy is None else format_estimate(one.accuracy, ".2f"),
            "" if one.accuracy is None else format_estimate(one.macro_f1, ".2f"),
        ]
        for one in found.groups
    ]
    if rows:
        say(console, "", "Groups" + mark)
        print_table(console, ("<", "<", "people", "accuracy", "macro-F1"), rows)


def print_clips(console: Console, found: AnsweredClips, question: JudgedQuestion) -> None:
    """Print the figures of labelled clips."""
    title = (
        f"Answers of {format_count(found.figures.n, 'labelled clip')} in "
        f"{format_count(found.n_videos, 'video')}"
    )
    if found.scores is None:
        _print_figures(console, title, found.figures, question, what="clips")
        return
    rows = [
        [text, format_estimate(one), format_counts(one)]
        for name, text in name_measures(question.construct).items()
        for one in (getattr(found.scores, name),)
    ]
    say(console, "", title)
    print_table(console, ("<", "of clips, at 0.5", "<clips"), rows)


def print_gain_of_answers(console: Console, found: AnswerGain, mark: str) -> None:
    """Print one output less another."""
    both = format_count(found.n_videos, "video")
    say(console, "", f"{found.second} less {found.first}, on {both} of both{mark}:")
    rows = [
        ["accuracy", format_estimate(found.accuracy, "+.3f")],
        ["macro-F1", format_estimate(found.macro_f1, "+.3f")],
    ]
    print_table(console, ("<", "difference"), rows)


def print_contrasts(console: Console, found: Sequence[ContrastFigures], mark: str) -> None:
    """Print what contrasts are worth as scores, of videos and of clips."""
    levels: dict[str, list[ContrastScores | None]] = {
        "videos": [one.videos for one in found],
        "clips": [one.clips for one in found],
    }
    for level, scores in levels.items():
        rows = [
            row
            for one, of_level in zip(found, scores, strict=True)
            if of_level is not None
            for row in _contrast_rows(one.contrast, of_level)
        ]
        if rows:
            how = f"reduced by {found[0].reducer}" if level == "videos" else "clip by clip"
            say(console, "", f"Contrasts as scores of {level}, {how}{mark}")
            print_table(console, ("<", "<", "average precision", "AUROC"), rows)
    fitted = {one.videos.fitted_on for one in found} - {None}
    if fitted:
        say(
            console,
            "less p_ah: the contrast less the score itself. added: what the contrast adds to p_ah "
            f"in a logistic model of both, fitted on {fitted.pop()}.",
        )
    else:
        say(console, "less p_ah: the contrast less the score itself.")


def _contrast_rows(name: str, found: ContrastScores) -> list[list[str]]:
    rows = [[name, "alone", format_estimate(found.average_precision), format_estimate(found.auroc)]]
    for text, gain in (("less p_ah", found.less_p_ah), ("added", found.added)):
        if gain is not None:
            estimates = (gain.average_precision, gain.auroc)
            rows.append(["", text, *(format_estimate(one, "+.3f") for one in estimates)])
    return rows
