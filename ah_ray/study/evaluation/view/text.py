"""Estimates and numbers as a reader sees them."""

from __future__ import annotations

from ah_ray.profile import DEFAULT_CONSTRUCT
from ah_ray.study.evaluation.figures.estimate import Estimate

TOO_FEW = "too few to tell"
SCALE_NAMES = {
    "mean_absolute_error": "mean absolute error",
    "rank_correlation": "rank correlation (Spearman)",
    "kappa": "kappa, quadratic weights",
}
"""The fields of ScaleFigures as they are read."""


def name_measures(construct: str = DEFAULT_CONSTRUCT) -> dict[str, str]:
    """Return the fields of Measures as they are read: `recall of A/H (sensitivity)`."""
    return {
        "accuracy": "accuracy",
        "macro_f1": "macro-F1",
        "weighted_f1": "weighted F1",
        "f1_ah": f"F1 of {construct}",
        "f1_not_ah": f"F1 of not {construct}",
        "recall_ah": f"recall of {construct} (sensitivity)",
        "specificity": "specificity",
        "precision_ah": f"precision of {construct} (PPV)",
        "npv": "NPV",
        "balanced_accuracy": "balanced accuracy",
        "auroc": "AUROC",
        "average_precision": "average precision",
        "average_precision_1000": "area over 1,000 thresholds",
        "rate_of_yes": "rate of Yes",
    }


def format_estimate(found: Estimate | None, form: str = ".3f") -> str:
    """Return `0.845 [0.805, 0.885]`, or `–` where the figure is not defined.

    A figure that rests on too few people, or whose interval is too wide, has a `?`.
    """
    if found is None or found.value is None:
        return "–"
    text = f"{found.value:{form}}"
    if found.low is not None:
        text += f" [{found.low:{form}}, {found.high:{form}}]"
    return f"{text}?" if found.too_few else text


def format_counts(found: Estimate | None) -> str:
    """Return `134 of 153, of 70 people`, and whether these are too few to tell."""
    if found is None or found.value is None or found.n_participants is None:
        return ""
    people = f"{found.n_participants:,} {'person' if found.n_participants == 1 else 'people'}"
    if found.n is None:
        text = people
    elif found.k is None:
        text = f"{found.n:,}, of {people}"
    else:
        text = f"{found.k:,} of {found.n:,}, of {people}"
    return f"{text}: {TOO_FEW}" if found.too_few else text


def format_number(value: float | None) -> str:
    """Return three decimal places, or `–` where there is no number."""
    return "–" if value is None else f"{value:.3f}"


def format_threshold(value: float | None) -> str:
    """Return all digits that the threshold needs to give the same answers."""
    return "–" if value is None else repr(float(value))
