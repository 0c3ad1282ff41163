"""One step from rewards (GRPO): groups of the model's own answers, compared with one another.

For every window a group of answers is drawn from the model's distribution, after one prefill that
the group shares. An answer earns 1 for being right and 1 for its form, as in the published code;
its advantage is its reward less the group's mean, over the group's deviation. The loss is

    −A · log p(answer) + β · KL(now ‖ start)

token by token, with KL by its unbiased estimate from the drawn tokens (r − 1 − log r, r = start /
now). Source: DeepSeekMath (GRPO), equations 3 and 4, with one update a group.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F
from transformers import DynamicCache

from ah_ray.omni.staging import Stager
from ah_ray.training.collective import summed
from ah_ray.training.learner import Learner
from ah_ray.training.packs import Asked, in_packs, stage
from ah_ray.training.questions import LabelledClip, Questions
from ah_ray.training.settings import TrainSettings

LONGEST_ANSWER = 16  # tokens: the longer of the two right forms has 8
_FORM = re.compile(r"\s*<answer>\s*(yes|no)\s*</answer>\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What a step's windows gave, over all workers."""

    loss: float
    reward: float  # mean over the drawn answers, 0 … 2
    kl: float  # to the start, per token
    n_windows: int
    n_tokens: int


def reward(text: str, label: bool) -> float:
    """1 for the right answer, and 1 for an answer in the form that was asked for."""
    formed = _FORM.fullmatch(text)
    right = formed is not None and (formed[1].lower() == "yes") is label
    return float(right) + float(formed is not None)


def advantages(rewards: torch.Tensor) -> torch.Tensor:
    """[n, G] rewards → how much better each is than its group, in its group's deviations."""
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return centred / (rewards.std(dim=1, unbiased=False, keepdim=True) + 1e-4)


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """One of the different answers to a window, and how it is to change."""

    asked: Asked
    advantage: float  # summed over its copies, per token of the group
    copies: float  # per token of the group


class Rewarded:
    """Draws answers, rewards them, and turns advantages into gradients."""

    def __init__(
        self,
        learner: Learner,
        questions: Questions,
        stager: Stager,
        settings: TrainSettings,
        *,
        token_budget: int,
    ):
        self._learner = learner
        self._questions = questions
        self._stager = stager
        self._settings = settings
        self._token_budget = token_budget
        self._end = questions.yes[-1]

    def gradients(self, clips: Sequence[LabelledClip], step: int) -> Reward:
        """Adds a step's gradients to the parameters: those of the loss over all workers' clips."""
        model, device = self._learner.model, self._stager.device
        drawn, rewards = [], []
        for clip in clips:
            answers = self.draw(clip, step)
            its = torch.tensor([reward(self._text(tokens), clip.label) for tokens in answers])
            rewards.append(float(its.mean()))
            drawn += self._compared(clip, answers, advantages(its[None])[0].tolist())
        n_windows, earned = summed(len(clips), sum(rewards), device=device)
        loss = kl = tokens = 0.0
        place = {id(one.asked): one for one in drawn}
        for pack in in_packs([one.asked for one in drawn], self._token_budget):
            on_device = stage(pack, self._stager, model.config)
            better, copies = (
                torch.tensor([getattr(place[id(asked)], name) for asked in pack], device=device)
                for name in ("advantage", "copies")
            )
            with torch.no_grad(), self._learner.peft.disable_adapter():
                at_start = self._log_p(on_device)
            now = self._log_p(on_device)
            ratio = (now - now.detach()).exp()  # 1, with the gradient of log p
            away = (at_start - now).exp() - (at_start - now) - 1
            terms = -better[on_device.clips] * ratio + (
                self._settings.kl * copies[on_device.clips] * away
            )
            part = terms.sum() / n_windows
            part.backward()
            loss += float(part.detach())
            kl += float((copies[on_device.clips] * away.detach()).sum() / n_windows)
            tokens += on_device.n_tokens
        self._learner.gather()
        loss, kl, tokens = summed(loss, kl, tokens, device=device)
        return Reward(
            loss=loss,
            reward=earned / max(1.0, n_windows),
            kl=kl,
            n_windows=int(n_windows),
            n_tokens=int(tokens),
        )

    @torch.no_grad()
    def draw(self, clip: LabelledClip, step: int) -> list[tuple[int, ...]]:
        """A group of answers to one window, each with its last token: the end, or one too many."""
        model, group = self._learner.model, self._settings.group
        random = torch.Generator(self._stager.device).manual_seed(
            hash((self._settings.seed, step, clip.window)) % 2**63
        )
        layout = self._questions.lay_out(clip.clip, clip.question, (self._end,))
        pack = stage([Asked(clip.clip, layout, (0,), 0.0)], self._stager, model.config)
        cache = DynamicCache(config=model.config.text_config)
        logits = model(pack.staged, pack.reads, cache)
        cache.batch_repeat_interleave(group)
        logits = logits.expand(group, -1)
        place = pack.staged.layout.positions.max() + 1
        answers: list[list[int]] = [[] for _ in range(group)]
        with model.unpacked():
            for length in range(LONGEST_ANSWER):
                chances = (logits / self._settings.temperature).softmax(-1)
                tokens = torch.multinomial(chances, 1, generator=random)
                for answer, token in zip(answers, tokens[:, 0].tolist(), strict=True):
                    if self._end not in answer[-1:]:
                        answer.append(token)
                if all(answer[-1] == self._end for answer in answers):
                    break
                logits = model.read_on(tokens, place + length, cache)
        return [tuple(answer) for answer in answers]

    def _compared(
        self, clip: LabelledClip, answers: Sequence[tuple[int, ...]], better: Sequence[float]
    ) -> list[_Drawn]:
        """Equal answers of a group are passed once, with what they weigh together."""
        weights: dict[tuple[int, ...], list[float]] = {}
        for answer, its in zip(answers, better, strict=True):
            weights.setdefault(answer, []).append(its)
        return [
            _Drawn(
                Asked(
                    clip.clip, self._questions.lay_out(clip.clip, clip.question, answer), answer, 1
                ),
                sum(its) / (len(answers) * len(answer)),
                len(its) / (len(answers) * len(answer)),
            )
            for answer, its in weights.items()
        ]

    def _log_p(self, pack) -> torch.Tensor:
        """[R] log-probabilities of the drawn tokens."""
        logits = self._learner.model(pack.staged, pack.reads) / self._settings.temperature
        return -F.cross_entropy(logits, pack.targets, reduction="none")

    def _text(self, tokens: tuple[int, ...]) -> str:
        """An answer that was not ended is no form at all."""
        if tokens[-1] != self._end:
            return ""
        return self._questions.tokenizer.decode(list(tokens[:-1]), skip_special_tokens=False)
