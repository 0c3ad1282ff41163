"""Agreement between people who judged the same clips. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def majority(answers: Sequence[bool]) -> bool | None:
    """Return the answer of more than half; None for a tie, or without answers."""
    n_yes = sum(answers)
    return None if 2 * n_yes == len(answers) else 2 * n_yes > len(answers)


def cohens_kappa(a: Sequence[bool], b: Sequence[bool]) -> float | None:
    """Return the agreement of two people beyond chance, (p_o − p_e) / (1 − p_e).

    `a` and `b` are their answers to the same clips. 1: they always agree, 0: as often as by chance.
    Return None where chance alone explains everything: without clips, or if both gave one and the
    same answer throughout. Source: Cohen 1960.
    """
    first, second = np.asarray(a, np.bool_), np.asarray(b, np.bool_)
    if not len(first):
        return None
    observed = float((first == second).mean())
    by_chance = float(first.mean() * second.mean() + (~first).mean() * (~second).mean())
    return _beyond(observed, by_chance)


def fleiss_kappa(n_yes: Sequence[int], n_reviewers: int) -> float | None:
    """Return the agreement of n ≥ 2 people on clips that n people judged, (P − P_e) / (1 − P_e).

    `n_yes` is the number of Yes, clip by clip; the people need not be the same throughout. Return
    None as `cohens_kappa` does. Source: Fleiss 1971.
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
