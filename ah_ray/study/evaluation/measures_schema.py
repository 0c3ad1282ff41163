"""The measures of answers and scores, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray.study.evaluation.figures.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """tp: A/H and Yes; fp: not A/H, but Yes; fn: A/H, but No; tn: not A/H and No."""

    tp: int
    fp: int
    fn: int
    tn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """How good answers and scores are; formulas in measures.py."""

    n_videos: int
    n_participants: int
    n_ah: int
    confusion: Confusion
    accuracy: Estimate
    macro_f1: Estimate
    weighted_f1: Estimate
    f1_ah: Estimate
    f1_not_ah: Estimate
    precision_ah: Estimate  # positive predictive value
    recall_ah: Estimate  # sensitivity
    average_precision: Estimate  # exact
    average_precision_1000: Estimate  # over 1,000 even thresholds, as the field does
    specificity: Estimate
    npv: Estimate  # negative predictive value
    balanced_accuracy: Estimate
    rate_of_yes: Estimate
    auroc: Estimate
