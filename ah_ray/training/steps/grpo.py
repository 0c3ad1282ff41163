"""One training step from rewards (GRPO): groups of the model's own answers are compared.

For every window a group of answers is drawn from the model's distribution, after one shared
prefill. An answer earns 1 for being right and 1 for its form, as in the published code; its
advantage is its reward minus the group's mean, divided by the group's deviation. The loss is

    −A · log p(answer) + β · KL(now ‖ start)

for each token, with KL by its unbiased estimate from the drawn tokens (r − 1 − log r, r = start /
now). Source: DeepSeekMath (GRPO), equations 3 and 4, with one update a group.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F
from transformers import DynamicCache

from ah_ray.omni.inputs.config_parts import get_text_config
from ah_ray.omni.inputs.staging import Stager
from ah_ray.profile import NO, YES, answer_word
from ah_ray.training.data.questions import LabelledClip, Questions, Target
from ah_ray.training.settings import RewardForm, TrainSettings
from ah_ray.training.steps.collective import sum_over_workers
from ah_ray.training.steps.learner import Learner
from ah_ray.training.steps.packs import AnsweredClip, Pack, split_into_packs, stage_pack

_THINK_FORM = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)
_ANSWERED = re.compile(r"<answer>(.*?)</answer>")
_FORM = re.compile(rf"\s*<answer>\s*({YES}|{NO})\s*</answer>\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardMeasures:
    """Measures of a step over all workers."""

    loss: float
    reward: float  # mean over the drawn answers, 0 … 2
    kl: float  # to the start, per token
    n_windows: int
    n_tokens: int


def compute_reward(text: str, label: bool) -> float:
    """Return 1 for the right answer, plus 1 for an answer in the requested form."""
    formed = _FORM.fullmatch(text)
    right = formed is not None and (formed[1].lower() == YES.lower()) is label
    return float(right) + float(formed is not None)


def compute_published_reward(text: str, label: bool) -> float:
    """Return the sum of the published code's two rewards.

    The text between the first answer tags, or else the whole text, must be exactly Yes or No. The
    form has thoughts before the answer, which the fine-tuned models never write.
    """
    found = _ANSWERED.search(text)
    answer = (found[1] if found else text).strip()
    right = answer == answer_word(label)
    return float(right) + float(_THINK_FORM.fullmatch(text) is not None)


def compute_advantages(rewards: torch.Tensor, *, unbiased: bool = False) -> torch.Tensor:
    """Return how much better each of [n, G] rewards is than its group, in the group's deviations.

    ms-swift takes the unbiased deviation, which for two answers is √2 times the other.
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return centred / (rewards.std(dim=1, unbiased=unbiased, keepdim=True) + 1e-4)


@dataclass(frozen=True, slots=True, eq=False)
class _SampledAnswer:
    """One of the different answers to a window, and how it should change."""

    asked: AnsweredClip
    advantage: float  # summed over its copies, per token of the group
    copies: float  # per token of the group


