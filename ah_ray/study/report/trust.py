"""How far a report can be trusted: the first thing on the page. Pure.

With labels it is the headline figure with its interval, against the best rule that sees neither
picture nor sound. Without labels it is how the share of Yes depends on the number of clips: that
bias needs no labels to be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.profile import YES
from ah_ray.study.evaluation.figures.length_bias import BANDS, rank_correlation
from ah_ray.study.evaluation.schema import Evaluation

MAJORITY = "always the more frequent answer"
_BASELINES = {"majority": MAJORITY, "length": "the length of the video"}
_WIDEST = 0.4  # an interval that is wider leaves open what a reader wants to know


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its interval; `low` and `high` are None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    too_few: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """Macro-F1 on the labelled videos, and that of the best baseline."""

    split: str
    n_videos: int
    n_participants: int
    macro_f1: Figure
    baseline: str  # in words
    baseline_macro_f1: Figure
    gain: Figure | None  # None: only the majority is known, without a paired interval
    marks: tuple[str, ...]  # why it flatters itself: sentences

    @property
    def verdict(self) -> str:
        """Return what the figures show, in one sentence."""
        if self.macro_f1.value is None:
            return "There is no figure: none of these videos has both a label and a verdict."
        if self.macro_f1.too_few:
            return "These are too few people to tell how good the answers are."
        if self.gain is not None and self.gain.low is not None:
            if self.gain.low > 0:
                return "The answers are better than that baseline."
            return "No gain over that baseline is shown."
        reached = self.baseline_macro_f1.value
        if reached is not None and self.macro_f1.low is not None and self.macro_f1.low <= reached:
            return "No gain over that baseline is shown."
        return (
            "The answers are better than always giving the more frequent one; rules that use the "
            "question or the length of the video may reach more."
        )


def headline(evaluation: Evaluation) -> Headline:
    """Return the headline of the first output. Fields that are not there yet count as null."""
    whole: dict[str, Any] = asdict(evaluation)
    labels, output = whole["labels"], whole["outputs"][0]
    scored = output["scored"]
    baselines = output.get("baselines")
    best = _best(baselines) if baselines else None
    return Headline(
        split=labels["split"],
        n_videos=scored["n_videos"],
        n_participants=scored["n_participants"],
        macro_f1=_figure(scored["macro_f1"]),
        baseline=_describe(best["name"]) if best else MAJORITY,
        baseline_macro_f1=_figure(best["measures"]["macro_f1"])
        if best
        else Figure(value=_majority_macro_f1(scored["n_ah"], scored["n_videos"])),
        gain=_figure(baselines["gain"]["macro_f1"]) if baselines else None,
        marks=tuple(_marks(labels, output)),
    )


def _best(baselines: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((each for each in baselines["each"] if each["name"] == baselines["best"]), None)


def _describe(name: str) -> str:
    if name in _BASELINES:
        return _BASELINES[name]
    return f"the {name.replace(' + ', ' and the ')} of the video"


def _figure(estimate: Mapping[str, Any]) -> Figure:
    low, high = estimate.get("low"), estimate.get("high")
    wide = low is not None and high is not None and high - low > _WIDEST
    return Figure(
        value=estimate["value"],
        low=low,
        high=high,
        too_few=bool(estimate.get("too_few", estimate["value"] is not None and low is None))
        or wide,
    )


def _majority_macro_f1(n_ah: int, n: int) -> float | None:
    """Return macro-F1 of the answer that is right more often; the other class has an F1 of 0."""
    if not n:
        return None
    share = max(n_ah, n - n_ah) / n
    return share / (1 + share)


def _marks(labels: Mapping[str, Any], output: Mapping[str, Any]) -> list[str]:
    marks = []
    for leak in output.get("leaks") or ():
        n, who = leak["n_participants"], leak["by"]
        people = "1 of these participants" if n == 1 else f"{n:,} of these participants"
        marks.append(
            f"Of known people: the {who} learned from {people}, so the figures are too good."
        )
    selection = labels.get("selection")
    if selection and selection.get("kind") == "moments":
        marks.append(
            "Of selected moments: these videos were chosen by their scores, so the figures are "
            "not those of the cohort."
        )
    if labels.get("participants_known") is False:
        marks.append("Participants are unknown: each video counts as a person.")
    if labels["split"] in ("train", "val"):
        marks.append(
            f"The split {labels['split']} is not test: models and thresholds may have been chosen "
            "on it."
        )
    return marks


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBand:
    """Scored videos with `low` to `high` clips; None is without upper limit."""

    low: int
    high: int | None
    n: int
    n_yes: int

    @property
    def share_yes(self) -> float:
        """Return the share of Yes among these videos."""
        return self.n_yes / self.n

    @property
    def name(self) -> str:
        """Return `1 clip`, `3–4 clips`, `17 or more clips`."""
        if self.high is None:
            return f"{self.low} or more clips"
        if self.low == self.high:
            return f"{self.low} clip{'s' * (self.low != 1)}"
        return f"{self.low}–{self.high} clips"


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBias:
    """The share of Yes by number of clips, and the rank correlation of clips and scores."""

    bands: tuple[LengthBand, ...]
    rank_correlation: float | None


def length_bias(verdicts: pa.Table) -> LengthBias:
    """Return how answers depend on the number of clips, of the scored rows of VERDICTS."""
    scored = verdicts.filter(pc.is_valid(verdicts["p_ah"]))
    n_clips, p_ah = scored["n_clips"].to_numpy(), scored["p_ah"].to_numpy()
    yes = np.array([answer == YES for answer in scored["answer"].to_pylist()], bool)
    bands = []
    for low, high in BANDS:
        inside = (n_clips >= low) & (n_clips <= (np.inf if high is None else high))
        if inside.any():
            bands.append(
                LengthBand(low=low, high=high, n=int(inside.sum()), n_yes=int(yes[inside].sum()))
            )
    return LengthBias(bands=tuple(bands), rank_correlation=rank_correlation(n_clips, p_ah))
