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


PATIENCE = 2
"""Passes that a clip may see go by while fuller ones are made of others."""


def next_pack(n_tokens: Sequence[int], passed_over: Sequence[int], token_budget: int) -> list[int]:
    """Indices of the clips that pass next, of those that wait, in the order in which they came.

    The fullest pass first, so that clips still to come can fill the others; but a clip that was
    passed over `PATIENCE` times takes its own next, the longest waiting before the others. So no
    clip waits for more than those that came before it, and `PATIENCE` passes.
    """
    packs = pack(n_tokens, token_budget)
    overdue = next((clip for clip, times in enumerate(passed_over) if times >= PATIENCE), None)
    if overdue is not None:
        return next(chosen for chosen in packs if overdue in chosen)
    return max(packs, key=lambda chosen: sum(n_tokens[clip] for clip in chosen), default=[])
