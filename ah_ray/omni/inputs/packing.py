"""Choose which clips share a pass. These are pure functions: numbers in, indices out."""

from __future__ import annotations

from collections.abc import Sequence


def pack_clips(n_tokens: Sequence[int], token_budget: int) -> list[list[int]]:
    """Return the clips of each pass; no pass exceeds the budget, except one clip larger than it.

    Best fit, longest first: each clip goes where the least room is left after it. Clips of equal
    length become neighbours, which attention on a CPU processes in one call.
    """
    packs: list[list[int]] = []
    room: list[int] = []
    for clip in sorted(range(len(n_tokens)), key=lambda i: (-n_tokens[i], i)):
        fits = [p for p, left in enumerate(room) if left >= n_tokens[clip]]
        if fits:
            best = min(fits, key=room.__getitem__)
        else:
            best = len(packs)
            packs.append([])
            room.append(token_budget)
        packs[best].append(clip)
        room[best] -= n_tokens[clip]
    return packs


MAX_SKIPS = 2
"""Passes for which a clip may be skipped while fuller passes are made of other clips."""


def choose_next_pack(
    n_tokens: Sequence[int], n_skips: Sequence[int], token_budget: int
) -> list[int]:
    """Return the indices of the clips for the next pass, out of those that wait.

    `n_tokens` and `n_skips` are in order of arrival. The fullest pass goes first, so that clips
    still to come can fill the others. A clip that was skipped `MAX_SKIPS` times is in the next
    pass, the oldest such clip first. So a clip waits only for the clips that came before it and for
    `MAX_SKIPS` passes.
    """
    packs = pack_clips(n_tokens, token_budget)
    overdue = next((clip for clip, times in enumerate(n_skips) if times >= MAX_SKIPS), None)
    if overdue is not None:
        return next(chosen for chosen in packs if overdue in chosen)
    return max(packs, key=lambda chosen: sum(n_tokens[clip] for clip in chosen), default=[])
