"""One product for query, key and value: same weights, same memory, and nothing of it on a CPU."""

import pytest
import torch
from drawn_clips import draw_clip
from random_experts import draw
from torch import nn

from ah_ray.config import Arithmetic
from ah_ray.omni.model import joined
from ah_ray.omni.model.fp8 import Fp8Linear
from ah_ray.omni.model.loading import load_model
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.scorer import OmniScorer

CPU = torch.device("cpu")
CLIPS = [draw_clip(0), draw_clip(1, n_frames=4, seconds=1.7)]


@pytest.fixture
def join_everywhere(monkeypatch):
    monkeypatch.setattr(joined, "may_join", lambda linears: True)


def make_linears(eight_bits: bool = False) -> list[nn.Module]:
    linears = [nn.Linear(32, n, bias=False, dtype=torch.bfloat16) for n in (48, 16, 16)]
    return [Fp8Linear(linear) for linear in linears] if eight_bits else linears


def count_bytes(tensors) -> int:
    held = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(held.values())


@pytest.mark.parametrize("eight_bits", [False, True])
def test_joined_layers_give_what_each_gives(join_everywhere, eight_bits):
    linears, x = make_linears(eight_bits), draw(7, 32)
    alone = [linear(x) for linear in linears]
    joined.join_linears(linears)
    for parts in (linears, linears[1:]):  # the last layer needs keys and values of all tokens
        assert joined.find_joined([linear.weight for linear in parts]) is not None
        found = joined.apply_linears(x, *parts)
        for output, expected in zip(found, alone[-len(parts) :], strict=True):
            torch.testing.assert_close(output, expected, rtol=2**-7, atol=2**-7)


@pytest.mark.parametrize("eight_bits", [False, True])
def test_weights_stay_what_they_were_and_are_held_once(eight_bits):
    linears = make_linears(eight_bits)
    tensors = [tensor for one in linears for tensor in (*one.parameters(), *one.buffers())]
    before = [tensor.detach().clone() for tensor in tensors]
    n_bytes = count_bytes(tensors)
    joined.join_linears(linears)
    after = [tensor for one in linears for tensor in (*one.parameters(), *one.buffers())]
    assert count_bytes(after) == n_bytes
    for tensor, same, copy in zip(after, tensors, before, strict=True):
        assert tensor is same and torch.equal(tensor.view(torch.uint8), copy.view(torch.uint8))
    places = [tensor.data_ptr() for tensor in after]
    joined.join_linears(linears)  # again: they stay where they are
    assert [tensor.data_ptr() for tensor in after] == places


def test_a_change_of_a_weight_is_seen_and_a_new_weight_is_multiplied_alone(join_everywhere):
    linears, x = make_linears(), draw(7, 32)
    joined.join_linears(linears)
    with torch.no_grad():
        linears[1].weight.add_(draw(16, 32, seed=3))  # as an adapter is merged
    found = joined.apply_linears(x, *linears)[1]
    torch.testing.assert_close(found, linears[1](x), rtol=2**-7, atol=2**-7)
    linears[1].weight = nn.Parameter(draw(16, 32, seed=4))
    assert joined.find_joined([linear.weight for linear in linears]) is None
    for output, linear in zip(joined.apply_linears(x, *linears), linears, strict=True):
        assert torch.equal(output, linear(x))


def test_neighbours_that_are_not_in_order_or_alike_are_not_joined():
    whole = torch.zeros(6, 4)
    assert joined.find_joined([whole[:2], whole[2:]]).shape == (6, 4)
    for parts in ([whole[2:], whole[:2]], [whole[:2], whole[3:]], [whole[:, :2], whole[:, 2:]]):
        assert joined.find_joined(parts) is None
    assert joined.find_joined([whole[:2], torch.zeros(24)[8:].view(-1, 4)]) is None


def test_layers_with_a_bias_or_of_another_kind_stay_apart():
    with torch.device("meta"):
        plain, other = make_linears(), nn.Linear(32, 8)
    assert joined.may_join(plain)
    assert not joined.may_join([plain[0], other])
    assert not joined.may_join([plain[0], nn.Identity()])


@pytest.mark.parametrize("arithmetic", [Arithmetic.FLOAT32, Arithmetic.FP8])
def test_on_a_cpu_nothing_is_joined(tiny, arithmetic):
    """Its scores would be the same but for the last bits."""
    model = load_model(tiny, arithmetic, [CPU], (), print)
    Thinker(model)
    for layer in model.model.language_model.layers:
        attention = layer.self_attn
        parts = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
        assert joined.find_joined(parts) is None


def test_scores_of_a_joined_model_differ_by_rounding_alone(tiny, profile, scorer, join_everywhere):
    expected = [score.p_ah for score in scorer.score(CLIPS)]
    found = OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    attention = found._thinker._text.layers[0].self_attn
    assert joined.find_joined([attention.k_proj.weight, attention.v_proj.weight]) is not None
    assert [score.p_ah for score in found.score(CLIPS)] == pytest.approx(expected, abs=1e-6)
