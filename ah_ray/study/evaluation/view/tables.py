"""The tables of an evaluation as texts: title, columns (as screen.print_table has them), rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ah_ray.study.evaluation.figures.slices import MIN_PARTICIPANTS
from ah_ray.study.evaluation.reported_videos import FIT_ON
from ah_ray.study.evaluation.schema import (
    Baselines,
    Calibrated,
    Comparison,
    OutputEvaluation,
    Slice,
)
from ah_ray.study.evaluation.view.text import (
    format_counts,
    format_estimate,
    format_number,
    format_threshold,
    name_measures,
)

_FEW = f"under {MIN_PARTICIPANTS}: too few"
Table = tuple[str, tuple[str, ...], list[list[str]]]


def list_tables(output: OutputEvaluation, construct: str) -> Iterator[Table]:
    """Yield all tables of one output, in the order in which they are read."""
    yield _verdicts(output, construct)
    if output.baselines is not None:
        yield _baselines(output, output.baselines)
    yield _reducers(output)
    yield _thresholds(output)
    if output.calibration:  # there is none of a draw
        yield _calibration("Calibration of videos", output.calibration)
        yield _calibration_curve(output, construct)
    if output.timeline is not None and output.timeline.calibration:
        yield _calibration("Calibration of clips", output.timeline.calibration)
    yield _groups(output, construct)
    yield _group_values(output, construct)
    yield _group_differences(output)
    yield _lengths(output, construct)


def _verdicts(output: OutputEvaluation, construct: str) -> Table:
    columns = ["<", "of scored videos"]
    if output.unscored.n_videos:
        columns.append("unscored counted wrong")
    columns.append("<videos")
    rows = []
    for name, text in name_measures(construct).items():
        found = getattr(output.scored, name)
        row = [text, format_estimate(found)]
        if output.unscored.n_videos:
            row.append(format_estimate(getattr(output.counted_wrong, name)))
        rows.append([*row, format_counts(found)])
    return "Verdicts as they stand", tuple(columns), rows


def _baselines(output: OutputEvaluation, found: Baselines) -> Table:
    rows = [
        [
            each.name,
            format_estimate(each.measures.macro_f1),
            format_estimate(each.measures.accuracy),
            format_number(each.measures.average_precision.value),
            format_number(each.measures.auroc.value),
        ]
        for each in found.each
    ]
    model = output.scored
    rows.append(
        [
            "the model",
            format_estimate(model.macro_f1),
            format_estimate(model.accuracy),
            format_number(model.average_precision.value),
            format_number(model.auroc.value),
        ]
    )
    return (
        f"Baselines without picture or sound, fitted on {found.fitted_on}",
        ("<", "macro-F1", "accuracy", "AP", "AUROC"),
        rows,
    )


def _reducers(output: OutputEvaluation) -> Table:
    rows = [
        [
            each.reducer,
            format_number(None if each.on_val is None else each.on_val.macro_f1.value),
            format_threshold(each.threshold),
            format_estimate(None if each.fitted is None else each.fitted.macro_f1),
            format_number(each.at_half.macro_f1.value),
            format_number(each.at_half.average_precision.value),
            format_number(each.length_correlation),
        ]
        for each in output.reducers
    ]
    is_fitted = any(each.threshold is not None for each in output.reducers)
    also = f", and at the threshold fitted on {FIT_ON}" if is_fitted else ""
    return (
        "Reducers, without calibration; macro-F1 at 0.5" + also,
        ("<", "on val", "from", "macro-F1", "at 0.5", "AP", "length"),
        rows,
    )


def _thresholds(output: OutputEvaluation) -> Table:
    rows = [
        [
            each.how,
            format_threshold(each.threshold),
            format_estimate(each.measures.macro_f1),
            format_number(each.measures.precision_ah.value),
            format_number(each.measures.recall_ah.value),
            format_number(each.measures.specificity.value),
        ]
        for each in output.thresholds
    ]
    fitted = _fitted_words(each.fitted_on for each in output.thresholds)
    return (
        "Thresholds, as it is" + fitted,
        ("<", "from", "macro-F1", "precision", "recall", "specificity"),
        rows,
    )


def _calibration(title: str, found: Iterable[Calibrated]) -> Table:
    found = list(found)
    rows = [
        [
            each.scaling_by,
            format_number(each.slope),
            format_number(each.intercept),
            format_number(each.ece),
            format_number(each.ece_if_perfect),
            format_estimate(each.in_the_large, "+.3f"),
            format_estimate(each.brier),
            format_number(each.log_loss.value),
        ]
        for each in found
    ]
    columns = ("<", "slope", "intercept", "ECE", "if perfect", "in the large", "Brier", "log loss")
    fitted = _fitted_words(each.fitted_on for each in found)
    return f"{title}, as they are{fitted}", columns, rows


def _calibration_curve(output: OutputEvaluation, construct: str) -> Table:
    rows = []
    for each in output.calibration[0].reliability:
        interval = ""
        if each.share_low is not None and each.share_high is not None:
            interval = f" [{each.share_low:.3f}, {each.share_high:.3f}]"
        rows.append(
            [
                f"{each.low:.3f}–{each.high:.3f}",
                f"{each.n:,}",
                format_number(each.mean_p),
                f"{each.share_ah:.3f}{interval}",
            ]
        )
    return "Calibration curve of scores as they are", ("<p_ah", "videos", "mean", construct), rows


def _fitted_words(fitted_on: Iterable[str | None]) -> str:
    return f" and fitted on {FIT_ON}" if any(fitted_on) else ""


def _groups(output: OutputEvaluation, construct: str) -> Table:
    names = ("recall_ah", "specificity", "rate_of_yes")
    rows = [[*_group_counts(each), *_group_figures(each, names)] for each in output.slices]
    columns = ("<", "<", "people", construct, "others", "sensitivity", "specificity", "rate of Yes")
    return "Groups", columns, rows


def _group_values(output: OutputEvaluation, construct: str) -> Table:
    rows = [
        [
            each.by,
            each.group,
            *_group_figures(each, ("precision_ah", "npv")),
            format_estimate(each.in_the_large, "+.2f"),
        ]
        for each in output.slices
        if each.measures is not None
    ]
    columns = ("<", "<", "PPV", "NPV", "in the large")
    return f"Groups: predictive values, and mean p_ah less the share of {construct}", columns, rows


def _group_counts(group: Slice) -> list[str]:
    counts = (group.n_participants, group.n_ah, group.n_not_ah)
    return [group.by, group.group, *("" if n is None else f"{n:,}" for n in counts)]


def _group_figures(group: Slice, names: tuple[str, ...]) -> list[str]:
    if group.measures is None:
        return [_FEW, *[""] * (len(names) - 1)]
    return [format_estimate(getattr(group.measures, name), ".2f") for name in names]


def _group_differences(output: OutputEvaluation) -> Table:
    names = ("recall_ah", "specificity", "precision_ah", "npv", "rate_of_yes", "in_the_large")
    rows = [
        [
            each.by,
            each.group,
            *(format_estimate(getattr(each.from_the_rest, name), "+.2f") for name in names),
        ]
        for each in output.slices
        if each.from_the_rest is not None
    ]
    columns = (
        "<", "<", "sensitivity", "specificity", "PPV", "NPV", "rate of Yes", "in the large",
    )  # fmt: skip
    return "Groups less all other videos", columns, rows


def _lengths(output: OutputEvaluation, construct: str) -> Table:
    rows = [
        [
            _span(each.low, each.high),
            f"{each.n_videos:,}",
            f"{each.n_ah:,}",
            format_number(each.share_yes),
            format_number(each.share_yes_of_not_ah),
        ]
        for each in output.length.bands
    ]
    columns = ("clips", "videos", construct, "share of Yes", f"of those not {construct}")
    return "Length of videos, in clips", columns, rows


def differences(found: Comparison) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return columns and rows of the differences between two outputs."""
    rows = [
        [name_measures()[name], format_estimate(getattr(found, name), "+.3f")]
        for name in ("accuracy", "macro_f1", "average_precision")
    ]
    return ("<", "difference"), rows


def _span(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} and more"
    return str(low) if high == low else f"{low}–{high}"
