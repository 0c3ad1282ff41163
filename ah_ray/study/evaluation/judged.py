"""Answers and scores beside labels, and all their measures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ah_ray.study.evaluation.bootstrap import Bootstrap, of_counts, of_weights
from ah_ray.study.evaluation.contents import Confusion, Measures
from ah_ray.study.evaluation.measures import (
    answer_measures,
    average_precision,
    average_precision_1000,
    confusions,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """n labelled videos, or clips; each field is [n]."""

    label: np.ndarray  # bool: A/H
    p_ah: np.ndarray  # float64; NaN: not scored
    yes: np.ndarray  # bool; False where not scored
    participant: np.ndarray  # int64: the same number, the same participant

    @classmethod
    def of(
        cls,
        label: Sequence[bool],
        p_ah: Sequence[float | None],
        yes: Sequence[bool],
        participant: np.ndarray,
    ) -> Judged:
        scores = [np.nan if p is None else p for p in p_ah]
        return cls(
            label=np.array(label, bool),
            p_ah=np.array(scores, float),
            yes=np.array(yes, bool),
            participant=np.asarray(participant, np.int64),
        )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def is_scored(self) -> np.ndarray:
        return ~np.isnan(self.p_ah)

    @property
    def n_participants(self) -> int:
        return len(np.unique(self.participant))

    @property
    def has_both_labels(self) -> bool:
        return bool(self.label.any() and not self.label.all())

    def only(self, which: np.ndarray) -> Judged:
        """Those where `which` [n] is True."""
        return Judged(**{each.name: getattr(self, each.name)[which] for each in fields(self)})

    def scored(self) -> Judged:
        """Without those that have no verdict."""
        return self.only(self.is_scored)

    def counted_wrong(self) -> Judged:
        """With a wrong answer, and the worst score, where there is none."""
        unscored = ~self.is_scored
        return replace(
            self,
            p_ah=np.where(unscored, 1.0 - self.label, self.p_ah),
            yes=np.where(unscored, ~self.label, self.yes),
        )

    def at(self, threshold: float) -> Judged:
        """Answered anew: Yes iff p_ah ≥ threshold."""
        return replace(self, yes=self.p_ah >= threshold)


def measured(judged: Judged, bootstrap: Bootstrap) -> Measures:
    """All measures of videos that have verdicts."""
    counts = confusions(judged.label, judged.yes)
    tp, fp, fn, tn = map(int, counts.sum(axis=0))

    def swept(measure):
        return of_weights(
            lambda weights: measure(judged.label, judged.p_ah, weights),
            judged.participant,
            bootstrap,
        )

    return Measures(
        n_videos=len(judged),
        n_participants=judged.n_participants,
        n_ah=int(judged.label.sum()),
        confusion=Confusion(tp=tp, fp=fp, fn=fn, tn=tn),
        **of_counts(answer_measures, counts, judged.participant, bootstrap),
        average_precision=swept(average_precision),
        average_precision_1000=swept(average_precision_1000),
    )
