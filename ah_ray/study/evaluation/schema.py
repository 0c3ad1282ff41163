"""The content of an evaluation as plain values; metrics.json holds the same fields.

    Evaluation
    ├── labels            which videos, by whose labels
    ├── outputs           one OutputEvaluation for each OUT
    │   ├── unscored      videos without a verdict, and why
    │   ├── scored        Measures of the verdicts as they stand, without unscored videos
    │   ├── counted_wrong the same, with each unscored video counted as a wrong answer
    │   ├── reducers      every reducer, applied to the same clips
    │   ├── thresholds    the output's own, and those fitted on val
    │   ├── curve         the measures at each threshold
    │   ├── calibration   scores as they stand, and scaled by a fit on val
    │   ├── slices        groups by age, gender, ethnicity, language, length, question, …
    │   ├── length        verdicts against the number of clips
    │   ├── timeline      clips against the segments that were marked
    │   ├── baselines     what question and length alone reach, and the gain over them
    │   ├── contrasts     contrasts of the profile as scores of the same labels
    │   └── clips         of --question: clips that labels of intervals are about
    ├── comparisons       each two OUTs, paired by video
    ├── answers           in place of outputs: of a question of several answers (answers/schema.py)
    └── gate              whether the second may take the place of the first, with --gate

All figures but `on_val` are of the videos that are reported (`labels.split`). Thresholds and
scalings are fitted on val and baselines on train, whose participants are others. A null means that
there is no such figure.
"""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray.profile import DEFAULT_CONSTRUCT
from ah_ray.study.evaluation.answers.schema import (
    AnsweredClips,
    AnswerFigures,
    AnswerGain,
    AnswersEvaluation,
    ContrastFigures,
    JudgedQuestion,
)
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.figures.calibration import Bin
from ah_ray.study.evaluation.figures.estimate import Estimate
from ah_ray.study.evaluation.measures_schema import Confusion, Measures
from ah_ray.study.evaluation.validity.leaks import Leak

__all__ = ["Confusion", "Measures"]

SCHEMA_VERSION = 2
"""2: intervals by a closed formula; `ece` is debiased, over bins of equally many videos."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How the reported videos came to be labelled, where not all of a cohort were.

    `drawn`: at random, with known chances; the figures are of the whole cohort, and no figure is
    given that the draw does not support. `moments`: chosen by their scores, or nobody knows how;
    the figures are of these moments alone, and have no intervals.
    """

    kind: str  # drawn, moments
    draw: str | None
    n_cohort: int | None  # videos of the cohort that a draw stands for
    n_left_out: int  # labelled videos of selected moments that are not reported

    @property
    def mark(self) -> str:
        """Return what is written beside a title: `of selected moments`."""
        return "of selected moments" if self.kind == "moments" else "of the cohort, from a draw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels and the videos that they belong to."""

    data_fingerprint: str
    split: str
    n_videos: int
    n_participants: int
    n_ah: int | None  # with the positive answer; null for a question of several answers
    n_without_label: int  # only simpler questions were asked about them; not counted above
    selection: Selection | None = None  # null: every labelled video is reported, unselected
    participants_known: bool = True  # False: each video counts as a participant of its own
    by_answer: dict[str, int] | None = None  # of --question: labels of whole videos


