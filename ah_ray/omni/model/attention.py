"""Attention over a pack that stays inside each clip, also registered with transformers.

On a GPU it is one kernel, chosen once: flash-attn's if that is installed, otherwise torch's own.
The name registered with transformers must contain "flash": only then do its towers pass a layer's
whole pack in one call, with its boundaries, instead of looping over segments.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from inspect import signature
from itertools import groupby
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.attention.bias import causal_lower_right
from transformers import AttentionInterface

PACKED = "packed_flash"


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Where each segment begins, in queries and in keys.

    With causal attention the queries are the last positions of their segment.
    """

    queries: torch.Tensor  # [n + 1] int32, the last is their number
    keys: torch.Tensor
    longest_query: int
    longest_key: int

    @classmethod
    def for_self_attention(cls, boundaries: torch.Tensor, longest: int) -> Segments:
        """Return segments whose queries and keys are the same positions."""
        return cls(boundaries, boundaries, longest, longest)


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    *,
    scale: float | None,
    causal: bool,
) -> torch.Tensor:
    """Return attention [Sq, H, D] of queries [Sq, H, D] over keys and values [Sk, Hkv, D]."""
    if query.is_cuda and query.dtype != torch.float32:
        learns = torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))
        return choose_gpu_kernel(learns).run(query, key, value, segments, scale, causal)
    return _attend_per_segment(query, key, value, segments, scale, causal)


def attend_packed(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    cu_seq_lens_k: torch.Tensor | None = None,
    max_length_q: int | None = None,
    max_length_k: int | None = None,
    key_rows: torch.Tensor | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Call `attend` with the arguments of transformers: [1, H, S, D] → [1, S, H, D].

    `key_rows` [K] are the positions of the segments' keys, where those are not the S positions
    themselves. Raise RuntimeError if there are no boundaries: without them clips would see one
    another.
    """
    if cu_seq_lens_q is None or cu_seq_lens_k is None or attention_mask is not None:
        raise RuntimeError("packed attention takes segment boundaries, and no mask")
    if max_length_q is None or max_length_k is None:
        raise RuntimeError("packed attention takes the length of the longest segment")
    query, key, value = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    if key_rows is not None:
        key, value = take_rows(key, key_rows), take_rows(value, key_rows)
    attended = attend(
        query,
        key,
        value,
        Segments(cu_seq_lens_q, cu_seq_lens_k, max_length_q, max_length_k),
        scale=scaling,
        causal=module.is_causal if is_causal is None else is_causal,
    )
    return attended[None], None


AttentionInterface.register(PACKED, attend_packed)


def take_rows(tensor: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return `tensor[rows]`, with gradients that are summed in float32.

    A row that many forks share gets a gradient from each of them: in bf16, small ones are lost.
    """
    taken: torch.Tensor = _TakeRows.apply(tensor, rows)  # type: ignore[no-untyped-call]
    return taken


class _TakeRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows)
        ctx.n_rows = len(tensor)
        return tensor[rows]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (rows,) = ctx.saved_tensors
        wide = torch.promote_types(gradient.dtype, torch.float32)
        summed = gradient.new_zeros((ctx.n_rows, *gradient.shape[1:]), dtype=wide)
        return summed.index_add_(0, rows, gradient.to(wide)).to(gradient.dtype), None


Kernel = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, Segments, float | None, bool], torch.Tensor
]
"""Attention of queries, keys and values within segments, with a scale, causal or not."""

_FLASH_ATTN = "flash_attn_varlen_func"


@dataclass(frozen=True, slots=True)
class GpuKernel:
    """One of the attention kernels of a GPU, and how it is called in messages."""

    name: str
    run: Kernel


@dataclass(frozen=True, slots=True)
class _Build:
    """A package that may have flash-attn's function, and what it is good for."""

    module: str
    name: str
    for_hopper: bool = False  # capability 9.x only
    has_gradients: bool = True


_BUILDS = (
    _Build("flash_attn_interface", "flash-attn 3", for_hopper=True),
    _Build("fa3_fwd_interface", "flash-attn 3 (fa3-fwd)", for_hopper=True, has_gradients=False),
    _Build("flash_attn", "flash-attn 2"),
)


