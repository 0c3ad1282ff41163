"""What goes into a report: the flags of `jobs/report.py` by their names, and two limits."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ah_ray import storage
from ah_ray.results.purge import REPORT_FILE
from ah_ray.study.evaluation.settings import Split
from ah_ray.validation import JobSettings, validated


class ReportSettings(JobSettings):
    """Without `link_videos` the page holds no name, without `with_frames` no picture."""

    out: str
    to: str | None = None  # OUT/report.html
    labels: str | None = None  # an output of jobs/prepare.py
    split: Split = "test"  # of the labels: what the measures are of
    title: str = "Ambivalence and hesitancy in recordings"
    link_videos: bool = False
    with_frames: bool = False
    id_key: bytes | None = None  # the bytes of that file: keys the ids on the page anew

    # No flags: how often the bootstrap draws, and how many videos a table holds, as more would make
    # the page slow, and larger than mail and browsers like.
    draws: int = 2_000
    most_videos: int = 20_000

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "split" in self.model_fields_set and self.labels is None:
            raise ValueError("--split is of --labels: give them, or leave it out")
        return self

    @property
    def file(self) -> str:
        """Where the page goes."""
        return storage.normalise(self.to or storage.join(self.out, REPORT_FILE))


def report_settings(**values: object) -> ReportSettings:
    """Validated settings; raises ConfigError with one sentence that names the flag."""
    return validated(ReportSettings, values, "OUT")
