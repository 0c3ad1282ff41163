"""Choose which looks are asked of the picture alone, or of the sound alone."""

from __future__ import annotations

import numpy as np

from ah_ray.profile import Sees

_PURPOSE = 0x5EE5  # no other draw of a training has these numbers


def draw_modality(seed: int, epoch: int, window: int, share: float) -> Sees:
    """Return what of a window its questions are asked of in an epoch.

    A `share` of the looks sees one of picture and sound, each in half of them. The draw depends on
    nothing else: so a training that continues asks as it would have asked, with any number of
    workers.
    """
    if not share:
        return Sees.BOTH
    drawn = np.random.default_rng([seed, epoch, window, _PURPOSE]).random()
    if drawn >= share:
        return Sees.BOTH
    return Sees.PICTURE if drawn < share / 2 else Sees.SOUND
