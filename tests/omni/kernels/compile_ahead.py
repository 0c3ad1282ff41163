"""Compile every kernel for an H100 or H200 without one, and print what each takes, as JSON.

python compile_ahead.py [NAME …]

It runs in a process of its own: where Triton interprets, it does not compile.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from ah_ray.omni.kernels import experts, rows, sorting
from ah_ray.omni.kernels.blocks import LARGE, SMALL, Blocks, Product

HOPPER = GPUTarget("cuda", 90, 32)
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
BF16, FP8, FP32 = "*bf16", "*fp8e4nv", "*fp32"
SIXTEENS = ("width", "inner", "token_stride", "head_stride")
"""Numbers that are multiples of 16 at the released sizes, which Triton notices at a launch."""


def list_row_kernels() -> dict[str, tuple[object, dict[str, str], dict[str, object], int]]:
    """Return the kernels of `rows` at the released sizes: function, types, constants and warps."""
    tower = {"NORM": False, "HEADS": 16, "HALF": 64}
    text = {"NORM": True, "HEADS": 32, "HALF": 64}
    angles = {"x": BF16, "weight": BF16, "cos": BF16, "sin": BF16, "out": BF16}
    sizes = {
        "token_stride": "i32", "head_stride": "i32", "n_heads": "i32", "half": "i32", "eps": "fp32",
    }  # fmt: skip
    eight = {"x": BF16, "out": FP8, "scales": FP32, "width": "i32"}
    sums = {"table": BF16, "places": "*i64", "out": BF16, "width": "i32"}
    return {
        "norm 2048": (
            rows.norm_kernel,
            {"x": BF16, "weight": BF16, "out": BF16, "width": "i32", "eps": "fp32"},
            {"BLOCK": 2048},
            8,
        ),
        "rotate 16×72": (rows.rotate_kernel, angles | sizes, tower, 4),
        "norm and rotate 32×128": (rows.rotate_kernel, angles | sizes, text, 4),
        "gate 768": (
            rows.gate_kernel,
            {"gate_up": BF16, "out": BF16, "width": "i32"},
            {"BLOCK": 1024},
            4,
        ),
        "quantise 2048": (rows.quantise_kernel, eight, {"GATE": False, "BLOCK": 2048}, 8),
        "gate and quantise 768": (rows.quantise_kernel, eight, {"GATE": True, "BLOCK": 1024}, 4),
        "combine 2048": (
            rows.weigh_kernel,
            sums | {"weights": BF16},
            {"K": 8, "BLOCK": 2048},
            8,
        ),
        "interpolate 1152": (
            rows.weigh_kernel,
            sums | {"weights": FP32},
            {"K": 4, "BLOCK": 2048},
            8,
        ),
    }


def list_sort_kernels() -> dict[str, tuple[object, dict[str, str], dict[str, object], int]]:
    """Return the two kernels that sort tokens by 128 experts."""
    sizes = {"BLOCK": 128, "EXPERTS": 128}
    numbers = {"chosen": "*i64", "n_choices": "i32", "n_experts": "i32"}
    return {
        "count 128": (sorting.count_kernel, numbers | {"counts": "*i32"}, sizes, 8),
        "place 128": (
            sorting.place_kernel,
            numbers | {"starts": "*i32", "choice_of": "*i64", "place": "*i64"},
            sizes,
            8,
        ),
    }


def list_expert_kernels() -> dict[str, tuple[object, dict[str, str], dict[str, object], int]]:
    """Return the experts' kernels but their products: tiles, and the sum of eight rows."""
    places = {"expert_of": "*i32", "first_of": "*i32", "stop_of": "*i32"}
    return {
        "map 128": (
            experts.map_kernel,
            places | {"ends": "*i32", "n_experts": "i32", "n_tiles": "i32"},
            {"ROWS": 128, "BLOCK": 128, "EXPERTS": 128},
            8,
        ),
        "sum 2048": (
            experts.sum_kernel,
            {"choices": BF16, "out": BF16, "width": "i32"},
            {"K": 8, "BLOCK": 1024},
            4,
        ),
    }


def compile_product(product: Product, n_bytes: int, blocks: Blocks) -> dict[str, object]:
    """Return what a product takes with these tiles, in bf16 (2 bytes a value) or fp8 (1)."""
    values = FP8 if n_bytes == 1 else BF16
    scales = FP32 if n_bytes == 1 else BF16
    types = {
        "x": values, "x_scale": scales, "rows": values, "row_scale": scales, "weights": values,
        "weight_scale": scales, "choice": "*i64", "shares": BF16, "expert_of": "*i32",
        "first_of": "*i32", "stop_of": "*i32", "out": BF16, "width": "i32", "inner": "i32",
    }  # fmt: skip
    constants = blocks.options() | {"EVEN": True, "SCALED": n_bytes == 1, "WIDE": False}
    stages = {name: constants.pop(name) for name in ("num_warps", "num_stages")}
    kernel = experts.gate_up_kernel if product is Product.GATE_UP else experts.down_kernel
    if product is Product.GATE_UP:
        constants["PER_TOKEN"] = 8
    types = {name: kind for name, kind in types.items() if name in kernel.arg_names}
    return compile_kernel(
        kernel, types, constants, stages["num_warps"], num_stages=stages["num_stages"]
    )


def compile_kernel(kernel, types, constants, n_warps: int, **options) -> dict[str, object]:
    """Return the shared memory, registers, spilled bytes and tensor instructions of a kernel."""
    names = kernel.arg_names
    signature = {name: "constexpr" if name in constants else types[name] for name in names}
    places = {(names.index(name),): value for name, value in constants.items()}
    aligned = {
        (names.index(name),): [["tt.divisibility", 16]]
        for name, kind in types.items()
        if kind.startswith("*") or name in SIXTEENS
    }
    source = ASTSource(kernel, signature, places, aligned)
    compiled = triton.compile(source, target=HOPPER, options={"num_warps": n_warps, **options})
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        usage = dump_cubin("-res-usage", file.name)
        assembly = dump_cubin("-sass", file.name)
    return {
        "shared": compiled.metadata.shared,
        "registers": int(re.search(r"REG:(\d+)", usage)[1]),
        "spilled": int(re.search(r"LOCAL:(\d+)", usage)[1])
        + int(re.search(r"STACK:(\d+)", usage)[1]),
        "tensor": sorted(set(re.findall(r"\b(HGMMA|QGMMA|HMMA)\b", assembly))),
    }


def dump_cubin(option: str, path: str) -> str:
    command = [str(TOOLS / "cuobjdump"), option, path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main(names: list[str]) -> None:
    plain = list_row_kernels() | list_sort_kernels() | list_expert_kernels()
    for name, (kernel, types, constants, n_warps) in plain.items():
        if not names or name in names:
            print(json.dumps({"name": name, **compile_kernel(kernel, types, constants, n_warps)}))
    tiles = {key: {*found, SMALL[key[1]]} for key, found in LARGE.items()}
    for (product, n_bytes), found in tiles.items():
        for blocks in found:
            name = f"{product} of {n_bytes} bytes, {blocks}"
            if not names or name in names:
                print(json.dumps({"name": name, **compile_product(product, n_bytes, blocks)}))


if __name__ == "__main__":
    main(sys.argv[1:])
