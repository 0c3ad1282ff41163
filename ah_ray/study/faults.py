"""What is wrong with labels, gathered so that all of it is told at once: file, line, mend."""

from __future__ import annotations

from dataclasses import dataclass, field

from ah_ray.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where a label was written down."""

    file: str
    line: int = 0  # as an editor counts; of Parquet, the row; 0: the file as a whole

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, and what its owner can do about it.

    `--skip-faulty` leaves out `video` (or the line that names none), or all videos of
    `participant`. Without either it can leave out nothing.
    """

    place: Place
    problem: str
    mend: str
    video: str | None = None
    participant: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}; {self.mend}"

    @property
    def may_be_skipped(self) -> bool:
        return self.video is not None or self.participant is not None


class FaultyInput(ConfigError):
    """Labels that cannot be used as they are. `faults` are all of them, by file and line."""

    def __init__(self, message: str, faults: list[Fault]):
        super().__init__(message)
        self.faults = faults


@dataclass(slots=True)
class Faults:
    """All that was found so far."""

    found: list[Fault] = field(default_factory=list)
    videos: set[str] = field(default_factory=set)  # of which something is wrong
    participants: set[str] = field(default_factory=set)

    def add(
        self,
        place: Place,
        problem: str,
        mend: str,
        *,
        video: str | None = None,
        participant: str | None = None,
    ) -> None:
        self.found.append(
            Fault(place=place, problem=problem, mend=mend, video=video, participant=participant)
        )
        if video is not None:
            self.videos.add(video)
        if participant is not None:
            self.participants.add(participant)

    def concern(self, video: str, participant: str | None = None) -> bool:
        """True if this video cannot be used; it then counts as one that is left out."""
        if participant in self.participants:
            self.videos.add(video)
        return video in self.videos

    def forget(self, video: str) -> None:
        """Its labels are not to be used at all, so nothing of it needs to be mended."""
        self.found = [fault for fault in self.found if fault.video != video]
        self.videos.discard(video)

    def sorted(self) -> list[Fault]:
        return sorted(self.found, key=lambda fault: (fault.place, fault.problem))

    def raise_any(self, *, skip_faulty: bool) -> None:
        """Raises FaultyInput; with `skip_faulty` only for what cannot be left out."""
        shown = [f for f in self.sorted() if not (skip_faulty and f.may_be_skipped)]
        if shown:
            raise FaultyInput(_summary(shown), shown)


def _summary(faults: list[Fault]) -> str:
    n, files = len(faults), len({fault.place.file for fault in faults})
    grave = sum(not fault.may_be_skipped for fault in faults)
    them, these = ("it", "this video") if n == 1 else ("them", "these videos")
    mend = f"mend {them}, or leave {these} out with --skip-faulty"
    if grave:
        which = "this" if n == 1 else "any of them" if grave == n else f"{grave:,} of them"
        mend = f"mend {them} (--skip-faulty cannot leave {which} out)"
    return (
        f"{n:,} fault{'s' * (n > 1)} in {files:,} file{'s' * (files > 1)}, nothing was written: "
        f"{mend}"
    )
