"""Everything that is wrong with labels, collected to be reported together: file, line, remedy."""

from __future__ import annotations

from dataclasses import dataclass, field

from ah_ray.cohort.participant_names import normal_form
from ah_ray.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where a label is written."""

    file: str
    line: int = 0  # as an editor counts; of Parquet, the row; 0: the file as a whole

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mistake, and what to do about it.

    `--skip-faulty` leaves out `video` (or a line that names no video), or all videos of
    `participant`. A fault with neither cannot be skipped.
    """

    place: Place
    problem: str
    remedy: str
    video: str | None = None
    participant: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}; {self.remedy}"

    @property
    def may_be_skipped(self) -> bool:
        return self.video is not None or self.participant is not None


class FaultyInput(ConfigError):
    """Labels that cannot be used as they are. `faults` are in the order of files and lines."""

    def __init__(self, message: str, faults: list[Fault]):
        super().__init__(message)
        self.faults = faults


@dataclass(slots=True)
class Faults:
    """All faults that were found so far."""

    found: list[Fault] = field(default_factory=list)
    videos: set[str] = field(default_factory=set)  # those with a fault
    participants: set[str] = field(default_factory=set)

    def add(
        self,
        place: Place,
        problem: str,
        remedy: str,
        *,
        video: str | None = None,
        participant: str | None = None,
    ) -> None:
        self.found.append(
            Fault(place=place, problem=problem, remedy=remedy, video=video, participant=participant)
        )
        if video is not None:
            self.videos.add(video)
        if participant is not None:
            self.participants.add(normal_form(participant))

    def add_error(
        self,
        place: Place,
        error: ConfigError,
        *,
        video: str,
        part: str | None = None,
        remedy: str = "",
    ) -> None:
        """Add what an error says, "problem; remedy", of the file or of a part of it.

        `remedy` is that of an error which names none.
        """
        problem, _, advice = str(error).partition("; ")
        problem = problem if part is None else f"{part}: {problem}"
        self.add(place, problem, advice or remedy, video=video)

    def concern(self, video: str, participant: str | None = None) -> bool:
        """Return whether this video cannot be used; it then counts as left out."""
        if participant is not None and normal_form(participant) in self.participants:
            self.videos.add(video)
        return video in self.videos

    def forget(self, video: str) -> None:
        """Forget the faults of a video whose labels are not used at all."""
        self.found = [fault for fault in self.found if fault.video != video]
        self.videos.discard(video)

    def sorted(self) -> list[Fault]:
        return sorted(self.found, key=lambda fault: (fault.place, fault.problem))

    def raise_any(self, *, skip_faulty: bool) -> None:
        """Raise FaultyInput if there is a fault; with `skip_faulty`, only for those that stay."""
        shown = [f for f in self.sorted() if not (skip_faulty and f.may_be_skipped)]
        if shown:
            raise FaultyInput(_summary(shown), shown)


def _summary(faults: list[Fault]) -> str:
    n, files = len(faults), len({fault.place.file for fault in faults})
    grave = sum(not fault.may_be_skipped for fault in faults)
    them, these = ("it", "this video") if n == 1 else ("them", "these videos")
    remedy = f"correct {them}, or leave {these} out with --skip-faulty"
    if grave:
        which = "this" if n == 1 else "any of them" if grave == n else f"{grave:,} of them"
        remedy = f"correct {them} (--skip-faulty cannot leave {which} out)"
    return (
        f"{n:,} fault{'s' * (n > 1)} in {files:,} file{'s' * (files > 1)}, nothing was written: "
        f"{remedy}"
    )
