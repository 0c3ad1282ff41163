"""A layer's experts: by torch's grouped products, or by one kernel for each product.

Both sort the tokens by expert first. Torch's way then gathers the tokens, multiplies, gates,
multiplies and combines; ours (`ah_ray/omni/kernels/experts.py`) does the same in three kernels.
Which of them is faster depends on the card, so both are timed once when a model is loaded on a GPU.
A CPU always takes torch's way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from ah_ray.errors import get_first_line
from ah_ray.interfaces.callbacks import MessageCallback
from ah_ray.omni.kernels.blocks import (
    LARGE,
    Blocks,
    Product,
    choose_blocks,
    find_cache,
    search_blocks,
)
from ah_ray.omni.model.fp8 import Fp8Experts
from ah_ray.omni.model.fused_ops import combine, gate, load_kernels, quantise, sort_by_expert

RunExperts = Callable[[Any, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""A layer's experts, tokens [S, D], the shares [S, k] of the experts chosen [S, k] → [S, D]."""

MeasureMs = Callable[[Callable[[], object]], float]
"""Returns the milliseconds that a call takes on the GPU."""

_TRIAL_TOKENS = 16_384
_LARGEST_DIFFERENCE = {2: 0.02, 1: 0.05}  # relative, by the bytes of a weight
_BY_TORCH = "Experts: torch's grouped products"


def run_by_torch(
    experts: Any, x: torch.Tensor, shares: torch.Tensor, chosen: torch.Tensor
) -> torch.Tensor:
    """Compute experts as `RunExperts` says, each step a kernel of torch over all experts."""
    choice, place, ends = sort_by_expert(chosen, len(_get_gate_up(experts)))
    token = choice // chosen.shape[1]
    if isinstance(experts, Fp8Experts):
        return combine(experts(x, token, ends), place, shares)
    gate_up = F.grouped_mm(x[token], experts.gate_up_proj.mT, offs=ends)
    return combine(F.grouped_mm(gate(gate_up), experts.down_proj.mT, offs=ends), place, shares)


@dataclass(frozen=True, slots=True)
class KernelExperts:
    """Our own way, with the tiles that were found for experts with many rows."""

    large: dict[Product, Blocks]

    def __call__(
        self, experts: Any, x: torch.Tensor, shares: torch.Tensor, chosen: torch.Tensor
    ) -> torch.Tensor:
        """Compute experts as `RunExperts` says."""
        kernels = load_kernels()
        assert kernels is not None  # `choose_experts` has asked
        gate_up = _get_gate_up(experts)
        choice, _, ends = sort_by_expert(chosen, len(gate_up))
        rows_each = chosen.numel() / len(gate_up)

        def at(product: Product) -> Blocks:
            return choose_blocks(product, gate_up.element_size(), rows_each, self.large)

        if isinstance(experts, Fp8Experts):
            tokens, scale = quantise(x)
            inner = kernels.multiply_gate_up(
                tokens, gate_up, choice, ends, at(Product.GATE_UP),
                (scale, experts.gate_up_scale),
            )  # fmt: skip
            rows, row_scale = quantise(inner)
            weighted = kernels.multiply_down(
                rows, experts.down, choice, ends, shares, at(Product.DOWN),
                (row_scale, experts.down_scale),
            )  # fmt: skip
        else:
            inner = kernels.multiply_gate_up(x, gate_up, choice, ends, at(Product.GATE_UP))
            weighted = kernels.multiply_down(
                inner, experts.down_proj, choice, ends, shares, at(Product.DOWN)
            )
        summed: torch.Tensor = kernels.sum_choices(weighted, x.dtype)
        return summed


