"""How far people agree who judged the same clips. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def majority(answers: Sequence[bool]) -> bool | None:
    """What more than half of at least one answer say; None for a tie."""
    n_yes = sum(answers)
    return None if 2 * n_yes == len(answers) else 2 * n_yes > len(answers)


def cohens_kappa(a: Sequence[bool], b: Sequence[bool]) -> float | None:
    """Agreement of two, beyond chance: (p_o − p_e) / (1 − p_e). Source: Cohen 1960.

    `a` and `b` are their answers to the same clips. 1: always, 0: as by chance. None where chance
    alone explains all: without clips, or if both always said the same one thing.
    """
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    if not len(a):
        return None
    observed = float((a == b).mean())
    by_chance = float(a.mean() * b.mean() + (~a).mean() * (~b).mean())
    return _beyond(observed, by_chance)


def fleiss_kappa(n_yes: Sequence[int], n_reviewers: int) -> float | None:
    """Agreement of n ≥ 2 on clips that each of them judged: (P − P_e) / (1 − P_e).

    `n_yes` is how many said Yes, clip by clip; they need not be the same people throughout.
    Source: Fleiss 1971. None as for `cohens_kappa`.
    """
    yes = np.asarray(n_yes, float)
    if not len(yes):
        return None
    pairs = n_reviewers * (n_reviewers - 1)
    no = n_reviewers - yes
    observed = float(((yes * (yes - 1) + no * (no - 1)) / pairs).mean())
    share = float(yes.mean() / n_reviewers)
    return _beyond(observed, share**2 + (1 - share) ** 2)


def _beyond(observed: float, by_chance: float) -> float | None:
    return None if by_chance >= 1 else (observed - by_chance) / (1 - by_chance)
