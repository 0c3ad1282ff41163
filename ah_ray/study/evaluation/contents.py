"""What an evaluation says, as plain values: metrics.json is this, written out.

    Evaluation
    ├── labels            which videos, by whose labels
    ├── outputs           one OutputEvaluation for each OUT
    │   ├── unscored      videos without a verdict, and why
    │   ├── scored        Measures of the verdicts as they stand, unscored videos left out
    │   ├── counted_wrong the same, each unscored video counted as a wrong answer
    │   ├── reducers      the six of them, formed anew from the same clips
    │   ├── thresholds    as it is, and fitted on val
    │   ├── curve         what each threshold would give
    │   ├── calibration   as it is, and scaled by what was fitted on val
    │   ├── slices        by age, gender, ethnicity, language, length
    │   ├── length        verdicts against the number of clips
    │   └── timeline      clips against the segments that were marked
    └── comparisons       each two OUTs, paired by video

Everything but `on_val` is of the videos that are reported (`labels.split`); what is fitted is
fitted on val, whose participants are others. A null means that there is no such figure.
"""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray.study.evaluation.bootstrap import Bootstrap, Estimate
from ah_ray.study.evaluation.calibrating import Bin

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """tp: A/H and Yes; fp: not A/H, but Yes; fn: A/H, but No; tn: neither."""

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
    precision_ah: Estimate
    recall_ah: Estimate
    average_precision: Estimate  # exact
    average_precision_1000: Estimate  # over 1,000 even thresholds, as the field does


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Whose judgement it is, and of which videos."""

    data_fingerprint: str
    split: str
    n_videos: int
    n_participants: int
    n_ah: int
    n_without_label: int  # asked simpler questions only: not counted above


@dataclass(frozen=True, slots=True, kw_only=True)
class Unscored:
    """Labelled videos that have no verdict. `by_reason`: `no row`, or a row's error_kind."""

    n_videos: int
    n_ah: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByReducer:
    """One reducer, without calibration; of scored videos."""

    reducer: str
    at_half: Measures  # Yes from 0.5 on
    threshold: float | None  # of the highest macro-F1 on val
    on_val: Measures | None  # there: choose by this
    fitted: Measures | None  # and at the same threshold where it was not fitted: report this
    length_correlation: float | None  # as LengthBias.rank_correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class AtThreshold:
    """One way to find a threshold; of scored videos and their p_ah as it stands."""

    how: str  # fixed, macro-f1, base-rate
    threshold: float
    fitted_on: str | None
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What one threshold would give, without interval. To look at, not to choose by."""

    threshold: float
    share_yes: float
    macro_f1: float
    f1_ah: float
    precision_ah: float
    recall_ah: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """How far probabilities mean what they say; formulas in calibrating.py."""

    scaling_by: str  # none, temperature, platt
    slope: float | None
    intercept: float | None
    fitted_on: str | None
    ece: float
    brier: Estimate
    log_loss: Estimate
    reliability: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Scored videos of one group.

    Under 10 participants are too few to say anything, and few enough to be recognised: `n_ah` and
    `measures` are null.
    """

    by: str  # age, gender, ethnicity, language, length
    group: str
    n_videos: int
    n_participants: int
    n_ah: int | None
    measures: Measures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBand:
    """Scored videos of so many clips, from `low` to `high` (null: without end)."""

    low: int
    high: int | None
    n_videos: int
    n_ah: int
    share_yes: float
    share_yes_of_not_ah: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBias:
    """Whether long videos are a Yes because they are long.

    `rank_correlation` is Spearman's, of n_clips and p_ah over videos that are not A/H, where it
    should be 0; `of_labels` is that of n_clips and the label over all.
    """

    bands: tuple[LengthBand, ...]
    rank_correlation: float | None
    of_labels: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Clips against marked segments, of videos where those are known; formulas in timeline.py."""

    n_videos: int
    n_participants: int
    n_clips: int
    n_ah_clips: int
    average_precision: Estimate
    average_precision_1000: Estimate
    marked_s: float
    yes_s: float
    both_s: float
    iou: Estimate
    precision_s: Estimate
    recall_s: Estimate
    f1_s: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEvaluation:
    """One OUT. What it was scored by, and how it did."""

    out: str
    model: str
    profile: str
    config_fingerprint: str
    reducer: str
    threshold: float
    calibration_fingerprint: str | None
    unscored: Unscored
    scored: Measures
    counted_wrong: Measures
    reducers: tuple[ByReducer, ...]
    thresholds: tuple[AtThreshold, ...]
    curve: tuple[CurvePoint, ...]
    calibration: tuple[Calibrated, ...]
    slices: tuple[Slice, ...]
    length: LengthBias
    timeline: Timeline | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two OUTs on the videos that both scored. Differences are `second` less `first`.

    `mcnemar_p` is that of the exact test on the videos that only one of them got right; it takes
    videos for independent, which those of one participant are not: trust the intervals more.
    """

    first: str
    second: str
    n_videos: int
    n_participants: int
    accuracy: Estimate
    macro_f1: Estimate
    average_precision: Estimate
    only_first_right: int
    only_second_right: int
    mcnemar_p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All of it."""

    schema_version: int
    ah_ray_version: str
    bootstrap: Bootstrap
    labels: Labels
    outputs: tuple[OutputEvaluation, ...]
    comparisons: tuple[Comparison, ...]
