"""Answers and scores beside labels, and all their measures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.figures.answer_intervals import answer_estimates
from ah_ray.study.evaluation.figures.calibration_intervals import sum_by_participant
from ah_ray.study.evaluation.figures.estimate import Estimate, estimate_of
from ah_ray.study.evaluation.figures.intervals import LEAST_CORRELATION, LEVEL
from ah_ray.study.evaluation.figures.measures import (
    Floats,
    Labels,
    auroc,
    average_precision,
    average_precision_1000,
    confusions,
)
from ah_ray.study.evaluation.figures.score_intervals import ScoreMeasure, score_interval
from ah_ray.study.evaluation.schema import Confusion, Measures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Labels, scores and answers of n videos, or clips; each field is [n]."""

    label: Labels  # True: A/H
    p_ah: Floats  # NaN: not scored
    yes: Labels  # False where not scored
    participant: npt.NDArray[np.int64]  # the same number, the same participant

    @classmethod
    def of(
        cls,
        label: Sequence[bool] | Labels,
        p_ah: Sequence[float | None] | Floats,
        yes: Sequence[bool] | Labels,
        participant: npt.ArrayLike,
    ) -> Predictions:
        """Return predictions of plain values; None is a score that is missing."""
        scores = [np.nan if p is None else p for p in p_ah]
        return cls(
            label=np.array(label, np.bool_),
            p_ah=np.array(scores, np.float64),
            yes=np.array(yes, np.bool_),
            participant=np.asarray(participant, np.int64),
        )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def is_scored(self) -> Labels:
        return np.asarray(~np.isnan(self.p_ah))

    @property
    def n_participants(self) -> int:
        return len(np.unique(self.participant))

    @property
    def has_both_labels(self) -> bool:
        return bool(self.label.any() and not self.label.all())

    def only(self, which: Labels) -> Predictions:
        """Return those where `which` [n] is True."""
        return Predictions(**{each.name: getattr(self, each.name)[which] for each in fields(self)})

    def without_unscored(self) -> Predictions:
        """Return those that have a verdict."""
        return self.only(self.is_scored)

    def count_unscored_as_wrong(self) -> Predictions:
        """Return all, with a wrong answer and the worst score where there is no verdict."""
        unscored = ~self.is_scored
        return replace(
            self,
            p_ah=np.where(unscored, 1.0 - self.label, self.p_ah),
            yes=np.where(unscored, ~self.label, self.yes),
        )

    def answer_at(self, threshold: float) -> Predictions:
        """Return the same scores with other answers: Yes iff p_ah ≥ threshold."""
        return replace(self, yes=self.p_ah >= threshold)


def count_by_participant(predictions: Predictions) -> Floats:
    """Return tp, fp, fn and tn of each participant: [participants, 4]."""
    counts = confusions(predictions.label, predictions.yes)
    return sum_by_participant(counts, predictions.participant)


def measure(
    predictions: Predictions, level: float = LEVEL, correlation: float = LEAST_CORRELATION
) -> Measures:
    """Return all measures of videos that have verdicts, or of clips.

    `correlation` is the least that is assumed between those of one participant.
    """
    counts = count_by_participant(predictions)
    tp, fp, fn, tn = map(int, counts.sum(axis=0))

    def score(measure: ScoreMeasure) -> Estimate:
        found = score_interval(
            measure,
            predictions.label,
            predictions.p_ah,
            predictions.participant,
            level,
            correlation,
        )
        return estimate_of(found, n=len(predictions))

    return Measures(
        n_videos=len(predictions),
        n_participants=predictions.n_participants,
        n_ah=tp + fn,
        confusion=Confusion(tp=tp, fp=fp, fn=fn, tn=tn),
        **answer_estimates(counts, level, correlation),
        average_precision=score(average_precision),
        average_precision_1000=score(average_precision_1000),
        auroc=score(auroc),
    )
