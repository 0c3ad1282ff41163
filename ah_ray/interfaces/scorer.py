"""The protocol that a model must fulfil to score clips. It needs neither torch nor Ray.

The one implementation here is `ah_ray.omni.scorer.OmniScorer`. Another model family is another
class with this one method, which `ah_ray.pipeline.actors.model_families.load_scorer` returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ah_ray.records import Clip, ClipScore

CLIPS_PER_GPU_CALL = 64
"""Clips that the pipeline brings to a scorer on a GPU in one call.

How many of them share a pass is decided by their tokens (`ah_ray.omni.token_budget`)."""

CALLS_AT_ONCE = 2
"""Threads of a replica that call its scorer: the host work of one runs beside the other's pass."""


@runtime_checkable
class Scorer(Protocol):
    """A loaded model: decoded clips in, one P(A/H) for each of them out.

    A replica holds one scorer and calls it from several threads at once, so `score` must be
    thread-safe.
    """

    def score(self, clips: Sequence[Clip]) -> list[ClipScore]:
        """Return one score for each clip, in the order of the clips.

        Every clip has frames [T, H, W, 3] uint8 (T even, H and W multiples of 32) and samples [N]
        float32 at 16 kHz. A score repeats its clip's `clip_index`, `start_s` and `end_s`. Its
        `p_ah` is a probability, and does not depend on the other clips of the call. Its `embedding`
        is optional: a vector that is near those of clips which the model takes for similar, and is
        asked for by `--keep-embeddings`.

        A clip that the model cannot score costs no other clip its score: in its place stands a
        `ClipScore` with `p_ah=None`, an `error_kind` and a one-line `error`. Only an error of the
        device itself is raised: it ends the replica, and Ray starts another.
        """
        ...