class RewardStep:
    """Draw answers, reward them, and turn advantages into gradients."""

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
        self._end = questions.end

    def add_gradients(self, clips: Sequence[LabelledClip], step: int) -> RewardMeasures:
        """Add a step's gradients to the parameters: those of the loss over all workers' clips."""
        model, device = self._learner.model, self._stager.device
        peft = self._learner.peft
        assert peft is not None  # its adapter is what learns
        sampled, rewards = [], []
        for clip in clips:
            answers = self.draw(clip, step)
            its = torch.tensor(
                [self._compute_reward(tokens, bool(clip.label)) for tokens in answers]
            )
            rewards.append(float(its.mean()))
            better = compute_advantages(its[None], unbiased=self._settings.as_published)[0]
            sampled += self._weigh_answers(clip, answers, better.tolist())
        n_windows, earned = sum_over_workers(len(clips), sum(rewards), device=device)
        loss, kl, tokens = torch.zeros(3, dtype=torch.float64, device=device)
        place = {id(one.asked): one for one in sampled}
        for pack in split_into_packs([one.asked for one in sampled], self._token_budget):
            weighed = [place[id(asked)] for asked in pack]
            values = {
                "better": [one.advantage for one in weighed],
                "copies": [one.copies for one in weighed],
            }
            on_device = stage_pack(pack, self._stager, model.config, values)
            better, copies = (on_device.values[name][on_device.clips] for name in values)
            with torch.no_grad(), peft.disable_adapter():
                at_start = self._compute_log_p(on_device)
            now = self._compute_log_p(on_device)
            ratio = (now - now.detach()).exp()  # 1, with the gradient of log p
            away = (at_start - now).exp() - (at_start - now) - 1
            terms = self._settings.kl * copies * away - self._clip_ratio(ratio, better)
            part = terms.sum() / n_windows
            part.backward()
            loss += part.detach()
            kl += (copies * away.detach()).sum() / n_windows
            tokens += on_device.n_tokens
        self._learner.sum_gradients()
        mine = torch.stack([loss, kl, tokens]).tolist()
        total_loss, total_kl, n_tokens = sum_over_workers(*mine, device=device)
        return RewardMeasures(
            loss=total_loss,
            reward=earned / max(1.0, n_windows),
            kl=total_kl,
            n_windows=int(n_windows),
            n_tokens=int(n_tokens),
        )

    def _compute_reward(self, tokens: tuple[int, ...], label: bool) -> float:
        is_published = self._settings.reward_form is RewardForm.THINK
        return (compute_published_reward if is_published else compute_reward)(
            self._decode_answer(tokens), label
        )

    def _clip_ratio(self, ratio: torch.Tensor, better: torch.Tensor) -> torch.Tensor:
        """Return the gain of a ratio, limited to the end of its range.

        With one update a group the ratio is 1, so the range never limits it; it exists for parity.
        """
        low, high = self._settings.clip_low, self._settings.clip_high
        if low is None and high is None:
            return ratio * better
        least = None if low is None else 1 - low
        bounded = ratio.clamp(min=least, max=None if high is None else 1 + high)
        return torch.minimum(ratio * better, bounded * better)

    @torch.no_grad()
    def draw(self, clip: LabelledClip, step: int) -> list[tuple[int, ...]]:
        """Return a group of answers to one window, each with its last token.

        That is the end of the turn, or a token at which the answer became too long.
        """
        model, group = self._learner.model, self._settings.group
        random = torch.Generator(self._stager.device).manual_seed(
            hash((self._settings.seed, step, clip.window)) % 2**63
        )
        layout = self._questions.lay_out(clip.clip, clip.question, (self._end,))
        pack = stage_pack(
            [AnsweredClip(clip.clip, layout, (Target((0,), 0.0),))], self._stager, model.config
        )
        cache = DynamicCache(config=get_text_config(model.config))
        logits = model(pack.inputs, pack.reads, cache).float()
        cache.batch_repeat_interleave(group)
        logits = logits.expand(group, -1)
        place = pack.inputs.layout.positions.max() + 1
        answers: list[list[int]] = [[] for _ in range(group)]
        with model.use_unpacked_attention():
            for length in range(self._settings.answer_tokens):
                chances = (logits / self._settings.temperature).softmax(-1)
                tokens = torch.multinomial(chances, 1, generator=random)
                for answer, token in zip(answers, tokens[:, 0].tolist(), strict=True):
                    if self._end not in answer[-1:]:
                        answer.append(token)
                if all(answer[-1] == self._end for answer in answers):
                    break
                logits = model.continue_answers(tokens, place + length, cache)
        return [tuple(answer) for answer in answers]

    def _weigh_answers(
        self, clip: LabelledClip, answers: Sequence[tuple[int, ...]], better: Sequence[float]
    ) -> list[_SampledAnswer]:
        """Return the different answers of a group with their weights; each is passed once."""
        weights: dict[tuple[int, ...], list[float]] = {}
        for answer, its in zip(answers, better, strict=True):
            weights.setdefault(answer, []).append(its)
        return [
            _SampledAnswer(
                AnsweredClip(
                    clip.clip,
                    self._questions.lay_out(clip.clip, clip.question, answer),
                    (Target(answer, 1.0),),
                ),
                sum(its) / (len(answers) * len(answer)),
                len(its) / (len(answers) * len(answer)),
            )
            for answer, its in weights.items()
        ]

    def _compute_log_p(self, pack: Pack) -> torch.Tensor:
        """Return [R] log-probabilities of the drawn tokens."""
        logits = self._learner.model(pack.inputs, pack.reads).float() / self._settings.temperature
        return -F.cross_entropy(logits, pack.targets, reduction="none")

    def _decode_answer(self, tokens: tuple[int, ...]) -> str:
        """Return the text of an answer; it is empty if the answer does not end."""
        if tokens[-1] != self._end:
            return ""
        return self._questions.tokenizer.decode(list(tokens[:-1]), skip_special_tokens=False)