@dataclass(frozen=True, slots=True, kw_only=True)
class Unscored:
    """Labelled videos that have no verdict. `by_reason`: `no row`, or a row's error_kind."""

    n_videos: int
    n_ah: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByReducer:
    """One reducer, without calibration, on scored videos."""

    reducer: str
    at_half: Measures  # at the threshold 0.5
    threshold: float | None  # the one with the highest macro-F1 on val
    on_val: Measures | None  # on val at that threshold: choose by this
    fitted: Measures | None  # on the reported videos at that threshold: report this
    length_correlation: float | None  # as LengthBias.rank_correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class AtThreshold:
    """One way to find a threshold, on scored videos and their p_ah as it stands."""

    how: str  # fixed, macro-f1, base-rate
    threshold: float
    fitted_on: str | None
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The measures at one threshold, without interval. To look at, not to choose by.

    Null where a measure is not defined: there is no precision where no answer is Yes.
    """

    threshold: float
    share_yes: float
    macro_f1: float | None
    f1_ah: float | None
    precision_ah: float | None
    recall_ah: float | None
    specificity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """Whether probabilities mean what they say; formulas in calibration.py.

    The expected calibration error has no interval, since none covers; compare it with
    `ece_if_perfect`, which perfectly calibrated scores would show by chance.
    """

    scaling_by: str  # none, temperature, platt, isotonic
    slope: float | None
    intercept: float | None
    fitted_on: str | None
    ece: float
    brier: Estimate
    log_loss: Estimate
    reliability: tuple[Bin, ...]  # the calibration curve
    ece_if_perfect: float | None = None
    in_the_large: Estimate | None = None  # mean p_ah less the share of A/H


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDifferences:
    """A group less all other videos, in each rate by which groups can be compared."""

    recall_ah: Estimate
    specificity: Estimate
    precision_ah: Estimate
    npv: Estimate
    rate_of_yes: Estimate
    in_the_large: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The scored videos of one group.

    Fewer than 10 participants are too few for figures, and few enough to be recognised, so all but
    the first four fields are null.
    """

    by: str  # age, gender, ethnicity, language, length, question, a column of --group-by
    group: str
    n_videos: int
    n_participants: int
    n_ah: int | None
    measures: Measures | None
    n_not_ah: int | None = None
    in_the_large: Estimate | None = None  # calibration in the large
    from_the_rest: GroupDifferences | None = None  # null where the others are too few


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBand:
    """Scored videos with `low` to `high` clips; null means that there is no upper limit."""

    low: int
    high: int | None
    n_videos: int
    n_ah: int
    share_yes: float
    share_yes_of_not_ah: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBias:
    """Whether long videos have the answer Yes because they are long.

    `rank_correlation` is Spearman's, of n_clips and p_ah over videos that are not A/H, where it
    should be 0; `of_labels` is that of n_clips and the label over all videos.
    """

    bands: tuple[LengthBand, ...]
    rank_correlation: float | None
    of_labels: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Clips against marked segments, in videos where these are known; formulas in timeline.py."""

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
    calibration: tuple[Calibrated, ...] = ()  # of clips, against what was marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two OUTs on the videos that both scored. Differences are `second` less `first`.

    `mcnemar_p` is the p-value of the exact test on the videos that only one of them got right. The
    test takes videos for independent, which those of one participant are not, so the intervals
    deserve more trust.
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
class Baseline:
    """A rule that sees neither picture nor sound, on scored videos."""

    name: str  # majority, length, question, question + length
    threshold: float | None  # of its probability; null for the majority
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinQuestion:
    """How well the model does among answers to the same question."""

    n_questions: int  # those with both labels
    macro_f1: Estimate  # this and the others: the mean over these questions
    average_precision: float | None
    auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """What needs no model, and the gain of the model over the best of it.

    Baselines and their thresholds are fitted on the split `fitted_on`. `best` has the highest
    macro-F1 on the reported videos, which favours the baseline. `gain` is that of the verdicts as
    they stand; `gain_at_fitted` that of the same scores at the threshold fitted on val.
    """

    fitted_on: str
    n_videos: int  # that they were fitted to
    each: tuple[Baseline, ...]
    best: str
    gain: Comparison
    gain_at_fitted: Comparison | None
    within_question: WithinQuestion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEvaluation:
    """One OUT: how it was scored, and its figures."""

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
    baselines: Baselines | None = None  # null where no other split has labels
    leaks: tuple[Leak, ...] = ()  # who of the reported people its model or calibration knows
    contrasts: tuple[ContrastFigures, ...] = ()
    clips: AnsweredClips | None = None  # of --question, where labels have times


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A sentence of the plan, and whether the figures support it."""

    text: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    limit: float
    is_supported: bool | None  # null where the measure has no interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the plan asked for, of one output."""

    out: str
    reducer: str
    threshold_rule: str
    threshold: float | None  # null where the likeliest of several answers counts
    asked: tuple[str, ...]  # the measures that the plan names
    measures: Measures | AnswerFigures
    groups: tuple[Slice, ...]
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Whether the figures were planned before anybody looked at the test split.

    `kind` is `locked` (the plan came before the first look, and is the one that was locked),
    `exploratory` (it came later, or another one was locked first: `reason`), or `unplanned`.
    """

    kind: str
    reason: str | None
    plan_hash: str | None
    locked_at: str | None
    look: int | None  # this is the n-th look at test; null where it could not be counted
    looks_before_plan: int | None
    planned: tuple[Planned, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Whether a new model may take the place of the one in use."""

    old: str
    new: str
    split: str
    difference: Estimate | None  # macro-F1 of the new one less that of the old one, paired
    is_better: bool
    reasons: tuple[str, ...]  # why it is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The whole evaluation."""

    schema_version: int
    ah_ray_version: str
    bootstrap: Bootstrap
    labels: Labels
    outputs: tuple[OutputEvaluation, ...]
    comparisons: tuple[Comparison, ...]
    analysis: Analysis | None = None  # the plan, and the looks at test; null from a library call
    construct: str = DEFAULT_CONSTRUCT  # what `ah` stands for in the names of fields
    question: JudgedQuestion | None = None  # of --question; null: the verdicts are judged
    answers: tuple[AnswersEvaluation, ...] = ()  # in place of outputs: of several answers
    answer_comparisons: tuple[AnswerGain, ...] = ()  # each two OUTs, second less first
    gate: Gate | None = None  # null without --gate
