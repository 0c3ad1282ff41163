import math
from collections import Counter
from itertools import chain

import pytest
import torch
from labelled_clips import settings_of

from ah_ray.training.data.questions import Target
from ah_ray.training.steps.grpo import (
    RewardStep,
    compute_advantages,
    compute_published_reward,
    compute_reward,
)
from ah_ray.training.steps.packs import AnsweredClip, stage_pack
from ah_ray.training.validation import Validator


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("<answer>Yes</answer>", True, 2),
        ("<answer>No</answer>", True, 1),
        (" <answer> no </answer>\n", False, 2),
        ("Yes", True, 0),
        ("<answer>Yes</answer> since", True, 0),
        ("<answer>answer is here</answer>", True, 0),
        ("", False, 0),
    ],
)
def test_reward(text, label, expected):
    assert compute_reward(text, label) == expected


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("<think>the voice</think>\n<answer>Yes</answer>", True, 2),
        ("<think>the voice</think><answer>No</answer>", True, 1),
        ("<answer>Yes</answer>", True, 1),
        ("<answer>yes</answer>", True, 0),  # compared letter by letter
        ("<answer> Yes </answer> since", True, 1),
        ("Yes", True, 1),
        ("<answer>No</answer><answer>Yes</answer>", False, 1),
        ("", False, 0),
    ],
)
def test_the_published_rewards(text, label, expected):
    assert compute_published_reward(text, label) == expected


def test_the_published_deviation_is_the_unbiased_one():
    better = compute_advantages(torch.tensor([[1.0, 0.0]]), unbiased=True)
    torch.testing.assert_close(better, torch.tensor([[1, -1]]) / 2**0.5, atol=1e-3, rtol=0)


@pytest.mark.parametrize("better", [1.5, -1.5])
def test_the_range_of_the_ratio(learner, questions, stager, better):
    """Within it the gradient is as without; beyond it nothing more is gained."""
    settings = settings_of(method="grpo", clip_low=0.2, clip_high=0.28)
    model = learner(method="grpo")
    bounded = RewardStep(model, questions, stager, settings, token_budget=4096)
    ratio = torch.tensor([0.5, 0.81, 1.0, 1.27, 2.0], requires_grad=True)
    worth = bounded._clip_ratio(ratio, torch.full((5,), better))
    (gradient,) = torch.autograd.grad(worth.sum(), ratio)
    torch.testing.assert_close(gradient[1:4], torch.full((3,), better))
    assert gradient[4 if better > 0 else 0] == 0
    assert gradient[0 if better > 0 else 4] == better


def test_advantages_compare_within_the_group():
    better = compute_advantages(torch.tensor([[2.0, 0.0, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0]]))
    torch.testing.assert_close(better[0], torch.tensor([1.0, -1.0, 1.0, -1.0]), atol=1e-3, rtol=0)
    assert (better[1] == 0).all()  # nothing to learn from


@pytest.fixture
def rewarded(learner, questions, stager):
    settings = settings_of(method="grpo", group=64, lora_dropout=0)
    return RewardStep(learner(method="grpo"), questions, stager, settings, token_budget=4096)


def test_answers_are_drawn_from_the_models_own_distribution(rewarded, clips):
    """The first two tokens of drawn answers, against their chances in a packed pass."""
    drawn = list(chain.from_iterable(rewarded.draw(clips[1], step) for step in range(12)))
    assert len(drawn) == 12 * 64
    pairs = Counter(answer[:2] for answer in drawn)
    common = [pair for pair, _ in pairs.most_common(6)]
    model = rewarded._learner.model
    for pair in common:
        layout = rewarded._questions.lay_out(clips[1].clip, None, pair)
        pack = stage_pack(
            [AnsweredClip(clips[1].clip, layout, (Target(pair, 1.0),))],
            rewarded._stager,
            model.config,
        )
        with torch.no_grad():
            log_p = model(pack.inputs, pack.reads).log_softmax(-1)
        p = float(log_p[[0, 1], list(pair)].sum().exp())
        n = len(drawn)
        assert pairs[pair] == pytest.approx(n * p, abs=4 * math.sqrt(n * p * (1 - p)) + 1)


def test_draws_are_those_of_their_step(rewarded, clips):
    first = rewarded.draw(clips[0], 1)
    assert rewarded.draw(clips[0], 1) == first
    assert rewarded.draw(clips[0], 2) != first


def test_packs_work_again_after_answers_were_drawn(rewarded, questions, stager, clips):
    validate = Validator(rewarded._learner, questions, stager, token_budget=4096)
    before = validate.compute_probabilities(clips)
    rewarded.draw(clips[0], 0)
    assert validate.compute_probabilities(clips) == before


def test_what_earned_more_becomes_likelier(rewarded, clips, monkeypatch):
    """One step, on one window, with a reward that an untrained model can earn."""
    monkeypatch.setattr(
        "ah_ray.training.steps.grpo.compute_reward", lambda text, _: float(len(text) % 2)
    )
    learner = rewarded._learner
    clip = clips[1]  # a No

    def log_p(answer: tuple[int, ...]) -> float:
        layout = rewarded._questions.lay_out(clip.clip, None, answer)
        pack = stage_pack(
            [AnsweredClip(clip.clip, layout, (Target(answer, 1.0),))],
            rewarded._stager,
            learner.model.config,
        )
        with torch.no_grad():
            return float(rewarded._compute_log_p(pack).sum())

    answers = rewarded.draw(clip, 0)
    earned = [float(len(rewarded._decode_answer(answer)) % 2) for answer in answers]
    best, worst = (answers[earned.index(which(earned))] for which in (max, min))
    assert max(earned) > min(earned)
    before = log_p(best) - log_p(worst)
    given = rewarded.add_gradients([clip], 0)
    assert given.kl == pytest.approx(0, abs=1e-6)  # it has not moved yet
    assert given.reward == pytest.approx(sum(earned) / 64)
    torch.optim.SGD(learner.parameters, lr=1.0).step()
    assert log_p(best) - log_p(worst) > before


def test_moving_away_costs(rewarded, clips):
    with torch.no_grad():
        for parameter in rewarded._learner.parameters:
            parameter.add_(0.05)
    assert rewarded.add_gradients(clips[:2], 0).kl > 1e-4
