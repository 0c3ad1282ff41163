"""A scorer without a model, for tests in which the model plays no part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ah_ray.errors import ErrorKind
from ah_ray.records import Clip, ClipScore


class FakeScorer:
    """Give every clip the same probability; a clip without pixels gets an error instead."""

    def __init__(self, p_ah: float = 0.5, *, with_embeddings: bool = False):
        self._p_ah = p_ah
        self._with_embeddings = with_embeddings

    def score(self, clips: Sequence[Clip]) -> list[ClipScore]:
        """Return one score for each clip, as `ah_ray.Scorer` asks for."""
        return [self._score(clip) for clip in clips]

    def _score(self, clip: Clip) -> ClipScore:
        times = {"clip_index": clip.clip_index, "start_s": clip.start_s, "end_s": clip.end_s}
        if clip.frames is None or not clip.frames.size:
            return ClipScore(
                **times, p_ah=None, error_kind=ErrorKind.SCORING, error="the clip has no pixels"
            )
        embedding = None
        if self._with_embeddings:  # the mean of each channel, and the place of the clip
            numbers = [*clip.frames.mean(axis=(0, 1, 2)), clip.clip_index]
            embedding = np.array(numbers, "<f2").tobytes()
        return ClipScore(**times, p_ah=self._p_ah, n_frames=len(clip.frames), embedding=embedding)
