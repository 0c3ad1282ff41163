"""What a device could do: operations per second of one large matrix product."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from ah_ray.config import Arithmetic
from ah_ray.omni.model.fused_ops import quantise
from ah_ray.omni.model.loading import DTYPES


def roofline(arithmetic: Arithmetic, device: torch.device) -> float:
    """Operations per second of one large product of random numbers."""
    n = 8_192 if device.type == "cuda" else 1_024
    a, b = (torch.randn(n, n, device=device).to(DTYPES[arithmetic]) for _ in range(2))
    product: Callable[[], torch.Tensor] = lambda: a @ b  # noqa: E731
    if arithmetic is Arithmetic.FP8 and device.type == "cuda":
        (a8, a_scale), (b8, b_scale) = quantise(a), quantise(b)
        scales = {"scale_a": a_scale[:, None], "scale_b": b_scale[None]}
        product = lambda: torch._scaled_mm(  # noqa: E731
            a8, b8.t(), **scales, out_dtype=torch.bfloat16, use_fast_accum=True
        )
    times = []
    for _ in range(13):
        began = time.perf_counter()
        product()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return 2 * n**3 / statistics.median(times[3:])
