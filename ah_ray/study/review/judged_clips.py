"""Answers of reviewers, clip by clip: the majority, and how far reviewers agree. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ah_ray.study.agreement import cohens_kappa, fleiss_kappa, majority
from ah_ray.study.label_errors import Faults
from ah_ray.study.review.sheet import Answer

SAME_S = 0.001
"""Times of a clip that differ by less are the same: sheets go through spreadsheets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedClip:
    """A clip, or a whole video, that one reviewer or several judged."""

    video_id: str
    start_s: float
    end_s: float
    answers: dict[str, bool]  # by reviewer: True is Yes
    given: list[Answer] = field(default_factory=list)  # the same, as they were written

    @property
    def yes(self) -> bool | None:
        """Return the answer of the majority; None for a tie."""
        return majority(list(self.answers.values()))

    @property
    def is_unanimous(self) -> bool:
        return len(set(self.answers.values())) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two reviewers, and the clips that both judged."""

    names: tuple[str, str]
    n_clips: int
    n_same: int
    kappa: float | None  # Cohen's; null where all answers are the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far reviewers agree on the clips that more than one of them judged."""

    reviewers: tuple[str, ...]
    n_shared: int
    n_unanimous: int
    n_ties: int
    pairs: tuple[Pair, ...]
    n_by_all: int  # clips that every reviewer judged …
    fleiss: float | None  # … and Fleiss' kappa of them, for three reviewers or more


def judged_clips(answers: Iterable[Answer], faults: Faults) -> list[JudgedClip]:
    """Return the clips that have a Yes or No, by video and time.

    A reviewer who cannot tell has no vote. Two different answers of one reviewer about the same
    clip go to `faults`.
    """
    found: dict[tuple[str, int, int], JudgedClip] = {}
    for one in answers:
        if one.yes is None:
            continue
        key = (one.video_id, round(one.start_s / SAME_S), round(one.end_s / SAME_S))
        clip = found.setdefault(
            key,
            JudgedClip(video_id=one.video_id, start_s=one.start_s, end_s=one.end_s, answers={}),
        )
        if one.reviewer not in clip.answers:
            clip.answers[one.reviewer] = one.yes
            clip.given.append(one)
        elif clip.answers[one.reviewer] is not one.yes:
            problem = f"{one.reviewer} answers this clip twice, and differently"
            faults.add(one.place, problem, "keep one of the rows", video=one.video_id)
    return [found[key] for key in sorted(found)]


def agreement(clips: Sequence[JudgedClip]) -> Agreement:
    """Return how far reviewers agree on the clips that more than one of them judged."""
    reviewers = tuple(sorted({name for clip in clips for name in clip.answers}))
    shared = [clip for clip in clips if len(clip.answers) > 1]
    by_all = [clip for clip in clips if len(clip.answers) == len(reviewers)]
    n_yes = [sum(clip.answers.values()) for clip in by_all]
    return Agreement(
        reviewers=reviewers,
        n_shared=len(shared),
        n_unanimous=sum(clip.is_unanimous for clip in shared),
        n_ties=sum(clip.yes is None for clip in shared),
        pairs=tuple(_pair(names, shared) for names in combinations(reviewers, 2)),
        n_by_all=len(by_all),
        fleiss=fleiss_kappa(n_yes, len(reviewers)) if len(reviewers) > 2 else None,
    )


def _pair(names: tuple[str, str], clips: Sequence[JudgedClip]) -> Pair:
    first, second = names
    both = [
        (clip.answers[first], clip.answers[second])
        for clip in clips
        if {*names} <= clip.answers.keys()
    ]
    return Pair(
        names=names,
        n_clips=len(both),
        n_same=sum(a == b for a, b in both),
        kappa=cohens_kappa([a for a, _ in both], [b for _, b in both]),
    )
