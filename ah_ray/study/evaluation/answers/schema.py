"""What an evaluation of further questions and of contrasts holds, as plain values.

    JudgedQuestion     the question whose answers are judged
    AnswersEvaluation  one OUT, where the question has several answers, or a scale
    ├── scored         AnswerFigures of the videos that have an answer
    ├── counted_wrong  the same, where no answer is a wrong one
    ├── clips          of clips, where labels have times
    ├── majority       what always giving the most frequent answer reaches, and the gain over it
    └── groups         accuracy of groups of people
    ContrastFigures    one contrast as a score of the first question's labels

A question with two answers and no scale is judged as verdicts are: OutputEvaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray.profile import YES
from ah_ray.study.evaluation.figures.estimate import Estimate
from ah_ray.study.evaluation.measures_schema import Measures
from ah_ray.study.evaluation.validity.leaks import Leak

YES_NO, SEVERAL, SCALE = "yes-no", "several", "scale"
"""Kinds of questions: two answers; several; several that are numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedQuestion:
    """A question of the profile, as it is judged. Several outputs ask it alike."""

    name: str
    kind: str  # yes-no, several, scale
    answers: tuple[str, ...]
    positive: str | None  # of yes-no: the answer that p_ah is the probability of
    scale: tuple[float, ...] | None
    sees: str  # both, picture, sound
    is_first: bool  # verdicts are made of it

    @property
    def construct(self) -> str:
        """Return what a Yes means: the name, and the positive answer unless that is Yes."""
        return self.name if self.positive in (None, YES) else f"{self.name} {self.positive}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How good one answer is."""

    answer: str
    support: int  # labelled so
    n_given: int  # answered so
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleFigures:
    """How near expected values are to labels; formulas in scale_figures.py."""

    mean_absolute_error: Estimate
    rank_correlation: Estimate
    kappa: Estimate  # with quadratic weights


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFigures:
    """How good answers are; formulas in class_figures.py.

    `confusion` has a row for each label and a column for each answer, in the order of the
    question's answers; its last column counts what has no answer.
    """

    n: int  # videos, or clips
    n_participants: int
    n_right: int
    confusion: tuple[tuple[int, ...], ...]
    accuracy: Estimate
    macro_f1: Estimate
    classes: tuple[ClassFigures, ...]
    scale: ScaleFigures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGain:
    """Accuracy and macro-F1 of `second` less those of `first`, on the same videos."""

    first: str
    second: str
    n_videos: int
    n_participants: int
    accuracy: Estimate
    macro_f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Majority:
    """Always giving the answer that is most frequent in another split."""

    fitted_on: str
    n_videos: int  # that it was counted in
    answer: str
    accuracy: Estimate
    macro_f1: Estimate
    gain: AnswerGain


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGroup:
    """The videos of one group. Fewer than 10 participants have no figures."""

    by: str
    group: str
    n_videos: int
    n_participants: int
    accuracy: Estimate | None
    macro_f1: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredClips:
    """Labelled clips, where labels have times. Intervals of figures are over participants."""

    n_videos: int  # that they are of
    figures: AnswerFigures
    scores: Measures | None  # of a question with two answers: of clips, in place of videos


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersEvaluation:
    """One OUT: how it was scored, and the figures of its answers to one question."""

    out: str
    model: str
    profile: str
    config_fingerprint: str
    reducer: str  # of the question
    n_without_answer: int
    without_answer: dict[str, int]  # why: `no row`, a row's error_kind, `not asked`
    scored: AnswerFigures | None  # null where labels are of intervals alone
    counted_wrong: AnswerFigures | None
    clips: AnsweredClips | None
    majority: Majority | None
    groups: tuple[AnswerGroup, ...]
    notes: tuple[str, ...]
    leaks: tuple[Leak, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreGain:
    """A score less the first question's own, on the same videos or clips."""

    average_precision: Estimate
    auroc: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastScores:
    """A contrast as a score, of videos or of clips, and beside the first question's own score.

    `added` is what it adds to p_ah: the gain of a logistic model of both, fitted on another split,
    over p_ah alone.
    """

    n: int
    n_participants: int
    n_ah: int
    average_precision: Estimate
    auroc: Estimate
    less_p_ah: ScoreGain
    fitted_on: str | None
    added: ScoreGain | None  # null where nothing could be fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastFigures:
    """One contrast, reduced over a video's clips, and where labels have times, clip by clip."""

    contrast: str
    between: tuple[str, str]
    reducer: str  # of the video's distance from those of its clips
    videos: ContrastScores
    clips: ContrastScores | None
