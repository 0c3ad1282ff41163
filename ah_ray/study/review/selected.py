"""How the videos of a review were chosen, and how many of the cohort each of them stands for.

A label that comes back says in `selection` and `weight` how its video was chosen:

    null                 every scored video of the output was judged, so nothing was selected
    drawn:<draw>:<name>  drawn at random from a stratum; `weight` is N_h / n_h
    moments              chosen by its scores, or nobody knows how: no figure follows from it

Of a stratum the n_h that have a label count. That some were not answered is taken for chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ah_ray.errors import ConfigError
from ah_ray.profile import YES
from ah_ray.study.evaluation.figures.estimate import Estimate
from ah_ray.study.evaluation.figures.sampled import Sample, sample_estimate
from ah_ray.study.label_errors import Faults
from ah_ray.study.labelled_manifest import DRAWN, MOMENTS
from ah_ray.study.review.candidates import scored_video_ids
from ah_ray.study.review.draw import Unit
from ah_ray.study.review.draw_record import DrawRecord, draw_in, read_draw
from ah_ray.study.review.judged_clips import SAME_S, JudgedClip
from ah_ray.study.review.sheet import Answer

_CLIP_MEASURES = ("accuracy", "macro_f1", "recall_ah", "specificity", "precision_ah", "prevalence")
_Place = tuple[str, int]  # video_id, start in ms


@dataclass(frozen=True, slots=True, kw_only=True)
class StrataOfSheets:
    """The draw that sheets come from, if any, and the stratum of each row that was drawn."""

    out: str
    record: DrawRecord | None = None
    stratum: dict[_Place, int] = field(default_factory=dict)

    def selection(
        self, labels: Mapping[str, int | None], whole: Collection[str]
    ) -> dict[str, tuple[str | None, float | None]]:
        """Return `selection` and `weight` of each video. `whole` are those judged as a whole."""
        drawn = self._drawn_videos(labels, whole)
        is_judged = None not in labels.values() and not drawn
        if is_judged and labels.keys() >= scored_video_ids(self.out):
            return dict.fromkeys(labels, (None, None))
        found: dict[str, tuple[str | None, float | None]] = dict.fromkeys(labels, (MOMENTS, None))
        if self.record is not None:
            n_labelled = Counter(drawn.values())
            for video_id, number in drawn.items():
                stratum = self.record.strata[number]
                weight = stratum.n_cohort / n_labelled[number]
                found[video_id] = (f"{DRAWN}:{self.record.draw}:{stratum.name}", weight)
        return found

    def _drawn_videos(
        self, labels: Mapping[str, int | None], whole: Collection[str]
    ) -> dict[str, int]:
        if self.record is None or self.record.unit is not Unit.VIDEO:
            return {}
        return {
            video_id: self.stratum[video_id, 0]
            for video_id, label in labels.items()
            if label is not None and video_id in whole and (video_id, 0) in self.stratum
        }

    def describe(self, clips: Sequence[JudgedClip]) -> dict[str, Any] | None:
        """Return the draw for prepared.json; None if nothing was drawn."""
        if self.record is None:
            return None
        judged = Counter(
            number
            for clip in clips
            if (number := self.stratum.get(place_of(clip.video_id, clip.start_s))) is not None
        )
        return {
            "draw": self.record.draw,
            "unit": self.record.unit.value,
            "strata_by": self.record.strata_by.value,
            "without_score": self.record.n_without_score,
            "strata": [
                {
                    "name": stratum.name,
                    "cohort": stratum.n_cohort,
                    "drawn": stratum.n_drawn,
                    "judged": judged[number],
                }
                for number, stratum in enumerate(self.record.strata)
            ],
        }

    def clip_figures(
        self, clips: Sequence[JudgedClip], rows: Mapping[str, dict[str, Any]]
    ) -> dict[str, Estimate] | None:
        """Return how good the model's answers are over all clips, from clips that were drawn."""
        if self.record is None or self.record.unit is not Unit.CLIP:
            return None
        cells, numbers = [], []
        for clip in clips:
            number = self.stratum.get(place_of(clip.video_id, clip.start_s))
            answers = [
                scored["answer"]
                for scored in rows[clip.video_id]["clips"]
                if abs(scored["start_s"] - clip.start_s) < SAME_S and scored["answer"] is not None
            ]
            if number is not None and answers:
                label, yes = bool(clip.yes), answers[0] == YES
                cells.append([label and yes, not label and yes, label and not yes,
                              not label and not yes])  # fmt: skip
                numbers.append(number)
        if not cells:
            return None
        sample = Sample(
            cells=np.array(cells, float),
            stratum=np.array(numbers, np.int64),
            n_cohort=np.array([float(stratum.n_cohort) for stratum in self.record.strata]),
        )
        return {name: sample_estimate(name, sample) for name in _CLIP_MEASURES}


def place_of(video_id: str, start_s: float) -> _Place:
    return video_id, round(start_s / SAME_S)


def read_strata(out: str, answers: Iterable[Answer], faults: Faults) -> StrataOfSheets:
    """Return the strata of the rows that were drawn.

    A mark that does not belong to its row goes to `faults`. Raise ConfigError if the record of the
    draw is missing, or if sheets of several draws are mixed.
    """
    marked = [one for one in answers if one.selection not in (None, "", MOMENTS)]
    draws = {draw_in(one.selection or "") for one in marked}
    if not marked:
        return StrataOfSheets(out=out)
    if len(draws) > 1:
        raise ConfigError(
            f"the sheets are of {len(draws)} draws ({', '.join(sorted(draws))}), whose videos have "
            "different chances: take them back one by one, each into a folder of its own"
        )
    record, stratum = read_draw(out, draws.pop()), {}
    for one in marked:
        number = record.stratum_of(one.selection or "", one.video_id, one.start_s)
        if number is None:
            problem = f"{one.selection!r} is not the mark of this row in the draw {record.draw}"
            faults.add(one.place, problem, "leave `selection` as it was", video=one.video_id)
        else:
            stratum[place_of(one.video_id, one.start_s)] = number
    return StrataOfSheets(out=out, record=record, stratum=stratum)
