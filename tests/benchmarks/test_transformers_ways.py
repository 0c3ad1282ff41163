"""The peers of the benchmarks: transformers' own numbers, without work that nobody reads."""

import pytest
import torch
from drawn_clips import draw_clip
from random_model import make_model, tiny_size
from transformers_ways import TransformersWays

from ah_ray.omni.answer import compute_answers
from ah_ray.omni.inputs.prompt import build_prompt
from ah_ray.profile import load_profile

CLIPS = [draw_clip(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def ways() -> TransformersWays:
    torch.set_num_threads(1)
    config, tokenizer = tiny_size()
    model = make_model(config, tokenizer, torch.float32, torch.device("cpu"))
    return TransformersWays(model, tokenizer, load_profile("tiny"))


@pytest.fixture
def n_logits(ways) -> list[int]:
    """How many positions each call of `lm_head` computes."""
    counts: list[int] = []
    head = ways._model.lm_head
    hook = head.register_forward_hook(lambda _, given, out: counts.append(out.shape[1]))
    yield counts
    hook.remove()


def test_a_prefill_computes_the_logits_that_it_reads(ways, n_logits):
    found = ways.batched(CLIPS, 2)
    assert set(n_logits) == {ways._n_reads}
    inputs = ways._inputs(CLIPS[:2], ways._begun)
    with torch.inference_mode():
        logits = ways._model(**inputs, use_cache=False).logits
    assert logits.shape[1] == inputs["input_ids"].shape[1]  # without the hook, all of them
    log_p = logits[:, -ways._n_reads :].float().log_softmax(-1)[:, *ways._picks]
    expected = compute_answers(ways._question, log_p)[0][:, 0]
    assert found[:2] == pytest.approx(expected.tolist(), abs=2e-5)


def test_a_step_has_the_loss_of_transformers(ways, n_logits):
    answer = tuple(ways._tokenizer.encode("<answer>Yes</answer>", add_special_tokens=False).ids)
    weight = ways._model.lm_head.weight.requires_grad_(True)
    try:
        ways.learn(CLIPS[:2], answer, 2)
        found, weight.grad = weight.grad, None
        assert n_logits == [len(answer) + 1]
        inputs = ways._inputs(CLIPS[:2], prompt_with(ways, answer))
        labels = torch.full_like(inputs["input_ids"], -100)
        labels[:, -len(answer) :] = inputs["input_ids"][:, -len(answer) :]
        ways._model(**inputs, labels=labels, use_cache=False).loss.backward()
        torch.testing.assert_close(found, weight.grad, atol=1e-6, rtol=1e-4)
    finally:
        weight.requires_grad_(False)
        weight.grad = None


def prompt_with(ways, answer):
    return build_prompt(ways._profile, ways._tokenizer, answer)
