"""What goes into a report: the flags of `jobs/report.py` by their names, and two limits."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from ah_ray import storage
from ah_ray.results.purge import REPORT_FILE
from ah_ray.study.evaluation.evaluate import REPORTED
from ah_ray.validation import validated


class ReportSettings(BaseModel):
    """Without `link_videos` the page holds no name, without `with_frames` no picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: str
    to: str | None = None  # OUT/report.html
    labels: str | None = None  # an output of jobs/prepare.py
    split: str = "test"  # of the labels: what the measures are of
    title: str = "Ambivalence and hesitancy in recordings"
    link_videos: bool = False
    with_frames: bool = False
    id_key: bytes | None = None  # the bytes of that file: keys the ids on the page anew

    # No flags: how often the bootstrap draws, and how many videos a table holds, as more would make
    # the page slow, and larger than mail and browsers like.
    draws: int = 2_000
    most_videos: int = 20_000

    @field_validator("out", "to", "labels", "title")
    @classmethod
    def _not_empty(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("is empty: give a value, or leave it out")
        return value

    @field_validator("split")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in REPORTED:
            raise ValueError(f"there is none named {value!r}; there are {', '.join(REPORTED)}")
        return value

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
