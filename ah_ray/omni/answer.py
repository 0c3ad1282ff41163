"""Read the probabilities of all answers from what the model gives for the tokens of each.

`ah_ray/omni/answer_tree.py` says which tokens these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch

from ah_ray.omni.questionnaire import AskedQuestion, Picks


def compute_answers(asked: AskedQuestion, log_p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return P of each answer [n, answers], of all answers together, and the answer mass [n].

    `log_p` [n, P] are the log-probabilities of a questionnaire's picks for n clips. The mass is the
    probability that the model gives any of the answers at all. Both are float64, and computed from
    logarithms: so a model that answers something else still gives numbers, with a mass near 0.
    """
    each = [
        torch.stack([_sum_picks(path, log_p) for path in paths]).logsumexp(0)
        for paths in asked.answers
    ]
    p = [
        (one - torch.stack([other for other in each if other is not one]).logsumexp(0)).sigmoid()
        for one in each
    ]
    return torch.stack(p, dim=-1), reduce(torch.add, (one.exp() for one in each))


def compute_format_mass(beginning: Picks, log_p: torch.Tensor) -> torch.Tensor:
    """Return the probability [n] float64 that the model begins its answer in the forced way.

    `log_p` [n, P] are the log-probabilities of a questionnaire's picks. The result is 1 where no
    token was forced. It is near 0 for a model that was not trained on this format, or that would
    think first. The answer mass cannot show this, because it is read after the forced tokens.
    """
    return _sum_picks(beginning, log_p).exp()


def _sum_picks(picks: Sequence[int], log_p: torch.Tensor) -> torch.Tensor:
    none = torch.zeros(len(log_p), dtype=torch.float64, device=log_p.device)
    return reduce(torch.add, (log_p[:, pick].double() for pick in picks), none)
