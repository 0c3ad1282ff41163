"""A training step against a loop written by hand over transformers' own forward."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_clips import CPU, settings_of
from torch.nn import functional as F
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import load_balancing_loss_func
from transformers_reference import Reference

from ah_ray.config import Arithmetic
from ah_ray.omni.inputs.staging import Stager
from ah_ray.training.steps.learner import load_learner
from ah_ray.training.steps.packed_thinker import compute_answer_losses, compute_balance_loss
from ah_ray.training.steps.packs import add_labels, stage_pack
from ah_ray.training.steps.supervised import SupervisedStep

TEXT = {True: "<answer>Yes</answer><|im_end|>", False: "<answer>No</answer><|im_end|>"}


@pytest.fixture(scope="module")
def reference(tiny, profile) -> Reference:
    return Reference(tiny, profile)


def by_hand(reference: Reference, clips, weights=None) -> torch.Tensor:
    """The loss over a batch: each clip alone through transformers, answer tokens only."""
    total = tokens = 0.0
    for clip in clips:
        inputs = reference.inputs(clip.clip, TEXT[clip.label])
        n = len(reference._tokenizer.encode(TEXT[clip.label], add_special_tokens=False).ids)
        logits = reference.model(**inputs).logits[0, -n - 1 : -1]
        losses = F.cross_entropy(logits, inputs["input_ids"][0, -n:], reduction="none")
        total = total + clip.weight * losses.sum()
        tokens += clip.weight * n
    return total / tokens


@pytest.mark.parametrize("token_budget", [4096, 200])
def test_loss_and_gradients_are_transformers_own(
    reference, learner, questions, stager, clips, token_budget
):
    ours = learner(method="full", train_towers=True)
    step = SupervisedStep(ours, questions, stager, token_budget=token_budget, balance=0.0)
    given_loss = step.add_gradients(clips, 0)
    reference.model.zero_grad()
    reference.model.requires_grad_(True)
    expected = by_hand(reference, clips)
    expected.backward()
    assert given_loss.loss == pytest.approx(float(expected.detach()), abs=1e-5)
    theirs = dict(reference.model.named_parameters())
    compared = 0
    for name, parameter in ours.model.thinker.named_parameters():
        gradient = theirs[name].grad
        if gradient is None:
            assert parameter.grad is None, name
            continue
        torch.testing.assert_close(
            parameter.grad.full_tensor(),
            gradient,
            atol=1e-5,
            rtol=1e-3,
            msg=lambda m, n=name: n + m,
        )
        compared += 1
    assert compared > 100


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(4)), size=st.integers(1, 4))
def test_neighbours_change_nothing(learner_once, questions, stager_once, clips, order, size):
    """The answer's losses of a clip are the same in every pack."""
    chosen = [add_labels(questions, clips[n]) for n in order[:size]]
    with torch.no_grad():
        pack = stage_pack(chosen, stager_once, learner_once.model.config)
        together = compute_answer_losses(learner_once.model, pack)
        for number, clip in enumerate(chosen):
            alone = compute_answer_losses(
                learner_once.model, stage_pack([clip], stager_once, learner_once.model.config)
            )
            torch.testing.assert_close(together[pack.clips == number], alone, atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def learner_once(tiny):
    return load_learner(settings_of(method="full"), tiny, Arithmetic.FLOAT32, CPU)


@pytest.fixture(scope="module")
def stager_once():
    return Stager(CPU, torch.float32)


def test_balance_loss_is_transformers_own(reference, learner, questions, stager, clips):
    ours = learner(method="full")
    pack = stage_pack([add_labels(questions, clips[0])], stager, ours.model.config)
    compute_answer_losses(ours.model, pack)
    # Without the last token, which predicts nothing and is not fed.
    inputs = reference.inputs(clips[0].clip, TEXT[True].removesuffix("<|im_end|>"))
    with torch.no_grad():
        theirs = reference.model(**inputs, output_router_logits=True).router_logits
    text = reference.model.config.text_config
    expected = load_balancing_loss_func(theirs, text.num_experts, text.num_experts_per_tok)
    assert float(compute_balance_loss(ours.model).detach()) == pytest.approx(
        float(expected), rel=1e-5
    )


def test_balance_loss_reaches_the_routers(learner, questions, stager, clips):
    ours = learner(method="full")
    step = SupervisedStep(ours, questions, stager, token_budget=4096, balance=1.0)
    with_it = step.add_gradients(clips[:2], 0)
    router = ours.model.thinker.model.language_model.layers[0].mlp.gate.weight
    moved = router.grad.full_tensor().clone()
    ours.model.zero_grad()
    SupervisedStep(ours, questions, stager, token_budget=4096, balance=0.0).add_gradients(
        clips[:2], 0
    )
    assert with_it.balance_loss > 1.9
    assert (moved - router.grad.full_tensor()).abs().max() > 1e-4


def test_frozen_towers_learn_nothing(learner, questions, stager, clips):
    ours = learner(method="full")
    SupervisedStep(ours, questions, stager, token_budget=4096, balance=0.0).add_gradients(clips, 0)
    for name, parameter in ours.model.thinker.named_parameters():
        tower = name.startswith(("model.visual.", "model.audio_tower."))
        assert parameter.requires_grad is not tower
        if tower:
            assert parameter.grad is None


def test_checkpointed_activations_give_the_same(learner, questions, stager, clips):
    losses, norms = [], []
    for checkpointing in (False, True):
        ours = learner(method="full", checkpointing=checkpointing)
        step = SupervisedStep(ours, questions, stager, token_budget=4096, balance=0.001)
        losses.append(step.add_gradients(clips, 0).loss)
        norms.append(torch.nn.utils.get_total_norm([p.grad for p in ours.parameters]).full_tensor())
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    torch.testing.assert_close(norms[0], norms[1], rtol=1e-5, atol=0)
