"""Which pictures a recording shows, and when: what the picks of every window are chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ah_ray.media.caged.pictures import TICKS_PER_S, ticks_of
from ah_ray.media.caged.timing.scan import Scan
from ah_ray.media.caged.timing.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """When pictures are shown, and by which key the decoder names them."""

    times_s: np.ndarray  # [N] float64, rising
    keys: np.ndarray  # [N] int64: ticks, or the place in the decoder's output
    by_place: bool  # the decoder's output is counted, since the container knows no times
    is_exact: bool  # all of these were seen to be decoded

    def time_of(self, key: int) -> float:
        """Return when the picture of a key is shown, in seconds."""
        if not self.by_place:
            return key / TICKS_PER_S
        return float(self.times_s[min(key, len(self.times_s) - 1)])


def list_shown_by_packets(scan: Scan, timeline: Timeline) -> Shown | None:
    """Return the pictures that the packets promise; None if packets have no times of their own."""
    if not scan.has_picture_times:
        return None
    times_s = _sorted_picture_times(timeline)
    keys, first = np.unique(ticks_of(times_s), return_index=True)
    return Shown(times_s=times_s[first], keys=keys, by_place=False, is_exact=False)


def list_shown_by_decoding(found: Sequence[int | None], scan: Scan, timeline: Timeline) -> Shown:
    """Return the pictures that came out of the decoder.

    Args:
        found: The time of each in ticks, in the order of the output; None where it has none.
        scan: The list of packets.
        timeline: Where they belong.
    """
    if not scan.has_picture_times:
        # Pictures come out in the order in which they are shown, so they take the times in turn.
        count = min(len(found), int(np.count_nonzero(~np.isnan(timeline.picture_s))))
        times_s = _sorted_picture_times(timeline)[:count]
        return Shown(times_s=times_s, keys=np.arange(count), by_place=True, is_exact=True)
    keys = np.unique(np.array([tick for tick in found if tick is not None], np.int64))
    return Shown(times_s=keys / TICKS_PER_S, keys=keys, by_place=False, is_exact=True)


def _sorted_picture_times(timeline: Timeline) -> np.ndarray:
    return np.sort(timeline.picture_s[~np.isnan(timeline.picture_s)])