@cache
def choose_gpu_kernel(needs_gradients: bool) -> GpuKernel:
    """Return the fastest kernel that is installed and runs on this GPU: flash-attn's, or torch's.

    A package is judged by the function that it has, and not by its name: flash-attn 4 is also
    called `flash_attn`, and has another one.
    """
    is_hopper = torch.cuda.get_device_capability()[0] == 9
    for build in _BUILDS:
        if (build.for_hopper and not is_hopper) or (needs_gradients and not build.has_gradients):
            continue
        if (function := _find_function(build.module)) is not None:
            # One split of the keys, so that a result does not depend on the pack. flash-attn 2,
            # which has no such option, never splits keys in these calls.
            options = {"num_splits": 1} if "num_splits" in signature(function).parameters else {}
            return GpuKernel(build.name, partial(_run_flash_attn, function, options))
    return GpuKernel("torch's own", _run_torch_attention)


def describe_attention(dtype: torch.dtype, *, needs_gradients: bool) -> str:
    """Return a sentence about the attention of a GPU in this type."""
    if dtype == torch.float32:
        return "Attention: torch's own, segment by segment, because no kernel takes float32"
    return f"Attention: {choose_gpu_kernel(needs_gradients).name}"


def _find_function(module: str) -> Callable[..., Any] | None:
    """Return flash-attn's function of an installed module, or None if it cannot be had."""
    try:
        found: Callable[..., Any] | None = getattr(import_module(module), _FLASH_ATTN, None)
    except ModuleNotFoundError:
        return None
    except (ImportError, OSError, RuntimeError) as error:  # built for another torch or CUDA
        logging.getLogger(__name__).warning("%s cannot be used: %s", module, error)
        return None
    return found


def _run_flash_attn(
    function: Callable[..., Any],
    options: dict[str, int],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    scale: float | None,
    causal: bool,
) -> torch.Tensor:
    """Run the function of flash-attn 2 or 3, which are called alike."""
    attended: torch.Tensor | tuple[torch.Tensor, ...]
    attended = function(
        query,
        key,
        value,
        cu_seqlens_q=segments.queries,
        cu_seqlens_k=segments.keys,
        max_seqlen_q=segments.longest_query,
        max_seqlen_k=segments.longest_key,
        softmax_scale=scale,
        causal=causal,
        **options,
    )
    return attended[0] if isinstance(attended, tuple) else attended  # early ones add the sums


@cache
def _load_torch_attention() -> tuple[Callable[..., torch.Tensor], dict[str, object]]:
    """Return torch's kernel and the options that this torch knows.

    Before 2.12 it had neither option: its kernel shared heads, and did not split keys by itself.
    """
    from torch.nn.attention.varlen import varlen_attn  # no CPU build has its kernel

    wanted = {
        "enable_gqa": True,
        "num_splits": 1,  # a result does not depend on the pack
    }
    known = signature(varlen_attn).parameters
    kernel: Any = varlen_attn  # it returns a tuple only with `return_aux`
    return kernel, {name: value for name, value in wanted.items() if name in known}


def _run_torch_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    scale: float | None,
    causal: bool,
) -> torch.Tensor:
    varlen_attn, options = _load_torch_attention()
    return varlen_attn(
        query,
        key,
        value,
        segments.queries,
        segments.keys,
        segments.longest_query,
        segments.longest_key,
        scale=scale,
        window_size=(-1, 0) if causal else (-1, -1),
        **options,
    )


def _attend_per_segment(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    scale: float | None,
    causal: bool,
) -> torch.Tensor:
    """Run SDPA segment by segment; neighbours of equal length form one batch."""
    lengths = zip(segments.queries.diff().tolist(), segments.keys.diff().tolist(), strict=True)
    outputs: list[torch.Tensor] = []
    start_q = start_k = 0
    for (n_q, n_k), run in groupby(lengths):
        n = len(list(run))
        stop_q, stop_k = start_q + n * n_q, start_k + n * n_k
        parts = (query[start_q:stop_q], key[start_k:stop_k], value[start_k:stop_k])
        q, k, v = (part.unflatten(0, (n, -1)).transpose(1, 2) for part in parts)  # [n, H, L, D]
        attended = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=causal_lower_right(n_q, n_k) if causal and n_q < n_k else None,
            is_causal=causal and n_q == n_k,
            scale=scale,
            enable_gqa=True,
        )
        outputs.append(attended.transpose(1, 2).flatten(0, 1))  # [n · L, H, D]
        start_q, start_k = stop_q, stop_k
    return torch.cat(outputs)
