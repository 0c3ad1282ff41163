"""Whether a model answers in the form that its scores are read from; said once if it does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ah_ray.records import ClipScore

N_CLIPS = 8
LEAST_MASS = 0.5


class FormatCheck:
    """Looks at the first clips that a replica scores."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._masses: list[float] = []

    def see(self, scores: Sequence[ClipScore]) -> None:
        """Note scores; once there are enough, say so if the model would begin otherwise."""
        if len(self._masses) >= N_CLIPS:
            return
        self._masses += [s.format_mass for s in scores if s.format_mass is not None]
        if len(self._masses) < N_CLIPS:
            return
        mean = math.fsum(self._masses) / len(self._masses)
        if mean < LEAST_MASS:
            self._say(
                f"The model would begin only {mean:.2g} of its answers with <answer> by itself: it "
                "may not be tuned to this profile's prompt, or be one that thinks first, and its "
                "scores mean little (column format_mass)"
            )
