"""Which weights of a base an adapter changes, and how; every key finds its place or is named.

Pure: shapes in, updates out, so that a driver can check an adapter before any model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from ah_ray.errors import ConfigError
from ah_ray.omni.adapter import Adapter, Pair
from ah_ray.omni.weight_names import fused_rows

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expert:
    """Which part of fused factors: A [n · r, in] is expert-major, B [out, r · n] expert-minor."""

    index: int
    n: int
    first_row: int  # of `out`
    last_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank:
    """weight += scale · B·A."""

    adapter: Adapter
    key_a: str
    key_b: str
    scale: float
    expert: Expert | None = None
    transposed: bool = False  # of an embedding, whose weight is [in, out]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The weight is replaced."""

    adapter: Adapter
    key: str


Update = LowRank | Whole


def fit(adapters: Sequence[Adapter], shapes: Shapes) -> dict[str, list[Update]]:
    """The updates of each weight, in the order in which they are made.

    `shapes` are the base's, by weight (`weight_names`). Raises ConfigError that names the key
    which has no place, or whose shape does not fit.
    """
    updates: dict[str, list[Update]] = {}
    for adapter in adapters:
        for weight, (key, shape) in adapter.wholes.items():
            _check(adapter, key, weight, shape, shapes)
            if weight in updates:
                raise ConfigError(
                    f"--adapter {adapter.path}: {key} would replace what an earlier adapter "
                    "trained; merge them one after another where they were trained"
                )
            updates[weight] = [Whole(adapter=adapter, key=key)]
        for pair in adapter.pairs:
            for weight, update in _updates(adapter, pair, shapes):
                updates.setdefault(weight, []).append(update)
    return updates


def _updates(adapter: Adapter, pair: Pair, shapes: Shapes) -> Iterator[tuple[str, LowRank]]:
    if pair.name.endswith(".mlp.experts"):
        yield from _of_experts(adapter, pair, shapes)
        return
    weight = f"{pair.name}.weight"
    by_parameter = adapter.is_parameter(f"{pair.module}.weight")
    target = f"{pair.module}.weight" if by_parameter else pair.module
    rank, scale = adapter.rank_and_scale(target)
    if weight not in shapes:
        raise _no_place(adapter, pair.key_a)
    out_in = shapes[weight][::-1] if pair.is_embedding else shapes[weight]
    found, expected = (pair.shape_a, pair.shape_b), ((rank, *out_in[1:]), (*out_in[:1], rank))
    if len(out_in) != 2 or found != expected:
        raise _no_fit(adapter, pair, f"rank {rank} on {weight} {list(shapes[weight])}")
    yield (
        weight,
        LowRank(
            adapter=adapter,
            key_a=pair.key_a,
            key_b=pair.key_b,
            scale=scale,
            transposed=pair.is_embedding,
        ),
    )


def _of_experts(adapter: Adapter, pair: Pair, shapes: Shapes) -> Iterator[tuple[str, LowRank]]:
    """Factors of all experts of a layer at once (peft's target_parameters).

    peft nests the two parameters' wrappers and does not save which is which; no two fused
    parameters have the same shapes, so these tell.
    """
    n = next(e for e in count() if f"{pair.name}.{e}.gate_proj.weight" not in shapes)
    if not n:
        raise _no_place(adapter, pair.key_a)
    inner, hidden = shapes[f"{pair.name}.0.gate_proj.weight"]
    module = pair.module.replace(".base_layer", "")
    for part, rows, columns in (("gate_up_proj", 2 * inner, hidden), ("down_proj", hidden, inner)):
        rank, scale = adapter.rank_and_scale(f"{module}.{part}")
        if (pair.shape_a, pair.shape_b) != ((n * rank, columns), (rows, rank * n)):
            continue
        for weight, first, last in fused_rows(part, rows):
            for index in range(n):
                yield (
                    f"{pair.name}.{index}.{weight}.weight",
                    LowRank(
                        adapter=adapter,
                        key_a=pair.key_a,
                        key_b=pair.key_b,
                        scale=scale,
                        expert=Expert(index=index, n=n, first_row=first, last_row=last),
                    ),
                )
        return
    raise _no_fit(adapter, pair, f"{n} experts of [{2 * inner}, {hidden}] and [{hidden}, {inner}]")


def _check(adapter: Adapter, key: str, weight: str, shape: tuple[int, ...], shapes: Shapes) -> None:
    if weight not in shapes:
        raise _no_place(adapter, key)
    if shape != shapes[weight]:
        raise ConfigError(
            f"--adapter {adapter.path}: {key} {list(shape)} does not fit {weight} "
            f"{list(shapes[weight])}; give the base that it was trained on"
        )


def _no_place(adapter: Adapter, key: str) -> ConfigError:
    return ConfigError(
        f"--adapter {adapter.path}: {key} has no place in the base; give the base that it was "
        "trained on"
    )


def _no_fit(adapter: Adapter, pair: Pair, base: str) -> ConfigError:
    return ConfigError(
        f"--adapter {adapter.path}: {pair.key_a} {list(pair.shape_a)} and {pair.key_b} "
        f"{list(pair.shape_b)} do not fit {base}; give the base that it was trained on, and its "
        "own adapter_config.json"
    )
