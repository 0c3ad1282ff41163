"""One training step from labels: the answers' weighted tokens, as a mean over all windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ah_ray.omni.inputs.staging import Stager
from ah_ray.training.data.questions import LabelledClip, Questions
from ah_ray.training.steps.collective import find_largest, sum_over_workers
from ah_ray.training.steps.learner import Learner
from ah_ray.training.steps.packed_thinker import compute_answer_losses, compute_balance_loss
from ah_ray.training.steps.packs import add_labels, make_blank_clip, split_into_packs, stage_pack


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLoss:
    """Losses of a step over all workers."""

    loss: float  # of the answers' tokens
    balance_loss: float | None  # of the experts; null where it is not part of the loss
    n_windows: int
    n_tokens: int


class SupervisedStep:
    """Losses and gradients of labelled clips, each with one or more labelled questions."""

    def __init__(
        self,
        learner: Learner,
        questions: Questions,
        stager: Stager,
        *,
        token_budget: int,
        balance: float,
    ):
        """Set the weight of the experts' balance loss with `balance`; 0 leaves it out."""
        self._learner = learner
        self._questions = questions
        self._stager = stager
        self._token_budget = token_budget
        self._balance = balance

    def add_gradients(self, clips: Sequence[LabelledClip], step: int) -> StepLoss:
        """Add a step's gradients to the parameters: those of the loss over all workers' clips.

        Every worker makes as many passes as the one with the most, because all workers gather
        sharded weights together.
        """
        model, learner = self._learner.model, self._learner
        packs = split_into_packs(
            [add_labels(self._questions, clip) for clip in clips], self._token_budget
        )
        weight: float = sum(clip.weighted_tokens for clips in packs for clip in clips)
        tokens: float = sum(clip.layout.n_tokens for clips in packs for clip in clips)
        device = self._stager.device
        weight, tokens, n_windows = sum_over_workers(weight, tokens, len(clips), device=device)
        loss, balance = torch.zeros(2, dtype=torch.float64, device=device)
        for number in range(find_largest(len(packs), device)):
            pack = packs[number] if number < len(packs) else [make_blank_clip(self._questions)]
            on_device = stage_pack(pack, self._stager, model.config)
            answers = (compute_answer_losses(model, on_device) * on_device.weights).sum() / max(
                weight, 1e-9
            )
            total = answers
            if self._balance:
                share = any(clip.weighted_tokens for clip in pack) and on_device.n_tokens / tokens
                uneven = compute_balance_loss(model) * share
                total = answers + self._balance * uneven
                balance += uneven.detach()
            (total * learner.loss_scale).backward()
            loss += answers.detach()
        learner.sum_gradients()
        mine = torch.stack([loss, balance]).tolist()
        total_loss, total_balance = sum_over_workers(*mine, device=device)
        return StepLoss(
            loss=total_loss,
            balance_loss=total_balance if self._balance else None,
            n_windows=int(n_windows),
            n_tokens=int(tokens),
        )
