"""All settings of `jobs/prepare.py`, by the names of its flags (and of `--config FILE`)."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from ah_ray.config import WindowRules, Windows
from ah_ray.errors import ConfigError
from ah_ray.flag import flag
from ah_ray.omni.weights.swift_record import load_profile_of_version
from ah_ray.profile.question import QUESTION_NAME
from ah_ray.study.exchange.settings import Tool
from ah_ray.study.pseudonym_rule import NO_PSEUDONYMS
from ah_ray.study.split_settings import SplitSettings
from ah_ray.validation import JobSettings, validate_settings

DEFAULT_SHARES = (0.7, 0.1, 0.2)
LeftOut = MutableMapping[str, float]
"""What was left out, and how much of it: videos, windows, seconds."""
SWIFT_VERSION = "4.6.0"
"""Of ms-swift, for an export where none is named: the newest that was tried."""
NEEDED = ("uri", "label", "participant")
KNOWN = (
    *("start_s", "end_s", "split", "question", "video_id"),
    *("age", "gender", "ethnicity", "language", "answer", "weight"),
)
"""Columns of a table of labels; those of `NEEDED` must be there."""


class Negatives(StrEnum):
    """Where windows without A/H come from."""

    CLEAN = "clean"  # videos that are not A/H as a whole, as published
    UNMARKED = "unmarked"  # also the parts of A/H videos that nobody marked


class Balance(StrEnum):
    """What is done about one label being more frequent than the other, in train alone."""

    NONE = "none"  # as published
    WEIGHTS = "weights"  # both labels weigh the same in sum
    DRAW = "draw"  # as many negatives as positives, drawn with the seed


class Overlaps(StrEnum):
    """What becomes of marks of BAH that overlap."""

    JOIN = "join"  # they are one, so that no moment is learned twice
    KEEP = "keep"  # each is cut by itself, as in the published code


class BahSettings(JobSettings):
    """Where the parts of BAH lie, if not in its folder."""

    PANEL: ClassVar[str | None] = "Parts of BAH that lie elsewhere"

    splits: str | None = Field(
        None,
        description="Folder of train.txt, val.txt and test.txt.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    annotations: str | None = Field(
        None,
        description="YAML file with the annotations of all videos, or a folder with one file each.",
        json_schema_extra=flag(metavar="PATH"),
    )
    meta: str | None = Field(
        None,
        description="The file meta_data.yml.",
        json_schema_extra=flag(metavar="FILE"),
    )


class PeopleSettings(JobSettings):
    """Who is seen in the videos, and under which name they are known."""

    PANEL: ClassVar[str | None] = "People"

    participant_pattern: str | None = Field(
        None,
        description="Regular expression that finds the participant in the path of a video.",
        json_schema_extra=flag(metavar="REGEX"),
    )
    id_key: str | None = Field(
        None,
        description="File whose content keys all pseudonyms.",
        json_schema_extra=flag(metavar="FILE"),
    )
    plain_participants: bool = Field(
        False, description="Use no pseudonyms: the people are invented or public."
    )
    with_transcripts: bool = Field(
        False,
        description="Keep BAH's transcripts in the labels. What people say identifies them.",
    )
    consent: tuple[str, ...] = Field(
        (),
        description="Take only people who agreed to this: challenges, publications, or a column of "
        "the table. Repeat the flag for several.",
        json_schema_extra=flag(metavar="USE"),
    )


class WindowSettings(WindowRules):
    """How marks and videos become windows. Defaults are the published rules."""

    PANEL: ClassVar[str | None] = "Windows"

    min_window_s: float = Field(
        0.25,
        ge=0,
        description="Shortest window. Shorter ones, with fewer than four pictures, are left out.",
        json_schema_extra=flag(metavar="SECONDS"),
    )
    slack_s: float = Field(
        0.5,
        ge=0,
        description="How far a mark may reach past the end of the video.",
        json_schema_extra=flag(metavar="SECONDS"),
    )
    negatives: Negatives = Field(
        Negatives.CLEAN,
        description="Where windows without A/H come from: videos without A/H, or also the parts of "
        "other videos that nobody marked.",
    )
    margin_s: float = Field(
        0.0,
        ge=0,
        description="Distance between a mark and an unmarked negative window.",
        json_schema_extra=flag(metavar="SECONDS"),
    )
    overlaps: Overlaps = Field(
        Overlaps.JOIN,
        description="What to do with marks that overlap. As published, each is kept.",
    )


class DrawSettings(SplitSettings):
    """What is drawn: splits, and windows where one label is rarer."""

    PANEL: ClassVar[str | None] = "Splits"

    balance: Balance = Field(
        Balance.NONE,
        description="What to do about the rarer label in train: nothing, give both the same "
        "weight, or draw as many windows of each.",
    )


class SwiftSettings(JobSettings):
    """What is exported for ms-swift."""

    PANEL: ClassVar[str | None] = "ms-swift"

    export_swift: str | None = Field(
        None,
        description="JSONL file for the training split. Those of val and test are written beside "
        "it.",
        json_schema_extra=flag(metavar="FILE"),
    )
    swift_version: str | None = Field(
        None,
        description="Version of ms-swift that will train on the export.",
        json_schema_extra=flag(metavar="VERSION", default=SWIFT_VERSION),
    )
    cut_clips: str | None = Field(
        None,
        description="Folder for the clips of the export, as mp4 and 16 kHz wav.",
        json_schema_extra=flag(metavar="FOLDER"),
    )


class AnnotatedSettings(JobSettings):
    """Annotations that were made with another tool."""

    PANEL: ClassVar[str | None] = "Annotations of other tools"

    elan: str | None = Field(
        None,
        description="File of ELAN (.eaf), or a folder with one or several for each recording.",
        json_schema_extra=flag(metavar="PATH"),
    )
    boris: str | None = Field(
        None,
        description="Project of BORIS (.boris), or a folder with several.",
        json_schema_extra=flag(metavar="PATH"),
    )
    label_studio: str | None = Field(
        None,
        description="Export of Label Studio (format JSON), or a folder with several.",
        json_schema_extra=flag(metavar="PATH"),
    )
    vocabulary: str | None = Field(
        None,
        description="YAML file that says what tiers, behaviours and values mean.",
        json_schema_extra=flag(metavar="FILE", default="the words of export.py"),
    )

    @property
    def annotated(self) -> tuple[Tool, str]:
        """Return the tool whose annotations are read, and where they are."""
        given = {Tool.ELAN: self.elan, Tool.BORIS: self.boris, Tool.LABEL_STUDIO: self.label_studio}
        return next((tool, place) for tool, place in given.items() if place is not None)


class PrepareSettings(
    AnnotatedSettings,
    SwiftSettings,
    DrawSettings,
    WindowSettings,
    PeopleSettings,
    BahSettings,
    JobSettings,
):
    """How labels become windows. Defaults are the published rules."""

    PANEL: ClassVar[str | None] = None

    out: str = Field(
        description="Folder or s3://… prefix for the labelled manifest.",
        json_schema_extra=flag(metavar="URI"),
    )
    bah: str | None = Field(
        None,
        description="Folder of the BAH data set.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    table: str | None = Field(
        None,
        description="CSV or Parquet file of other labels, with the columns uri, label (or question "
        "and answer), participant, and optionally start_s, end_s, split.",
        json_schema_extra=flag(metavar="FILE"),
    )
    label_columns: tuple[str, ...] = Field(
        (),
        description="Column of the table with the answers to the question of this name; "
        "NAME=COLUMN where the names differ. Repeat the flag.",
        json_schema_extra=flag(metavar="NAME"),
    )
    cues: bool = Field(
        False,
        description="Label the questions cue-face, cue-voice, cue-words, cue-body and "
        "cue-contradiction by the cues that BAH's annotators named.",
    )
    import_swift: str | None = Field(
        None,
        description="JSONL file of ms-swift.",
        json_schema_extra=flag(metavar="FILE"),
    )
    videos: str | None = Field(
        None,
        description="What score.py --videos names, so that both give a video the same id.",
        json_schema_extra=flag(metavar="URI", default="the folder of --bah"),
    )
    skip_faulty: bool = Field(
        False,
        description="Leave faulty videos out and count them, instead of ending with an error.",
    )

    @field_validator("label_columns", mode="before")
    @classmethod
    def _split_columns(cls, value: object) -> object:
        """Accept `face,voice` for a list."""
        given = (value,) if isinstance(value, str) else value
        if not isinstance(given, list | tuple):
            return value
        return tuple(part.strip() for one in given for part in str(one).split(",") if part.strip())

    @field_validator("consent", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        annotated = {
            "--elan": self.elan,
            "--boris": self.boris,
            "--label-studio": self.label_studio,
        }
        sources = {
            "--bah": self.bah,
            "--table": self.table,
            "--import-swift": self.import_swift,
            **annotated,
        }
        given = [name for name, value in sources.items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(sources)}: where the labels are")
        self._check_people()
        for name, value in self._of_bah():
            if value and not self.bah:
                raise ValueError(f"{name} goes with --bah")
        if self.label_columns and not self.table:
            raise ValueError("--label-columns goes with --table")
        self._check_label_columns()
        if self.bah and self.split:
            raise ValueError("--split draws splits, and BAH brings its own: leave one out")
        if self.consent and self.import_swift:
            raise ValueError("--consent needs what a JSONL does not tell: filter before exporting")
        if self.consent and any(annotated.values()):
            raise ValueError("--consent needs what annotations do not tell: leave such files out")
        if self.vocabulary and not any(annotated.values()):
            raise ValueError("--vocabulary goes with --elan, --boris or --label-studio")
        if self.cut_clips and not self.export_swift:
            raise ValueError("--cut-clips goes with --export-swift FILE, which names the clips")
        if self.swift_version is not None:
            if not self.export_swift:
                raise ValueError("--swift-version goes with --export-swift FILE")

            try:
                load_profile_of_version(self.swift_version)
            except ConfigError as error:
                raise ValueError(f"--swift-version: {error}") from None
        if self.min_window_s > min(self.min_tail_s, self.window_s):
            raise ValueError("--min-window-s is above --min-tail-s or --window-s: lower it")
        return self

    def _check_people(self) -> None:
        if self.id_key and self.plain_participants:
            raise ValueError("--id-key hides who it is and --plain-participants shows it: give one")
        if not (self.id_key or self.plain_participants or self.import_swift):
            raise ValueError(NO_PSEUDONYMS)

    def _check_label_columns(self) -> None:
        columns = self.columns_of_questions
        if len(columns) < len(self.label_columns):
            raise ValueError("--label-columns names a question twice")
        for name, column in columns.items():
            if not re.fullmatch(QUESTION_NAME, name) or not column:
                raise ValueError(
                    f"--label-columns {name}: the name of a question begins with a letter, and has "
                    "letters, digits, - and _"
                )
            if column in (*NEEDED, *KNOWN):
                raise ValueError(
                    f"--label-columns {name}: the column {column} has a meaning of its own"
                )

    @property
    def columns_of_questions(self) -> dict[str, str]:
        """The columns of --label-columns in lower case, by the question's name."""
        pairs = [one.partition("=") for one in self.label_columns]
        return {
            name.strip(): (column if equals else name).strip().lower()
            for name, equals, column in pairs
        }

    def _of_bah(self) -> list[tuple[str, object]]:
        return [
            ("--splits", self.splits),
            ("--annotations", self.annotations),
            ("--meta", self.meta),
            ("--negatives unmarked", self.negatives is Negatives.UNMARKED),
            ("--margin-s", self.margin_s),
            ("--overlaps keep", self.overlaps is Overlaps.KEEP),
            ("--with-transcripts", self.with_transcripts),
            ("--cues", self.cues),
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
    needed = "--out, a source such as --bah, --table or --elan, and --id-key"
    return validate_settings(PrepareSettings, values, needed)