def choose_experts(
    model: Any,
    on_message: MessageCallback,
    *,
    measure_ms: MeasureMs | None = None,
    n_tokens: int = _TRIAL_TOKENS,
) -> RunExperts:
    """Return the faster way for this model on its card, and report which one it is, and why.

    Both ways compute one layer of the model for `n_tokens` random tokens, evenly routed. The tiles
    of our kernels are searched before that, unless this card's are known. A kernel that cannot be
    used here, or whose result differs, is reported and not used.
    """
    layers = (layer.mlp for layer in model.model.language_model.layers)
    sparse = next((mlp for mlp in layers if hasattr(mlp, "experts")), None)
    if sparse is None or load_kernels() is None:
        return run_by_torch
    gate_up = _get_gate_up(sparse.experts)
    if gate_up.element_size() == 4 or (measure_ms is None and gate_up.device.type != "cuda"):
        return run_by_torch
    try:
        way, message = _compare_ways(sparse, measure_ms or _measure_on_gpu, n_tokens)
    except Exception as error:  # compilers and drivers have many kinds; none may end the run
        reason = get_first_line(error)
        way, message = run_by_torch, f"{_BY_TORCH}; our kernel cannot be used: {reason}"
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the budget is measured next, by what is free
    on_message(message)
    return way


@torch.inference_mode()
def _compare_ways(sparse: Any, measure_ms: MeasureMs, n_tokens: int) -> tuple[RunExperts, str]:
    experts, trial = sparse.experts, _draw_trial(sparse.gate, n_tokens)
    kernel = KernelExperts(_search_tiles(experts, trial, measure_ms))
    expected, found = run_by_torch(experts, *trial), kernel(experts, *trial)
    apart = float((found.float() - expected.float()).norm() / expected.float().norm())
    if not apart <= _LARGEST_DIFFERENCE[_get_gate_up(experts).element_size()]:
        return run_by_torch, f"{_BY_TORCH}; our kernel differs by {apart:.1%} on this card"
    torch_ms = measure_ms(lambda: run_by_torch(experts, *trial))
    kernel_ms = measure_ms(lambda: kernel(experts, *trial))
    if kernel_ms < torch_ms:
        return kernel, f"Experts: our kernel, {kernel_ms:.2f} ms a layer; torch's {torch_ms:.2f} ms"
    return run_by_torch, f"{_BY_TORCH}, {torch_ms:.2f} ms a layer; our kernel {kernel_ms:.2f} ms"


def _draw_trial(router: Any, n_tokens: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return random tokens, with shares and experts as a router gives them."""
    device, dtype = router.weight.device, router.weight.dtype
    generator = torch.Generator(device).manual_seed(0)
    x = torch.randn(n_tokens, router.weight.shape[1], generator=generator, device=device)
    logits = torch.randn(n_tokens, len(router.weight), generator=generator, device=device)
    shares, chosen = logits.softmax(-1).topk(router.top_k, dim=-1)
    return x.to(dtype), (shares / shares.sum(-1, keepdim=True)).to(dtype), chosen


def _search_tiles(
    experts: Any,
    trial: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    measure_ms: MeasureMs,
) -> dict[Product, Blocks]:
    """Return the best tiles of each product on this card.

    A product that was not searched yet takes the smallest tiles, which every card can launch.
    """
    gate_up = _get_gate_up(experts)
    n_bytes = gate_up.element_size()
    found = {product: LARGE[product, n_bytes][-1] for product in Product}
    for product in Product:

        def measure(blocks: Blocks, product: Product = product) -> float:
            run = KernelExperts({**found, product: blocks})
            return measure_ms(lambda: run(experts, *trial))

        key = f"{_describe_card(trial[0].device)}, {product}, {_describe_sizes(gate_up)}"
        found[product] = search_blocks(LARGE[product, n_bytes], measure, key, find_cache())
    return found


def _describe_card(device: torch.device) -> str:
    from triton import __version__ as version

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "interpreter"
    return f"{name}, triton {version}"


def _describe_sizes(weights: torch.Tensor) -> str:
    return f"{'×'.join(map(str, weights.shape))} {str(weights.dtype).removeprefix('torch.')}"


def _measure_on_gpu(run: Callable[[], object]) -> float:
    from triton.testing import do_bench

    return float(do_bench(run, warmup=10, rep=50, return_mode="median"))


def _get_gate_up(experts: Any) -> torch.Tensor:
    """Return the weights of the experts' first product [experts, 2·inner, D]."""
    weights: torch.Tensor
    weights = experts.gate_up if isinstance(experts, Fp8Experts) else experts.gate_up_proj
    return weights
