"""What was judged before: seconds of videos that have an answer, and who is not for training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import Faults, FaultyInput
from ah_ray.study.labelled_manifest import SPLITS, read_labelled_videos, read_windows
from ah_ray.study.review.choosing.spread import overlap
from ah_ray.study.review.sheet import read_answers

_LEARNED_FROM = SPLITS[0]
Span = tuple[float, float]  # start_s, end_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The seconds of each video that were judged, and the videos of people in val and test."""

    spans: dict[str, list[Span]] = field(default_factory=dict)  # by video_id
    held_out: frozenset[str] = frozenset()

    def has(self, video_id: str, span: Span) -> bool:
        """Return whether any second of the span was judged."""
        return overlap(span, self.spans.get(video_id, ()))


def read_answered(places: Sequence[str]) -> Answered:
    """Return what is judged in labelled manifests and in filled-in sheets (`….csv`).

    A row of a sheet without an answer is not judged; one that was answered with Cannot tell is.
    Raise ConfigError if one cannot be read, or if a sheet has faults.
    """
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    held_out: set[str] = set()
    sheets = [place for place in places if place.lower().endswith(".csv")]
    for video_id, *span in _of_sheets(sheets):
        spans[video_id].append((span[0], span[1]))
    for labels in places:
        if labels in sheets:
            continue
        for row in read_windows(labels).to_pylist():
            if row["label"] is not None:  # else it is judged by other questions alone
                spans[row["video_id"]].append((row["start_s"], row["end_s"]))
        for row in read_labelled_videos(labels).select(["video_id", "split"]).to_pylist():
            if row["split"] != _LEARNED_FROM:
                held_out.add(row["video_id"])
    return Answered(spans=dict(spans), held_out=frozenset(held_out))


def _of_sheets(sheets: Sequence[str]) -> Iterable[tuple[str, float, float]]:
    faults = Faults()
    answers = read_answers(sheets, faults).answers
    try:
        faults.raise_any(skip_faulty=False)
    except FaultyInput as error:
        raise ConfigError(f"--answered {error.faults[0]}") from None
    return [(one.video_id, one.start_s, one.end_s) for one in answers]
