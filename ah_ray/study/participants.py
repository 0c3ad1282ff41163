"""Who is seen: the source's own names for participants, their pseudonyms, and their splits. Pure.

Whoever is in training is never in test: splits are of participants, not of videos.
"""

from __future__ import annotations

import hmac
import random
import re
from collections.abc import Iterable, Sequence

from ah_ray.errors import ConfigError
from ah_ray.study.faults import Faults, Place
from ah_ray.study.labels import SPLITS

NO_PSEUDONYMS = (
    "participants need pseudonyms: give --id-key FILE (16 bytes or more that nobody can guess), or "
    "--plain-participants if the people are invented or public"
)

_IN_NAME = re.compile(r"(.+?)_Question_")


def pseudonym(participant: str, key: bytes | None) -> str:
    """16 hex digits that only the key's owner can connect with a name; without one, the name."""
    if key is None:
        return participant
    return hmac.digest(key, f"participant\0{participant}".encode(), "sha256").hex()[:16]


def compiled(pattern: str | None) -> re.Pattern[str] | None:
    """Raises ConfigError if it is no regular expression."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise ConfigError(f"--participant-pattern {pattern}: {error}") from None


def participant_in(path: str, pattern: re.Pattern[str] | None) -> str | None:
    """Whose video it is, by its path in the data set; None if that does not say, or says two.

    By default, as BAH names videos: <participant>/<visit>/<participant>_Question_<n>_<date>.mp4,
    and both must agree. `pattern` finds it otherwise: its group `participant`, or the first.
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
    return in_name[1] if not folders or in_name[1] in folders else None


def check_splits(known: Iterable[tuple[str, str, Place]], faults: Faults) -> None:
    """Tells of every participant who is in two splits; of (participant, split, where it says so).

    None of it can be left out: which of the splits is meant would be a guess.
    """
    first: dict[str, dict[str, Place]] = {}
    for participant, split, place in known:
        first.setdefault(participant, {}).setdefault(split, place)
    for participant, places in first.items():
        if len(places) > 1:
            where = " and ".join(f"in {split} ({place})" for split, place in places.items())
            faults.add(
                next(iter(places.values())),
                f"participant {participant} is {where}",
                "keep all videos of a participant in one split",
            )


def shares_of(value: object) -> tuple[float, float, float] | None:
    """The shares of train, val and test, of `0.7,0.1,0.2` or three numbers. Raises ValueError."""
    if value is None:
        return None
    if isinstance(value, str):
        value = tuple(part.strip() for part in value.split(","))
    try:
        shares = tuple(float(part) for part in value)
    except (TypeError, ValueError):
        shares = ()
    if len(shares) != 3 or not (shares[0] > 0 <= min(shares) and abs(sum(shares) - 1) < 1e-6):
        raise ValueError("give the shares of train, val and test, which sum to 1: 0.7,0.1,0.2")
    return shares


def draw_splits(participants: Iterable[str], shares: Sequence[float], seed: int) -> dict[str, str]:
    """participant → split: as many participants in each as its share says, drawn with the seed.

    Numbers are rounded by the largest remainders; a split whose share is not 0 gets one at least
    while there are enough.
    """
    drawn = sorted(set(participants))
    random.Random(seed).shuffle(drawn)
    sizes = _sizes(len(drawn), shares)
    names = [split for split, size in zip(SPLITS, sizes, strict=True) for _ in range(size)]
    return dict(zip(drawn, names, strict=True))


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
