"""The tables of an evaluation as texts: title, columns (as screen.print_table has them), rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ah_ray.study.evaluation.bootstrap import MIN_PARTICIPANTS, Estimate
from ah_ray.study.evaluation.contents import Comparison, OutputEvaluation
from ah_ray.study.evaluation.evaluate import FIT_ON

MEASURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "f1_ah": "F1 of A/H",
    "f1_not_ah": "F1 of not A/H",
    "precision_ah": "precision of A/H",
    "recall_ah": "recall of A/H",
    "average_precision": "average precision",
    "average_precision_1000": "area over 1,000 thresholds",
}
_FEW = f"under {MIN_PARTICIPANTS}: too few"
Table = tuple[str, tuple[str, ...], list[list[str]]]


def tables(output: OutputEvaluation) -> Iterator[Table]:
    """All of one output, in the order in which they are read."""
    yield _verdicts(output)
    yield _reducers(output)
    yield _thresholds(output)
    yield _calibration(output)
    yield _slices(output)
    yield _lengths(output)


def _verdicts(output: OutputEvaluation) -> Table:
    both = (output.scored, output.counted_wrong) if output.unscored.n_videos else (output.scored,)
    rows = [
        [text, *(estimate(getattr(each, name)) for each in both)] for name, text in MEASURES.items()
    ]
    columns = ("<", "of scored videos", "unscored counted wrong")[: len(both) + 1]
    return "Verdicts as they stand", columns, rows


def _reducers(output: OutputEvaluation) -> Table:
    rows = [
        [
            each.reducer,
            number(each.on_val and each.on_val.macro_f1.value),
            number(each.threshold),
            estimate(each.fitted and each.fitted.macro_f1),
            number(each.at_half.macro_f1.value),
            number(each.at_half.average_precision.value),
            number(each.length_correlation),
        ]
        for each in output.reducers
    ]
    return (
        "Reducers, without calibration; macro-F1 at 0.5" + _and_at_a_fitted_one(output),
        ("<", "on val", "from", "macro-F1", "at 0.5", "AP", "length"),
        rows,
    )


def _and_at_a_fitted_one(output: OutputEvaluation) -> str:
    is_fitted = any(each.threshold is not None for each in output.reducers)
    return f", and at the threshold fitted on {FIT_ON}" if is_fitted else ""


def _thresholds(output: OutputEvaluation) -> Table:
    rows = [
        [
            each.how,
            number(each.threshold),
            estimate(each.measures.macro_f1),
            number(each.measures.precision_ah.value),
            number(each.measures.recall_ah.value),
        ]
        for each in output.thresholds
    ]
    title = "Thresholds, as it is" + _and_fitted(each.fitted_on for each in output.thresholds)
    return title, ("<", "from", "macro-F1", "precision", "recall"), rows


def _calibration(output: OutputEvaluation) -> Table:
    rows = [
        [
            each.scaling_by,
            number(each.slope),
            number(each.intercept),
            number(each.ece),
            estimate(each.brier),
            number(each.log_loss.value),
        ]
        for each in output.calibration
    ]
    title = "Calibration, as it is" + _and_fitted(each.fitted_on for each in output.calibration)
    return title, ("<", "slope", "intercept", "ECE", "Brier", "log loss"), rows


def _and_fitted(fitted_on: Iterable[str | None]) -> str:
    return f" and fitted on {FIT_ON}" if any(fitted_on) else ""


def _slices(output: OutputEvaluation) -> Table:
    rows = [
        [
            each.by,
            each.group,
            f"{each.n_participants:,}",
            f"{each.n_videos:,}",
            "" if each.n_ah is None else f"{each.n_ah:,}",
            estimate(each.measures.macro_f1) if each.measures else _FEW,
            number(each.measures.recall_ah.value) if each.measures else "",
        ]
        for each in output.slices
    ]
    return "Slices", ("<", "<", "people", "videos", "A/H", "macro-F1", "recall"), rows


def _lengths(output: OutputEvaluation) -> Table:
    rows = [
        [
            _span(each.low, each.high),
            f"{each.n_videos:,}",
            f"{each.n_ah:,}",
            number(each.share_yes),
            number(each.share_yes_of_not_ah),
        ]
        for each in output.length.bands
    ]
    columns = ("clips", "videos", "A/H", "share of Yes", "of those not A/H")
    return "Length of videos, in clips", columns, rows


def differences(found: Comparison) -> tuple[tuple[str, ...], list[list[str]]]:
    """Columns and rows of two outputs' differences."""
    rows = [
        [MEASURES[name], estimate(getattr(found, name), "+.3f")]
        for name in ("accuracy", "macro_f1", "average_precision")
    ]
    return ("<", "difference"), rows


def estimate(found: Estimate | None, form: str = ".3f") -> str:
    """0.845 [0.805, 0.885]; without the interval where there is none."""
    if found is None or found.value is None:
        return "–"
    if found.low is None:
        return f"{found.value:{form}}"
    return f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _span(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} and more"
    return str(low) if high == low else f"{low}–{high}"
