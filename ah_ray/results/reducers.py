"""From the probabilities of a video's clips to one of its own. Pure.

    any        the highest clip's (as published: one Yes makes the video Yes)
    mean       of all clips
    topk3      mean of the 3 highest; any k, and all of them where there are fewer
    noisyor    1 − Π(1 − p): at least one of them, were they independent
    share      of clips that are Yes at 0.5
    duration   mean, weighted by the clips' lengths

Only clips that were scored count. None of these leaves the range of the probabilities it is
given (`noisyor` goes above it, and never below the highest), also not by rounding: clips that lie
exactly at the threshold make a Yes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from ah_ray.config import Reduction
from ah_ray.errors import ConfigError
from ah_ray.records import ClipScore

Reducer = Callable[[Sequence[float], Sequence[float]], float]
"""(probabilities, lengths in seconds) of n ≥ 1 clips → the video's probability."""

SHARE_THRESHOLD = 0.5
YES, NO = "Yes", "No"
_TOPK = re.compile(r"topk([1-9][0-9]*)")


def _mean(p: Sequence[float], weights: Sequence[float] | None = None) -> float:
    total = math.fsum(weights) if weights else 0.0
    if weights and total > 0:
        mean = math.fsum(x * w for x, w in zip(p, weights, strict=True)) / total
    else:
        mean = math.fsum(p) / len(p)
    return min(max(mean, min(p)), max(p))


def _noisyor(p: Sequence[float]) -> float:
    if max(p) >= 1:
        return 1.0
    return max(max(p), -math.expm1(math.fsum(math.log1p(-x) for x in p)))


def _share(p: Sequence[float]) -> float:
    return sum(x >= SHARE_THRESHOLD for x in p) / len(p)


_BY_NAME: dict[str, Reducer] = {
    "any": lambda p, _: max(p),
    "mean": lambda p, _: _mean(p),
    "noisyor": lambda p, _: _noisyor(p),
    "share": lambda p, _: _share(p),
    "duration": _mean,
}


def parse_reducer(name: str) -> Reducer:
    """The reducer of that name. Raises ConfigError, which lists them, if there is none."""
    if reducer := _BY_NAME.get(name):
        return reducer
    if match := _TOPK.fullmatch(name):
        k = int(match[1])
        return lambda p, _: _mean(sorted(p, reverse=True)[:k])
    known = ", ".join([*_BY_NAME, "topk3 (or another k)"])
    raise ConfigError(f"--reducer {name}: there is none of that name; there are {known}")


def reduce_clips(
    clips: Sequence[ClipScore], reduction: Reduction
) -> tuple[float | None, str | None]:
    """P(A/H) and answer of a video, from those of its clips that were scored; nulls if none was."""
    return reduce_scores(
        [clip.p_ah for clip in clips], [clip.end_s - clip.start_s for clip in clips], reduction
    )


def reduce_scores(
    p_ah: Sequence[float | None], lengths_s: Sequence[float], reduction: Reduction
) -> tuple[float | None, str | None]:
    """The same from bare columns; a null probability is a clip that failed."""
    good = [(p, s) for p, s in zip(p_ah, lengths_s, strict=True) if p is not None]
    if not good:
        return None, None
    p_video = scaled(
        parse_reducer(reduction.reducer)(*map(list, zip(*good, strict=True))), reduction
    )
    return p_video, answer(p_video, reduction.threshold)


def scaled(p_ah: float, reduction: Reduction) -> float:
    """As the calibration has it, if there is one."""
    return p_ah if reduction.scaling is None else reduction.scaling(p_ah)


def clip_answer(p_ah: float | None, reduction: Reduction) -> str | None:
    """A clip is a Yes where a video of that clip alone would be; for `share`, which counts, at 0.5.

    So with `any` a video is a Yes iff one of its clips is, calibrated or not.
    """
    if p_ah is None:
        return None
    if reduction.reducer == "share":
        return answer(p_ah, SHARE_THRESHOLD)
    return answer(scaled(p_ah, reduction), reduction.threshold)


def answer(p_ah: float | None, threshold: float) -> str | None:
    """`Yes` iff p_ah ≥ threshold; null for null."""
    if p_ah is None:
        return None
    return YES if p_ah >= threshold else NO
