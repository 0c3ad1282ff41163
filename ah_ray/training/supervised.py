"""One step from labels: the answer's tokens, weighted, as a mean over all workers' windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ah_ray.omni.staging import Stager
from ah_ray.training.collective import most, summed
from ah_ray.training.learner import Learner
from ah_ray.training.packed import answer_losses, balance_loss
from ah_ray.training.packs import asked, blank, in_packs, stage
from ah_ray.training.questions import LabelledClip, Questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a step's windows gave, over all workers."""

    loss: float  # of the answers' tokens
    balance: float | None  # of the experts; null where it is not part of the loss
    n_windows: int
    n_tokens: int


class Supervised:
    """Losses and gradients of labelled clips."""

    def __init__(
        self,
        learner: Learner,
        questions: Questions,
        stager: Stager,
        *,
        token_budget: int,
        balance: float,
    ):
        """`balance`: how much the experts' balance loss counts; 0 leaves it out."""
        self._learner = learner
        self._questions = questions
        self._stager = stager
        self._token_budget = token_budget
        self._balance = balance

    def gradients(self, clips: Sequence[LabelledClip], step: int) -> Loss:
        """Adds a step's gradients to the parameters: those of the loss over all workers' clips.

        Every worker makes as many passes as the one with the most, since sharded weights are
        gathered by all workers together.
        """
        model, learner = self._learner.model, self._learner
        packs = in_packs([asked(self._questions, clip) for clip in clips], self._token_budget)
        weight = sum(clip.weighted_tokens for clips in packs for clip in clips)
        tokens = sum(clip.layout.n_tokens for clips in packs for clip in clips)
        device = self._stager.device
        weight, tokens, n_windows = summed(weight, tokens, len(clips), device=device)
        loss = balance = 0.0
        for number in range(most(len(packs), device)):
            pack = packs[number] if number < len(packs) else [blank(self._questions)]
            on_device = stage(pack, self._stager, model.config)
            answers = (answer_losses(model, on_device) * on_device.weights).sum() / max(
                weight, 1e-9
            )
            total = answers
            if self._balance:
                share = sum(clip.weight > 0 for clip in pack) and on_device.n_tokens / tokens
                uneven = balance_loss(model) * share
                total = answers + self._balance * uneven
                balance += float(uneven.detach())
            (total * learner.loss_scale).backward()
            loss += float(answers.detach())
        learner.gather()
        loss, balance = summed(loss, balance, device=device)
        return Loss(
            loss=loss,
            balance=balance if self._balance else None,
            n_windows=int(n_windows),
            n_tokens=int(tokens),
        )
