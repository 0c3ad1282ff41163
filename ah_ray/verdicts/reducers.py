"""The registry of reducers: how the probabilities of a video's clips become one of its own. Pure.

A new reducer is one entry in `REDUCERS`. The help of `--reducer`, the message for an unknown name,
the table in docs/scoring.md, the words of the report and the comparison in jobs/evaluate.py are
made from the registry or tested against it.

A reducer sees only clips that were scored. Its result must stay within the range of the
probabilities it is given, even after rounding, so that clips that lie exactly at the threshold make
a Yes. (`noisyor` may exceed the highest of them; it is never below it.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ah_ray.errors import ConfigError
from ah_ray.profile import answer_word

Reduce = Callable[[Sequence[float], Sequence[float]], float]
"""Takes probabilities and lengths in seconds of n ≥ 1 clips; returns the video's probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reducer:
    """One way to form a video's probability from those of its clips."""

    name: str  # as `--reducer` takes it, and as rows hold it
    reduce: Reduce
    summary: str  # for the help and the docs: what a video's p_ah is
    words: str  # for the report, after "A video's score is …"
    clip_threshold: float | None = None
    """The fixed threshold of a clip's answer, for a reducer that counts answers.

    None: a clip is answered as a video of that clip alone would be, calibration included.
    """
    with_number: Callable[[int], Reducer] | None = None
    """Makes the same reducer with another number at the end of its name (`topk3` → `topk5`)."""

    def __call__(self, p_ah: Sequence[float], lengths_s: Sequence[float]) -> float:
        return self.reduce(p_ah, lengths_s)


def _weighted_mean(p: Sequence[float], weights: Sequence[float]) -> float:
    total = math.fsum(weights)
    if total <= 0:
        return _mean(p)
    mean = math.fsum(x * w for x, w in zip(p, weights, strict=True)) / total
    return min(max(mean, min(p)), max(p))


def _mean(p: Sequence[float]) -> float:
    return min(max(math.fsum(p) / len(p), min(p)), max(p))


def _noisy_or(p: Sequence[float]) -> float:
    if max(p) >= 1:
        return 1.0
    return max(max(p), -math.expm1(math.fsum(math.log1p(-x) for x in p)))


_COUNTED_AT = 0.5


def _share(p: Sequence[float]) -> float:
    return sum(x >= _COUNTED_AT for x in p) / len(p)


def _top_k(k: int) -> Reducer:
    return Reducer(
        name=f"topk{k}",
        reduce=lambda p, _: _mean(sorted(p, reverse=True)[:k]),
        summary=f"the mean of the {k} highest clip scores, or of all where there are fewer",
        words=f"the mean of its {k} highest clips",
        with_number=_top_k,
    )


REDUCERS: dict[str, Reducer] = {
    reducer.name: reducer
    for reducer in (
        Reducer(
            name="any",
            reduce=lambda p, _: max(p),
            summary="the highest clip score (as published: one Yes makes the video a Yes)",
            words="the highest of its clips",
        ),
        Reducer(
            name="mean",
            reduce=lambda p, _: _mean(p),
            summary="the mean of the clip scores",
            words="the mean of its clips",
        ),
        _top_k(3),
        Reducer(
            name="noisyor",
            reduce=lambda p, _: _noisy_or(p),
            summary="1 − Π(1 − p): the chance that at least one clip is a Yes, if clips were "
            "independent",
            words="the chance that at least one of its clips is a Yes, were they independent",
        ),
        Reducer(
            name="share",
            reduce=lambda p, _: _share(p),
            summary="the share of clips that are a Yes at 0.5",
            words="the share of its clips that are a Yes",
            clip_threshold=_COUNTED_AT,
        ),
        Reducer(
            name="duration",
            reduce=_weighted_mean,
            summary="the mean of the clip scores, weighted by the clips' lengths",
            words="the mean of its clips, weighted by their length",
        ),
    )
}
"""All reducers by name, in the order in which help and docs list them."""

_NUMBERED = re.compile(r"(.*?)([1-9][0-9]{0,8})", re.ASCII | re.DOTALL)


def find_reducer(name: str) -> Reducer | None:
    """Return the reducer of this name, or None if there is none."""
    if reducer := REDUCERS.get(name):
        return reducer
    if match := _NUMBERED.fullmatch(name):
        for reducer in REDUCERS.values():
            if reducer.with_number and reducer.name.rstrip("0123456789") == match[1]:
                return reducer.with_number(int(match[2]))
    return None


def parse_reducer(name: str) -> Reducer:
    """Return the reducer of this name. Raise ConfigError, which lists all, if there is none."""
    reducer = find_reducer(name)
    if reducer is None:
        raise ConfigError(
            f"--reducer {name}: there is no reducer of this name; choose one of {list_reducers()}"
        )
    return reducer


def list_reducers() -> str:
    """Return the names of all reducers for a sentence: `any, mean, topk3 (or another number), …`"""
    return ", ".join(
        f"{reducer.name} (or another number)" if reducer.with_number else reducer.name
        for reducer in REDUCERS.values()
    )


def form_answer(p_ah: float, threshold: float) -> str:
    """Return `Yes` if p_ah ≥ threshold, else `No`."""
    return answer_word(p_ah >= threshold)
