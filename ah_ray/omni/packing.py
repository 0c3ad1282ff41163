"""Which clips share one pass. Pure: numbers in, indices out."""

from __future__ import annotations

from collections.abc import Sequence


def pack(n_tokens: Sequence[int], token_budget: int) -> list[list[int]]:
    """Indices of the clips of each pass; no pass is over the budget but of a clip larger than it.

    Best fit, longest first: each clip goes where the least room is left after it. Equal lengths
    come out side by side, which attention on a CPU takes in one call.
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
