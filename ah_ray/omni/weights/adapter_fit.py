"""Find which weights of a base an adapter changes, and how; a key without a place is an error.

These are pure functions, shapes in and updates out, so that a driver can check an adapter before a
model is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from ah_ray.errors import ConfigError
from ah_ray.omni.weights.adapter import MERGE_ADVICE, Adapter, FactorPair
from ah_ray.omni.weights.weight_names import split_fused_rows

_ANOTHER_BASE = "give the base that it was trained on"
_PER_TOKEN = ("embed_tokens.weight", "lm_head.weight")
_NUMBER = re.compile(r"\.\d+\.")
_PEFT_SINCE = (0, 19)  # factors of fused experts are [in] and [out] as the weight is

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertSlice:
    """Which part of fused factors: A [n · r, in] is expert-major, B [out, r · n] expert-minor.

    Before 0.19, peft took a fused parameter [n, out, in] for [n, in, out] (`exchanged`): there A is
    [n · r, out] and B [in, r · n].
    """

    index: int
    n: int
    first_row: int  # of `out`
    last_row: int
    exchanged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRankUpdate:
    """weight += scale · B·A."""

    adapter: Adapter
    key_a: str
    key_b: str
    scale: float
    expert: ExpertSlice | None = None
    transposed: bool = False  # of an embedding, whose weight is [in, out]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The weight is replaced."""

    adapter: Adapter
    key: str


Update = LowRankUpdate | Replacement


def fit_adapters(adapters: Sequence[Adapter], shapes: Shapes) -> dict[str, list[Update]]:
    """Return the updates of each weight, in the order in which they are applied.

    `shapes` are the base's, by weight (`weight_names`). Raise ConfigError, which names the key, if
    a key has no place or its shape does not fit.
    """
    updates: dict[str, list[Update]] = {}
    for adapter in adapters:
        for weight, (key, shape) in adapter.replacements.items():
            _check_replacement(adapter, key, weight, shape, shapes)
            if weight in updates:
                raise ConfigError(
                    f"--adapter {adapter.path}: {key} would replace what an earlier adapter "
                    "trained; merge them one after another where they were trained"
                )
            updates[weight] = [Replacement(adapter=adapter, key=key)]
        for pair in adapter.pairs:
            for weight, update in _list_updates(adapter, pair, shapes):
                updates.setdefault(weight, []).append(update)
    return updates


def _list_updates(
    adapter: Adapter, pair: FactorPair, shapes: Shapes
) -> Iterator[tuple[str, LowRankUpdate]]:
    if pair.name.endswith(".mlp.experts"):
        yield from _list_expert_updates(adapter, pair, shapes)
        return
    weight = f"{pair.name}.weight"
    by_parameter = adapter.targets_parameter(f"{pair.module}.weight")
    target = f"{pair.module}.weight" if by_parameter else pair.module
    rank, scale = adapter.find_rank_and_scale(target)
    if weight not in shapes:
        raise _make_missing_weight_error(adapter, pair.key_a, weight, shapes)
    out_in = shapes[weight][::-1] if pair.is_embedding else shapes[weight]
    found, expected = (pair.shape_a, pair.shape_b), ((rank, *out_in[1:]), (*out_in[:1], rank))
    if len(out_in) != 2 or found != expected:
        where = f"rank {rank} on {weight} {list(shapes[weight])}"
        if len(out_in) != 2:
            raise _make_shape_error(adapter, pair, where, MERGE_ADVICE)
        raise _make_shape_error(adapter, pair, where, _choose_rank_advice(pair, rank, out_in))
    yield (
        weight,
        LowRankUpdate(
            adapter=adapter,
            key_a=pair.key_a,
            key_b=pair.key_b,
            scale=scale,
            transposed=pair.is_embedding,
        ),
    )


