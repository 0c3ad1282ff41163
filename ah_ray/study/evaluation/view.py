"""An evaluation as a person reads it on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from ah_ray.screen import print_table, say
from ah_ray.study.evaluation.bootstrap import MIN_PARTICIPANTS
from ah_ray.study.evaluation.contents import Comparison, Evaluation, OutputEvaluation
from ah_ray.study.evaluation.view_tables import differences, estimate, number, tables
from ah_ray.units import counted


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """All that can be said in words and short tables; the rest is in metrics.json."""
    say(console, _labels(evaluation))
    for output in evaluation.outputs:
        _print_output(console, output)
    for comparison in evaluation.comparisons:
        _print_comparison(console, comparison)
    say(console, "")
    say(console, "Figures of other data, splits or participants are not comparable with these.", "")


def _labels(evaluation: Evaluation) -> str:
    labels, bootstrap = evaluation.labels, evaluation.bootstrap
    text = (
        f"{labels.split}: {counted(labels.n_videos, 'labelled video')} of "
        f"{counted(labels.n_participants, 'participant')}, {labels.n_ah:,} of them A/H."
    )
    if labels.n_participants >= MIN_PARTICIPANTS:
        text += (
            f" In brackets: {bootstrap.level:.0%} intervals, by {bootstrap.draws:,} draws of "
            "participants."
        )
    return text


def _print_output(console: Console, output: OutputEvaluation) -> None:
    calibrated = output.calibration_fingerprint
    say(console, "", output.out)
    say(
        console,
        f"model {output.model}, profile {output.profile}; {output.reducer}, "
        f"threshold {output.threshold:g}" + (f", calibration {calibrated}" if calibrated else ""),
        *(f"Note: {note}." for note in output.notes),
        *_unscored(output),
    )
    for title, columns, rows in tables(output):
        say(console, "", title)
        print_table(console, columns, rows)
    say(console, *_length(output), *_timeline(output))


def _unscored(output: OutputEvaluation) -> Iterator[str]:
    unscored = output.unscored
    if unscored.n_videos:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in unscored.by_reason.items())
        has = "has" if unscored.n_videos == 1 else "have"
        yield f"{unscored.n_videos:,} {has} no verdict, {unscored.n_ah:,} of them A/H: {reasons}."
    found = output.scored.confusion
    yield (
        f"Of {counted(output.scored.n_ah, 'A/H video')} {found.tp:,} "
        f"{_is(found.tp)} a Yes and {found.fn:,} a No; of {counted(found.fp + found.tn, 'other')} "
        f"{found.fp:,} {_is(found.fp)} a Yes and {found.tn:,} a No."
    )


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def _length(output: OutputEvaluation) -> Iterator[str]:
    yield (
        "Rank correlation of the number of clips with p_ah over videos that are not A/H: "
        f"{number(output.length.rank_correlation)} (0 is no bias); with the label over all: "
        f"{number(output.length.of_labels)}."
    )
    yield ""


def _timeline(output: OutputEvaluation) -> Iterator[str]:
    found = output.timeline
    if found is None:
        yield "Timelines: no labels say when."
        return
    yield (
        f"Timelines of {counted(found.n_videos, 'video')}, {found.n_ah_clips:,} of "
        f"{counted(found.n_clips, 'clip')} A/H: average precision "
        f"{estimate(found.average_precision)}; of {found.marked_s:,.0f} s "
        f"marked and {found.yes_s:,.0f} s of Yes, {found.both_s:,.0f} s are both: overlap (IoU) "
        f"{estimate(found.iou)}, precision {estimate(found.precision_s)}, recall "
        f"{estimate(found.recall_s)}."
    )


def _print_comparison(console: Console, found: Comparison) -> None:
    both = counted(found.n_videos, "video")
    say(console, "", f"{found.second} less {found.first}, on {both} of both:")
    print_table(console, *differences(found))
    say(
        console,
        f"Right in the first alone: {found.only_first_right:,}; in the second alone: "
        f"{found.only_second_right:,}; McNemar's exact p {_p(found.mcnemar_p)}.",
    )


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
