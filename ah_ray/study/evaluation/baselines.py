"""What the question and the length of an answer reach without a model. Pure.

A figure says little by itself where the question alone predicts the label. So simple rules are
fitted on another split, at the threshold with the highest macro-F1 there, and measured on the same
videos as the model:

    majority           the more frequent label
    length             a logistic model of log(1 + duration_s)
    question           a logistic model with one term for each question
    question + length  both

A penalty of half their square keeps weights small, so that a question which occurs only a few times
decides nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ah_ray.study.evaluation.figures.answer_intervals import macro_f1_over_questions
from ah_ray.study.evaluation.figures.calibration import fit_logistic
from ah_ray.study.evaluation.figures.calibration_intervals import sum_by_participant
from ah_ray.study.evaluation.figures.comparison import compare
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import LEVEL
from ah_ray.study.evaluation.figures.measures import (
    Floats,
    Labels,
    answer_measures,
    auroc,
    average_precision,
    confusions,
)
from ah_ray.study.evaluation.figures.thresholds import fit_threshold
from ah_ray.study.evaluation.predictions import Predictions, measure
from ah_ray.study.evaluation.schema import Baseline, Baselines, Comparison, WithinQuestion
from ah_ray.study.evaluation.settings import Threshold

MAJORITY, LENGTH, QUESTION = "majority", "length", "question"
BOTH = f"{QUESTION} + {LENGTH}"
_RIDGE = 1.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownFacts:
    """What is known about n videos besides picture and sound; each field is [n]."""

    label: Labels
    duration_s: Floats  # NaN where unknown
    question: Sequence[str | None]

    @classmethod
    def of(cls, videos: Sequence[Row], question: Sequence[str | None]) -> KnownFacts:
        """Return the facts of rows of LABELLED_VIDEOS."""
        lengths = [np.nan if v["duration_s"] is None else v["duration_s"] for v in videos]
        return cls(
            label=np.array([video["label"] == 1 for video in videos], np.bool_),
            duration_s=np.array(lengths, np.float64),
            question=question,
        )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def has_both_labels(self) -> bool:
        return bool(self.label.any() and not self.label.all())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rule:
    name: str
    threshold: float | None
    p_ah: Floats  # of the reported videos
    yes: Labels


def compare_with_baselines(
    model: Predictions,
    facts: KnownFacts,
    fit: KnownFacts,
    fitted_on: str,
    *,
    threshold: float | None = None,
    level: float = LEVEL,
) -> Baselines | None:
    """Return the baselines and the model's gain over the best of them.

    `model` and `facts` are the same n scored videos; `fit` are those of the split `fitted_on`, with
    both labels. `threshold` is the one that was fitted to the model's scores on val, if any. None
    if no video is scored.
    """
    rules = [_fit_majority(fit, facts)]
    for name in (LENGTH, QUESTION, BOTH):
        rule = _fit_rule(name, fit, facts)
        rules += [rule] if rule is not None else []
    found = [
        (rule, Predictions.of(facts.label, rule.p_ah, rule.yes, model.participant))
        for rule in rules
    ]
    best, best_predictions = max(found, key=lambda each: _macro_f1(each[1]))
    gain = compare(best_predictions, model, names=(best.name, "model"), level=level)
    if gain is None:
        return None
    return Baselines(
        fitted_on=fitted_on,
        n_videos=len(fit),
        each=tuple(
            Baseline(name=rule.name, threshold=rule.threshold, measures=measure(one, level))
            for rule, one in found
        ),
        best=best.name,
        gain=gain,
        gain_at_fitted=_gain_at(threshold, best_predictions, model, best.name, level),
        within_question=_measure_within_question(model, facts.question, level),
    )


def _gain_at(
    threshold: float | None, best: Predictions, model: Predictions, name: str, level: float
) -> Comparison | None:
    if threshold is None:
        return None
    at = model.answer_at(threshold)
    return compare(best, at, names=(name, "model at the fitted threshold"), level=level)


def _macro_f1(predictions: Predictions) -> float:
    label, yes = predictions.label, predictions.yes
    counts = [
        (label & yes).sum(),
        (~label & yes).sum(),
        (label & ~yes).sum(),
        (~label & ~yes).sum(),
    ]
    return float(answer_measures(counts)["macro_f1"])


def _fit_majority(fit: KnownFacts, facts: KnownFacts) -> _Rule:
    share = float(fit.label.mean())
    n = len(facts)
    return _Rule(
        name=MAJORITY,
        threshold=None,
        p_ah=np.full(n, share),
        yes=np.full(n, share > 0.5),
    )


def _fit_rule(name: str, fit: KnownFacts, facts: KnownFacts) -> _Rule | None:
    """Return a logistic model of what is known; None where that is the same for all videos."""
    columns, reported = _design(name, fit, fit), _design(name, fit, facts)
    if columns is None or reported is None:
        return None
    weights = fit_logistic(columns, fit.label.astype(np.float64), ridge=_RIDGE)
    p_fit, p_ah = (1 / (1 + np.exp(-(each @ weights))) for each in (columns, reported))
    threshold = fit_threshold(Threshold.MACRO_F1, fit.label, p_fit)
    return _Rule(name=name, threshold=threshold, p_ah=p_ah, yes=p_ah >= threshold)


def _design(name: str, fit: KnownFacts, facts: KnownFacts) -> Floats | None:
    """Return the columns [n, k] of `facts`, scaled by `fit`: a constant, and those of the rule."""
    columns = [np.ones(len(facts))]
    if name in (LENGTH, BOTH):
        if np.isnan(fit.duration_s).any() or np.isnan(facts.duration_s).any():
            return None
        known, lengths = np.log1p(fit.duration_s), np.log1p(facts.duration_s)
        if np.ptp(known) == 0:
            return None
        columns.append((lengths - known.mean()) / known.std())
    if name in (QUESTION, BOTH):
        questions = sorted({each for each in fit.question if each is not None})
        if len(questions) < 2:
            return None
        columns += [
            np.array([each == one for each in facts.question], np.float64) for one in questions
        ]
    return np.stack(columns, axis=1)


def _measure_within_question(
    model: Predictions, question: Sequence[str | None], level: float
) -> WithinQuestion | None:
    """Return means over the questions that have both labels; None where there are not two."""
    counts, n, scores = [], 0, []
    cells = confusions(model.label, model.yes)
    for one in sorted({each for each in question if each is not None}):
        here = np.array([each == one for each in question], np.bool_)
        label, p_ah = model.label[here], model.p_ah[here]
        if label.any() and not label.all():
            counts.append(sum_by_participant(cells * here[:, None], model.participant))
            n += len(label)
            alike = np.ones((1, len(label)))
            scores.append([figure(label, p_ah, alike)[0] for figure in (average_precision, auroc)])
    if len(counts) < 2:
        return None
    mean_ap, mean_auroc = np.mean(scores, axis=0).tolist()
    return WithinQuestion(
        n_questions=len(counts),
        macro_f1=estimate_of(macro_f1_over_questions(np.stack(counts), level), n=n),
        average_precision=mean_ap,
        auroc=mean_auroc,
    )
