"""A training pass asks its device for no value: each would make the CPU wait for a GPU."""

import pytest
import torch
from waits import Waits

from ah_ray.omni.model import attention
from ah_ray.training.steps.packed_thinker import compute_answer_losses
from ah_ray.training.steps.packs import add_labels, stage_pack
from ah_ray.training.steps.supervised import SupervisedStep


@pytest.fixture
def written_out_attention(monkeypatch):
    """Attention of a CPU reads its boundaries as numbers; a GPU's kernel does not."""

    def causal_for_all(query, key, value, segments, scale, causal):
        heads = (tensor.transpose(0, 1) for tensor in (query, key, value))
        attended = torch.nn.functional.scaled_dot_product_attention(
            *heads, scale=scale, is_causal=causal, enable_gqa=True
        )
        return attended.transpose(0, 1)

    monkeypatch.setattr(attention, "_attend_per_segment", causal_for_all)


def test_a_pass_with_gradients_waits_for_nothing(
    learner, questions, stager, clips, written_out_attention
):
    ours = learner(method="lora")
    pack = stage_pack([add_labels(questions, clip) for clip in clips], stager, ours.model.config)
    with Waits() as waits:
        compute_answer_losses(ours.model, pack).sum().backward()
    assert waits.found == []
    assert any(parameter.grad is not None for parameter in ours.parameters)


def test_every_pack_is_waited_for(learner, questions, stager, clips, monkeypatch):
    """Losses, answers and rewards all take their packs from `stage_pack`, which waits."""
    waited = []
    stage = stager.stage

    def staged(*parts):
        pack = stage(*parts)
        wait = pack.wait
        monkeypatch.setattr(pack, "wait", lambda: waited.append(pack) or wait(), raising=True)
        return pack

    monkeypatch.setattr(stager, "stage", staged)
    step = SupervisedStep(learner(), questions, stager, token_budget=200, balance=0.0)
    step.add_gradients(clips, 0)
    assert len(waited) == len(clips)


def test_transformers_own_forward_still_works_on_the_same_model(learner, questions, stager, clips):
    ours = learner(method="lora")
    text = ours.model.thinker.model.language_model
    its_own = text._deepstack_process
    pack = stage_pack([add_labels(questions, clips[0])], stager, ours.model.config)
    compute_answer_losses(ours.model, pack)
    assert text._deepstack_process == its_own
