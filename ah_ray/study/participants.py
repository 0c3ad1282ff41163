"""Participants: the source's own names for them, and their splits. Pure.

Nobody is in training and in test: splits are of participants, not of videos. Names are compared in
their normal form (participant_names.py), so that one person who is written in two ways is one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence

from ah_ray.cohort.participant_names import normal_form, show_spellings
from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.labelled_manifest import SPLITS

_IN_NAME = re.compile(r"(.+?)_Question_")


def compiled(pattern: str | None) -> re.Pattern[str] | None:
    """Return the pattern of --participant-pattern. Raise ConfigError if it is not valid."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise ConfigError(f"--participant-pattern {pattern}: {error}") from None


def participant_in(path: str, pattern: re.Pattern[str] | None) -> str | None:
    """Return the participant's name from a video's path in the data set.

    By default paths are those of BAH: <participant>/<visit>/<participant>_Question_<n>_<date>.mp4,
    and both names must agree. With `pattern`, it is the group `participant`, or the first group.
    Return None if the path has no name, or two that differ.
    """
    if pattern is not None:
        found = pattern.search(path)
        if not found:
            return None
        named = "participant" in pattern.groupindex
        return found["participant" if named else min(1, pattern.groups)] or None
    *folders, name = path.split("/")
    folders = folders[1:] if folders[:1] == ["Videos"] else folders
    in_name = _IN_NAME.match(name)
    if in_name is None:
        return folders[0] if folders else None
    agree = not folders or normal_form(in_name[1]) in map(normal_form, folders)
    return in_name[1] if agree else None


def check_splits(known: Iterable[tuple[str, str, Place]], faults: Faults) -> None:
    """Add a fault for every participant who is in two splits.

    `known` are (participant, split, where that is written). Such a fault cannot be skipped: which
    of the splits is right would be a guess.
    """
    found: dict[str, list[tuple[str, str, Place]]] = {}
    for one in known:
        found.setdefault(normal_form(one[0]), []).append(one)
    for entries in found.values():
        first: dict[str, Place] = {}
        for _, split, place in entries:
            first.setdefault(split, place)
        if len(first) > 1:
            who = show_spellings(name for name, _, _ in entries)
            where = " and ".join(f"in {split} ({place})" for split, place in first.items())
            faults.add(
                next(iter(first.values())),
                f"participant {who} is {where}",
                "keep all videos of a participant in one split",
            )


def shares_of(value: object) -> tuple[float, float, float] | None:
    """Return the shares of train, val and test from `0.7,0.1,0.2` or three numbers.

    Raise ValueError if they are not three shares that sum to 1.
    """
    if value is None:
        return None
    parts = value.split(",") if isinstance(value, str) else value
    try:
        shares = tuple(float(part) for part in parts) if isinstance(parts, Iterable) else ()
    except (TypeError, ValueError):
        shares = ()
    match shares:
        case (train, val, test) if train > 0 <= min(val, test) and abs(sum(shares) - 1) < 1e-6:
            return train, val, test
    raise ValueError("give the shares of train, val and test, which sum to 1: 0.7,0.1,0.2")


def draw_splits(participants: Iterable[str], shares: Sequence[float], seed: int) -> dict[str, str]:
    """Return participant → split, with as many participants in each split as its share says.

    Numbers are rounded by the largest remainders; a split whose share is not 0 gets at least one
    while there are enough. All spellings of a name are in the same split.
    """
    people: dict[str, list[str]] = {}
    for participant in sorted(set(participants)):
        people.setdefault(normal_form(participant), []).append(participant)
    order = sorted(people, key=lambda person: people[person][0])
    random.Random(seed).shuffle(order)
    sizes = _sizes(len(order), shares)
    splits = [split for split, size in zip(SPLITS, sizes, strict=True) for _ in range(size)]
    return {
        name: split for person, split in zip(order, splits, strict=True) for name in people[person]
    }


def _sizes(n: int, shares: Sequence[float]) -> list[int]:
    exact = [n * share for share in shares]
    sizes = [int(one) for one in exact]
    by_rest = sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])
    for i in by_rest[: n - sum(sizes)]:
        sizes[i] += 1
    for i, share in enumerate(shares):
        if share > 0 and sizes[i] == 0 and max(sizes) > 1:
            sizes[sizes.index(max(sizes))] -= 1
            sizes[i] = 1
    return sizes
