"""An evaluation as a person reads it on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from ah_ray.study.evaluation.bootstrap import MIN_PARTICIPANTS, Estimate
from ah_ray.study.evaluation.contents import Comparison, Evaluation, OutputEvaluation

_MEASURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "f1_ah": "F1 of A/H",
    "f1_not_ah": "F1 of not A/H",
    "precision_ah": "precision of A/H",
    "recall_ah": "recall of A/H",
    "average_precision": "average precision",
    "average_precision_1000": "the same, 1,000 thresholds",
}
_FEW = f"under {MIN_PARTICIPANTS}: too few"


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """All that can be said in words and short tables; the rest is in metrics.json."""
    labels = evaluation.labels
    _say(
        console,
        f"{labels.split}: {labels.n_videos:,} labelled videos of {labels.n_participants:,} "
        f"participants, {labels.n_ah:,} of them A/H. In brackets: {evaluation.bootstrap.level:.0%} "
        f"intervals, by {evaluation.bootstrap.draws:,} draws of participants.",
    )
    for output in evaluation.outputs:
        _print_output(console, output)
    for comparison in evaluation.comparisons:
        _print_comparison(console, comparison)
    _say(
        console,
        "\nFigures of other data, splits or participants are not comparable with these.\n",
    )


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def _print_output(console: Console, output: OutputEvaluation) -> None:
    calibrated = output.calibration_fingerprint
    _say(
        console,
        f"\n{output.out}\nmodel {output.model}, profile {output.profile}; {output.reducer}, "
        f"threshold {output.threshold:g}" + (f", calibration {calibrated}" if calibrated else ""),
    )
    for note in output.notes:
        _say(console, f"Note: {note}.")
    for line in _unscored(output):
        _say(console, line)
    for title, columns, rows in _tables(output):
        _say(console, f"\n{title}")
        console.print(_table(columns, rows))
    for line in _length(output):
        _say(console, line)


def _unscored(output: OutputEvaluation) -> Iterator[str]:
    unscored = output.unscored
    if unscored.n_videos:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in unscored.by_reason.items())
        yield (f"{unscored.n_videos:,} have no verdict, {unscored.n_ah:,} of them A/H: {reasons}.")
    found = output.scored.confusion
    yield (
        f"Of {output.scored.n_ah:,} A/H videos {found.tp:,} are a Yes and {found.fn:,} a No; "
        f"of {found.fp + found.tn:,} others {found.fp:,} are a Yes and {found.tn:,} a No."
    )


def _tables(output: OutputEvaluation) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    both = (output.scored, output.counted_wrong) if output.unscored.n_videos else (output.scored,)
    yield (
        "Verdicts as they stand",
        ("<", "of scored videos", "unscored counted wrong")[: len(both) + 1],
        [
            [text, *(_estimate(getattr(each, name)) for each in both)]
            for name, text in _MEASURES.items()
        ],
    )
    yield (
        "Reducers, without calibration; macro-F1 at 0.5, and at the threshold fitted on val",
        ("<", "on val", "from", "macro-F1", "at 0.5", "AP", "length"),
        [
            [
                each.reducer,
                _number(each.on_val and each.on_val.macro_f1.value),
                _number(each.threshold),
                _estimate(each.fitted and each.fitted.macro_f1),
                _number(each.at_half.macro_f1.value),
                _number(each.at_half.average_precision.value),
                _number(each.length_correlation),
            ]
            for each in output.reducers
        ],
    )
    yield (
        "Thresholds, as it is and fitted on val",
        ("<", "from", "macro-F1", "precision", "recall"),
        [
            [
                each.how,
                _number(each.threshold),
                _estimate(each.measures.macro_f1),
                _number(each.measures.precision_ah.value),
                _number(each.measures.recall_ah.value),
            ]
            for each in output.thresholds
        ],
    )
    yield (
        "Calibration, as it is and scaled by what was fitted on val",
        ("<", "slope", "intercept", "ECE", "Brier", "log loss"),
        [
            [
                each.scaling_by,
                _number(each.slope),
                _number(each.intercept),
                _number(each.ece),
                _estimate(each.brier),
                _number(each.log_loss.value),
            ]
            for each in output.calibration
        ],
    )
    yield (
        "Slices",
        ("<", "<", "people", "videos", "A/H", "macro-F1", "recall"),
        [
            [
                each.by,
                each.group,
                f"{each.n_participants:,}",
                f"{each.n_videos:,}",
                "" if each.n_ah is None else f"{each.n_ah:,}",
                _estimate(each.measures.macro_f1) if each.measures else _FEW,
                _number(each.measures.recall_ah.value) if each.measures else "",
            ]
            for each in output.slices
        ],
    )
    yield (
        "Length of videos, in clips",
        ("clips", "videos", "A/H", "share of Yes", "of those not A/H"),
        [
            [
                _span(each.low, each.high),
                f"{each.n_videos:,}",
                f"{each.n_ah:,}",
                _number(each.share_yes),
                _number(each.share_yes_of_not_ah),
            ]
            for each in output.length.bands
        ],
    )


def _length(output: OutputEvaluation) -> Iterator[str]:
    yield (
        "Rank correlation of the number of clips with p_ah over videos that are not A/H: "
        f"{_number(output.length.rank_correlation)} (0 is no bias); with the label over all: "
        f"{_number(output.length.of_labels)}.\n"
    )
    found = output.timeline
    if found is None:
        yield "Timelines: no labels say when."
        return
    yield (
        f"Timelines of {found.n_videos:,} videos, {found.n_ah_clips:,} of {found.n_clips:,} clips "
        f"A/H: average precision {_estimate(found.average_precision)}; of {found.marked_s:,.0f} s "
        f"marked and {found.yes_s:,.0f} s of Yes, {found.both_s:,.0f} s are both: overlap (IoU) "
        f"{_estimate(found.iou)}, precision {_estimate(found.precision_s)}, recall "
        f"{_estimate(found.recall_s)}."
    )


def _print_comparison(console: Console, found: Comparison) -> None:
    _say(console, f"\n{found.second} less {found.first}, on {found.n_videos:,} videos of both:")
    rows = [
        [_MEASURES[name], _estimate(getattr(found, name), "+.3f")]
        for name in ("accuracy", "macro_f1", "average_precision")
    ]
    console.print(_table(("<", "difference"), rows))
    _say(
        console,
        f"Right in the first alone: {found.only_first_right:,}; in the second alone: "
        f"{found.only_second_right:,}; McNemar's exact p {found.mcnemar_p:.3g}.",
    )


def _table(columns: Sequence[str], rows: list[list[str]]) -> Table:
    """Columns of numbers are flush right; of texts, whose names begin with `<`, left."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        is_text = name.startswith("<")
        table.add_column(
            name.lstrip("<"), justify="left" if is_text else "right", no_wrap=not is_text
        )
    for row in rows:
        table.add_row(*row)
    return table


def _estimate(found: Estimate | None, form: str = ".3f") -> str:
    if found is None or found.value is None:
        return "–"
    if found.low is None:
        return f"{found.value:{form}}"
    return f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _span(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} and more"
    return str(low) if high == low else f"{low}–{high}"
