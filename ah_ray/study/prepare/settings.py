"""All settings of `jobs/prepare.py`, by the names of its flags (and of `--config FILE`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator, model_validator

from ah_ray.config import Tail, Windows
from ah_ray.study.participants import NO_PSEUDONYMS, shares_of
from ah_ray.validation import JobSettings, validated

DEFAULT_SHARES = (0.7, 0.1, 0.2)


class Negatives(StrEnum):
    """Where windows without A/H come from."""

    CLEAN = "clean"  # videos that are not A/H as a whole, as published
    UNMARKED = "unmarked"  # also the parts of A/H videos that nobody marked


class Balance(StrEnum):
    """What is done about one label being more frequent than the other, in train alone."""

    NONE = "none"  # as published
    WEIGHTS = "weights"  # both labels weigh the same in sum
    DRAW = "draw"  # as many negatives as positives, drawn with the seed


class PrepareSettings(JobSettings):
    """How labels become windows. Defaults are the published rules."""

    out: str
    bah: str | None = None
    table: str | None = None
    import_swift: str | None = None

    videos: str | None = Field(None, description="what score.py's --videos would name")
    splits: str | None = None
    annotations: str | None = None
    meta: str | None = None
    participant_pattern: str | None = None
    consent: tuple[str, ...] = ()
    id_key: str | None = None
    plain_participants: bool = False
    skip_faulty: bool = False

    window_s: float = Field(5.0, gt=0, le=30)
    tail: Tail = Tail.DROP
    min_tail_s: float = Field(3.0, ge=0)
    min_window_s: float = Field(0.25, ge=0, description="shorter ones show under four pictures")
    slack_s: float = Field(0.5, ge=0, description="how far a mark may reach past the video's end")
    negatives: Negatives = Negatives.CLEAN
    margin_s: float = Field(0.0, ge=0, description="kept between a mark and an unmarked negative")

    balance: Balance = Balance.NONE
    seed: int = 0
    split: tuple[float, float, float] | None = None

    export_swift: str | None = None
    cut_clips: str | None = None

    @field_validator("consent", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("split", mode="before")
    @classmethod
    def _shares(cls, value: object) -> object:
        return shares_of(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        sources = {"--bah": self.bah, "--table": self.table, "--import-swift": self.import_swift}
        given = [name for name, value in sources.items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(sources)}: where the labels are")
        self._check_people()
        for flag, value in self._of_bah():
            if value and not self.bah:
                raise ValueError(f"{flag} goes with --bah")
        if self.bah and self.split:
            raise ValueError("--split draws splits, and BAH brings its own: leave one out")
        if self.consent and self.import_swift:
            raise ValueError("--consent needs what a JSONL does not tell: filter before exporting")
        if self.cut_clips and not self.export_swift:
            raise ValueError("--cut-clips goes with --export-swift FILE, which names the clips")
        if self.min_window_s > min(self.min_tail_s, self.window_s):
            raise ValueError("--min-window-s is above --min-tail-s or --window-s: lower it")
        return self

    def _check_people(self) -> None:
        if self.id_key and self.plain_participants:
            raise ValueError("--id-key hides who it is and --plain-participants shows it: give one")
        if not (self.id_key or self.plain_participants or self.import_swift):
            raise ValueError(NO_PSEUDONYMS)

    def _of_bah(self) -> list[tuple[str, object]]:
        return [
            ("--splits", self.splits),
            ("--annotations", self.annotations),
            ("--meta", self.meta),
            ("--negatives unmarked", self.negatives is Negatives.UNMARKED),
            ("--margin-s", self.margin_s),
        ]

    def rules_given(self) -> list[str]:
        """The flags of rules that are not as by default."""
        rules = (
            *("window_s", "tail", "min_tail_s", "min_window_s", "slack_s", "balance", "seed"),
            *("split", "videos", "participant_pattern"),
        )
        fields = type(self).model_fields
        return [
            f"--{name.replace('_', '-')}"
            for name in rules
            if getattr(self, name) != fields[name].default
        ]

    @property
    def windows(self) -> Windows:
        return Windows(
            window_s=self.window_s,
            hop_s=self.window_s,
            tail=self.tail,
            min_tail_s=self.min_tail_s,
        )

    @property
    def shares(self) -> tuple[float, float, float]:
        return self.split or DEFAULT_SHARES


def prepare_settings(**values: object) -> PrepareSettings:
    """Validated settings; raises ConfigError with one sentence that names the flag."""
    needed = "--out, one of --bah, --table and --import-swift, and --id-key"
    return validated(PrepareSettings, values, needed)
