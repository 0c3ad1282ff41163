"""Attention inside each segment, against a softmax written out."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.omni.attention import packed_attention


def written_out(query, key, value, causal: bool) -> torch.Tensor:
    """[H, Lq, D] and [Hkv, Lk, D] → [Lq, H, D]; the queries are the last of the segment."""
    key, value = (kv.repeat_interleave(len(query) // len(kv), 0) for kv in (key, value))
    weights = query @ key.mT / 8
    n_q, n_k = weights.shape[1:]
    if causal:
        later = torch.arange(n_k) > torch.arange(n_k - n_q, n_k)[:, None]
        weights = weights.masked_fill(later, -torch.inf)
    return (weights.softmax(-1) @ value).transpose(0, 1)


def boundaries(lengths) -> torch.Tensor:
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


def packed(query, key, value, lengths_q, lengths_k, causal, device="cpu") -> torch.Tensor:
    module = SimpleNamespace(is_causal=causal)
    attended, weights = packed_attention(
        module,
        *(tensor[None].to(device) for tensor in (query, key, value)),
        None,
        scaling=1 / 8,
        cu_seq_lens_q=boundaries(lengths_q).to(device),
        cu_seq_lens_k=boundaries(lengths_k).to(device),
        max_length_q=max(lengths_q),
        max_length_k=max(lengths_k),
    )
    assert weights is None
    return attended[0].cpu()


def draw(lengths_q, lengths_k, dtype=torch.float32):
    generator = torch.Generator().manual_seed(sum(lengths_k))
    shapes = [(4, sum(lengths_q), 64), (2, sum(lengths_k), 64), (2, sum(lengths_k), 64)]
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def segment_by_segment(tensors, lengths_q, lengths_k, causal) -> torch.Tensor:
    query, key, value = tensors
    parts = zip(
        query.split(lengths_q, 1), key.split(lengths_k, 1), value.split(lengths_k, 1), strict=True
    )
    return torch.cat([written_out(*part, causal) for part in parts])


LENGTHS = st.lists(st.sampled_from([1, 2, 3, 3, 3, 7, 20]), min_size=1, max_size=8)


@given(LENGTHS, st.booleans())
def test_segments_see_only_themselves(lengths, causal):
    tensors = draw(lengths, lengths)
    expected = segment_by_segment(tensors, lengths, lengths, causal)
    found = packed(*tensors, lengths, lengths, causal)
    assert torch.allclose(found, expected, atol=1e-5)


@given(LENGTHS, st.integers(1, 3))
def test_last_queries_alone_are_those_of_all(lengths, n_q):
    lengths_k = [length + n_q for length in lengths]
    lengths_q = [n_q] * len(lengths)
    tensors = draw(lengths_q, lengths_k)
    expected = segment_by_segment(tensors, lengths_q, lengths_k, True)
    found = packed(*tensors, lengths_q, lengths_k, True)
    assert torch.allclose(found, expected, atol=1e-5)


def test_without_boundaries_it_refuses():
    query = torch.randn(1, 4, 3, 64)
    with pytest.raises(RuntimeError, match="segment boundaries"):
        packed_attention(SimpleNamespace(is_causal=True), query, query, query, None, scaling=1.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("n_q", [None, 2])
def test_the_gpus_kernel_agrees(causal, n_q):
    lengths_k = [3, 3, 700, 128, 65]
    lengths_q = lengths_k if n_q is None else [n_q] * len(lengths_k)
    if n_q and not causal:
        pytest.skip("never asked for")
    tensors = draw(lengths_q, lengths_k, torch.bfloat16)
    expected = segment_by_segment([t.float() for t in tensors], lengths_q, lengths_k, causal)
    found = packed(*tensors, lengths_q, lengths_k, causal, device="cuda")
    assert torch.allclose(found.float(), expected, atol=2e-2)