def _list_expert_updates(
    adapter: Adapter, pair: FactorPair, shapes: Shapes
) -> Iterator[tuple[str, LowRankUpdate]]:
    """Yield the updates of all experts of a layer, from shared factors (peft's target_parameters).

    peft nests the wrappers of the two parameters and does not save which is which. No two fused
    parameters have the same shapes, so the shapes decide.
    """
    n = next(e for e in count() if f"{pair.name}.{e}.gate_proj.weight" not in shapes)
    if not n:
        raise _make_missing_weight_error(
            adapter, pair.key_a, f"{pair.name}.0.gate_proj.weight", shapes
        )
    inner, hidden = shapes[f"{pair.name}.0.gate_proj.weight"]
    module = pair.module.replace(".base_layer", "")
    for part, rows, columns in (("gate_up_proj", 2 * inner, hidden), ("down_proj", hidden, inner)):
        rank, scale = adapter.find_rank_and_scale(f"{module}.{part}")
        exchanged = _is_exchanged(adapter, pair, rows, columns, n * rank)
        if exchanged is None:
            continue
        for weight, first, last in split_fused_rows(part, rows):
            for index in range(n):
                yield (
                    f"{pair.name}.{index}.{weight}.weight",
                    LowRankUpdate(
                        adapter=adapter,
                        key_a=pair.key_a,
                        key_b=pair.key_b,
                        scale=scale,
                        expert=ExpertSlice(
                            index=index,
                            n=n,
                            first_row=first,
                            last_row=last,
                            exchanged=exchanged,
                        ),
                    ),
                )
        return
    where = f"{n} experts of [{2 * inner}, {hidden}] and [{hidden}, {inner}]"
    # Another rank, or another number of experts: their factors have the same shapes.
    raise _make_shape_error(
        adapter, pair, where, f"{_ANOTHER_BASE}, and its own adapter_config.json"
    )


def _is_exchanged(
    adapter: Adapter, pair: FactorPair, rows: int, columns: int, all_ranks: int
) -> bool | None:
    """Return whether factors of experts [rows, columns] have in and out exchanged.

    Return None if they do not belong to these experts. Shapes decide, unless the experts are
    square; then only factors of a new enough peft are known to be right.
    """
    found = (pair.shape_a, pair.shape_b)
    if found == ((all_ranks, columns), (rows, all_ranks)):
        if rows == columns and adapter.peft_version < _PEFT_SINCE:
            raise ConfigError(
                f"--adapter {adapter.path}: {pair.key_a} and {pair.key_b} belong to square "
                f"experts [{rows}, {columns}], and peft before "
                f"{'.'.join(map(str, _PEFT_SINCE))} exchanged their rows and columns, which their "
                f"shapes do not show; {MERGE_ADVICE}"
            )
        return False
    return True if found == ((all_ranks, rows), (columns, all_ranks)) else None


def _check_replacement(
    adapter: Adapter, key: str, weight: str, shape: tuple[int, ...], shapes: Shapes
) -> None:
    if weight not in shapes:
        raise _make_missing_weight_error(adapter, key, weight, shapes)
    if shape != shapes[weight]:
        # A vocabulary is made longer in training; no base has it so.
        longer = weight.endswith(_PER_TOKEN) and shape[1:] == shapes[weight][1:]
        raise ConfigError(
            f"--adapter {adapter.path}: {key} {list(shape)} does not fit {weight} "
            f"{list(shapes[weight])}; {MERGE_ADVICE if longer else _ANOTHER_BASE}"
        )


def _make_missing_weight_error(
    adapter: Adapter, key: str, weight: str, shapes: Shapes
) -> ConfigError:
    """Return an error: extra layers or experts mean another base, other modules another model."""
    kinds = {_NUMBER.sub(".#.", name) for name in shapes}
    advice = _ANOTHER_BASE if _NUMBER.sub(".#.", weight) in kinds else MERGE_ADVICE
    return ConfigError(f"--adapter {adapter.path}: {key} has no place in the base; {advice}")


def _choose_rank_advice(pair: FactorPair, rank: int, out_in: tuple[int, ...]) -> str:
    """Return what to do about factors whose rank, or more than their rank, differs."""
    found = pair.shape_a[0] if pair.shape_a else 0
    if (pair.shape_a, pair.shape_b) != ((found, *out_in[1:]), (*out_in[:1], found)):
        return _ANOTHER_BASE
    return (
        f"their rank is {found}, and its adapter_config.json says {rank}: copy that file again "
        "from where the adapter was saved"
    )


def _make_shape_error(adapter: Adapter, pair: FactorPair, base: str, advice: str) -> ConfigError:
    return ConfigError(
        f"--adapter {adapter.path}: {pair.key_a} {list(pair.shape_a)} and {pair.key_b} "
        f"{list(pair.shape_b)} do not fit {base}; {advice}"
    )
