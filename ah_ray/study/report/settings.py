"""What goes into a report, by the names of the flags of `jobs/report.py`."""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray import storage
from ah_ray.results.purge import REPORT_FILE

MOST_VIDEOS = 20_000
"""In the table of a page: more would make it slow, and larger than mail and browsers like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """Without `link_videos` the page holds no name, without `with_frames` no picture."""

    out: str
    to: str | None = None  # OUT/report.html
    labels: str | None = None  # an output of jobs/prepare.py
    split: str = "test"  # of the labels: what the measures are of
    draws: int = 2_000  # of the bootstrap
    title: str = "Ambivalence and hesitancy in recordings"
    link_videos: bool = False
    with_frames: bool = False
    id_key: bytes | None = None  # keys the ids on the page anew
    most_videos: int = MOST_VIDEOS

    @property
    def file(self) -> str:
        """Where the page goes."""
        return storage.normalise(self.to or storage.join(self.out, REPORT_FILE))
