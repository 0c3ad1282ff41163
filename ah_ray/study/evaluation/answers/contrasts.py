"""What contrasts are worth as scores of the first question's labels.

A contrast of a video is formed from those of its clips by the reducer of the verdicts, without
calibration, so that it is compared with p_ah on equal terms. It is judged by itself, and beside
p_ah: what it adds to p_ah in a logistic model of logit(p_ah) and the contrast, fitted on val. Clips
are judged where labels say when, by the rule of figures/timeline.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ah_ray.profile import Contrast
from ah_ray.study.evaluation.answers.schema import ContrastFigures, ContrastScores, ScoreGain
from ah_ray.study.evaluation.figures.calibration import fit_logistic
from ah_ray.study.evaluation.figures.calibration_intervals import logits
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import (
    CLIP_CORRELATION,
    LEAST_CORRELATION,
    LEVEL,
)
from ah_ray.study.evaluation.figures.measures import Floats, Labels, auroc, average_precision
from ah_ray.study.evaluation.figures.score_intervals import score_difference, score_interval
from ah_ray.study.evaluation.figures.timeline import is_ah, union
from ah_ray.study.evaluation.scored_output import Row, ScoredOutput, number_participants
from ah_ray.verdicts.reducers import parse_reducer

_RIDGE = 1.0  # as for the baselines: a weight that little speaks for stays small


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BothScores:
    """Labels and both scores of n videos, or clips; each field is [n]."""

    label: Labels
    p_ah: Floats
    distance: Floats  # of the contrast
    participant: Sequence[str]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def has_both_labels(self) -> bool:
        return bool(self.label.any() and not self.label.all())


_Scored = tuple[bool, float, float, str]


def measure_contrasts(
    output: ScoredOutput,
    videos: Sequence[Row],
    fitting: Sequence[Row],
    fitted_on: str,
    level: float = LEVEL,
) -> tuple[ContrastFigures, ...]:
    """Return the figures of each contrast that the output's profiles name.

    `videos` are rows of LABELLED_VIDEOS that are reported, `fitting` those of the split
    `fitted_on`. A contrast that no reported video has is left out.
    """
    found = []
    reducer = output.config.reduction.reducer
    for contrast in _contrasts(output):
        of_videos, of_clips = (
            _measure_level(collect, output, contrast.name, videos, fitting, fitted_on, level)
            for collect in (collect_videos, collect_clips)
        )
        if of_videos is not None:
            found.append(
                ContrastFigures(
                    contrast=contrast.name,
                    between=contrast.between,
                    reducer=reducer,
                    videos=of_videos,
                    clips=of_clips,
                )
            )
    return tuple(found)


def _contrasts(output: ScoredOutput) -> list[Contrast]:
    found: dict[str, Contrast] = {}
    for profile in output.config.profiles:
        for contrast in profile.contrasts:
            found.setdefault(contrast.name, contrast)
    return list(found.values())


def collect_videos(output: ScoredOutput, contrast: str, videos: Sequence[Row]) -> BothScores:
    """Return both scores of the videos that have a verdict and the contrast."""
    reduce = parse_reducer(output.config.reduction.reducer)

    def scored() -> Iterator[_Scored]:
        for video in videos:
            row = output.rows.get(video["video_id"])
            clips = [] if row is None else list(_contrasted(row, contrast))
            if row is not None and row["p_ah"] is not None and clips:
                lengths_s = [clip["end_s"] - clip["start_s"] for clip, _ in clips]
                distance = reduce([each for _, each in clips], lengths_s)
                yield video["label"] == 1, row["p_ah"], distance, video["participant_id"]

    return _both_scores(scored())


def collect_clips(output: ScoredOutput, contrast: str, videos: Sequence[Row]) -> BothScores:
    """Return both scores of the clips of videos that say when; none if nothing is marked."""

    def scored() -> Iterator[_Scored]:
        for video in videos:
            row = output.rows.get(video["video_id"])
            segments = union((each["start_s"], each["end_s"]) for each in video["segments"] or ())
            if row is None or (video["label"] == 1 and not segments):
                continue
            for clip, distance in _contrasted(row, contrast):
                label = is_ah((clip["start_s"], clip["end_s"]), segments)
                yield label, clip["p_ah"], distance, video["participant_id"]

    found = list(scored())
    return _both_scores(found if any(label for label, *_ in found) else [])


def _contrasted(row: Row, contrast: str) -> Iterator[tuple[Row, float]]:
    for clip in row["clips"]:
        for one in clip["contrasts"] or () if clip["p_ah"] is not None else ():
            if one["contrast"] == contrast:
                yield clip, float(one["distance"])


def _both_scores(found: Iterator[_Scored] | Sequence[_Scored]) -> BothScores:
    rows = list(found)
    return BothScores(
        label=np.array([label for label, *_ in rows], np.bool_),
        p_ah=np.array([p_ah for _, p_ah, *_ in rows], np.float64),
        distance=np.array([distance for *_, distance, _ in rows], np.float64),
        participant=[whose for *_, whose in rows],
    )


def _measure_level(
    collect: Callable[[ScoredOutput, str, Sequence[Row]], BothScores],
    output: ScoredOutput,
    contrast: str,
    videos: Sequence[Row],
    fitting: Sequence[Row],
    fitted_on: str,
    level: float,
) -> ContrastScores | None:
    scored = collect(output, contrast, videos)
    if not len(scored):
        return None
    fit = collect(output, contrast, fitting)
    correlation = CLIP_CORRELATION if collect is collect_clips else LEAST_CORRELATION
    return measure_scores(scored, fit, fitted_on, level, correlation)


def measure_scores(
    scored: BothScores,
    fit: BothScores,
    fitted_on: str,
    level: float = LEVEL,
    correlation: float = LEAST_CORRELATION,
) -> ContrastScores:
    """Return the figures of n ≥ 1 videos or clips; nothing is fitted to those of one label."""
    whose = number_participants(scored.participant)
    average, area = (
        score_interval(measure, scored.label, scored.distance, whose, level, correlation)
        for measure in (average_precision, auroc)
    )

    def gain(other: Floats) -> ScoreGain:
        less, area_less = (
            score_difference(measure, scored.label, scored.p_ah, other, whose, level)
            for measure in (average_precision, auroc)
        )
        return ScoreGain(
            average_precision=estimate_of(less, n=len(scored)),
            auroc=estimate_of(area_less, n=len(scored)),
        )

    added = None
    if fit.has_both_labels:
        weights = fit_logistic(_design(fit), fit.label.astype(np.float64), ridge=_RIDGE)
        added = gain(1 / (1 + np.exp(-(_design(scored) @ weights))))
    return ContrastScores(
        n=len(scored),
        n_participants=len(set(scored.participant)),
        n_ah=int(scored.label.sum()),
        average_precision=estimate_of(average, n=len(scored)),
        auroc=estimate_of(area, n=len(scored)),
        less_p_ah=gain(scored.distance),
        fitted_on=None if added is None else fitted_on,
        added=added,
    )


def _design(scores: BothScores) -> Floats:
    return np.stack([np.ones(len(scores)), logits(scores.p_ah), scores.distance], axis=1)
