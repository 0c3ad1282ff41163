"""Whether verdicts are as good for every group of people, and for every length of video. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ah_ray.study.evaluation.bootstrap import MIN_PARTICIPANTS, Bootstrap
from ah_ray.study.evaluation.contents import Slice
from ah_ray.study.evaluation.judged import Judged, measured

UNKNOWN = "unknown"
AGES = (18, 25, 35, 45, 55, 65)
LENGTHS_S = (15, 30, 60)


def age_band(age: int | None) -> str:
    """`under 18`, `18–24`, …, `65 and over`."""
    return UNKNOWN if age is None else _band(age, AGES, "", lambda bound: str(bound - 1))


def length_band(duration_s: float | None) -> str:
    """`under 15 s`, `15–30 s`, `30–60 s`, `60 s and over`: from the first on, below the second."""
    return UNKNOWN if duration_s is None else _band(duration_s, LENGTHS_S, " s", str)


def _band(value: float, bounds: Sequence[int], unit: str, last: Callable[[int], str]) -> str:
    above = [bound for bound in bounds if value >= bound]
    if not above:
        return f"under {bounds[0]}{unit}"
    if len(above) == len(bounds):
        return f"{bounds[-1]}{unit} and over"
    return f"{above[-1]}–{last(bounds[len(above)])}{unit}"


def slices(judged: Judged, videos: Sequence[dict], bootstrap: Bootstrap) -> tuple[Slice, ...]:
    """Of scored videos, and the rows of LABELLED_VIDEOS that they are."""
    groups = {
        "age": [age_band(video["age"]) for video in videos],
        "gender": [video["gender"] or UNKNOWN for video in videos],
        "ethnicity": [video["ethnicity"] or UNKNOWN for video in videos],
        "language": [video["language"] or UNKNOWN for video in videos],
        "length": [length_band(video["duration_s"]) for video in videos],
    }
    return tuple(
        _slice(by, group, judged.only(np.array([name == group for name in names])), bootstrap)
        for by, names in groups.items()
        for group in _in_order(by, set(names))
    )


def _slice(by: str, group: str, judged: Judged, bootstrap: Bootstrap) -> Slice:
    enough = judged.n_participants >= MIN_PARTICIPANTS
    return Slice(
        by=by,
        group=group,
        n_videos=len(judged),
        n_participants=judged.n_participants,
        n_ah=int(judged.label.sum()) if enough else None,
        measures=measured(judged, bootstrap) if enough else None,
    )


def _in_order(by: str, names: set[str]) -> Iterator[str]:
    """Bands by their size, other groups by name, the unknown last."""
    if by in ("age", "length"):
        of = age_band if by == "age" else length_band
        bounds = AGES if by == "age" else LENGTHS_S
        order = [of(value) for value in (bounds[0] - 1, *bounds)]
    else:
        order = sorted(names - {UNKNOWN})
    yield from (name for name in [*order, UNKNOWN] if name in names)
