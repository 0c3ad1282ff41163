"""How the experts' products are cut into tiles: a table for Hopper, and a search that is kept.

The first entry of each list is what an H100 or H200 uses by count: large tiles where every expert
has hundreds of rows, and small ones where it has few. The others are what a search tries on the
card itself, with the job's own shapes. It takes half a minute once, most of it for compiling, and
its result is kept on disk by card and version of Triton.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

MANY_ROWS = 256
"""Rows of an expert, on average, from which on large tiles pay."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """One way to cut a product: a tile's rows and columns, the depth of a step, and who shares it.

    `stages` steps are in shared memory at the same time.
    """

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int

    def options(self) -> dict[str, int]:
        """Return these as options of a kernel's launch."""
        return {
            "ROWS": self.rows, "COLUMNS": self.columns, "DEPTH": self.depth,
            "num_warps": self.warps, "num_stages": self.stages,
        }  # fmt: skip


class Product(StrEnum):
    """The two products of a layer's experts."""

    GATE_UP = "gate_up"
    DOWN = "down"


LARGE: dict[tuple[Product, int], tuple[Blocks, ...]] = {
    (Product.GATE_UP, 2): (
        Blocks(128, 128, 64, 8, 4),
        Blocks(128, 64, 64, 4, 4),
        Blocks(64, 128, 64, 4, 4),
        Blocks(64, 64, 64, 4, 3),
    ),
    (Product.DOWN, 2): (
        Blocks(128, 256, 64, 8, 4),
        Blocks(128, 128, 64, 8, 4),
        Blocks(128, 128, 64, 4, 4),
        Blocks(64, 64, 64, 4, 4),
    ),
    (Product.GATE_UP, 1): (
        Blocks(128, 128, 128, 8, 4),
        Blocks(128, 64, 128, 4, 4),
        Blocks(64, 64, 128, 4, 3),
    ),
    (Product.DOWN, 1): (
        Blocks(128, 256, 128, 8, 4),
        Blocks(128, 128, 128, 8, 4),
        Blocks(64, 64, 128, 4, 4),
    ),
}
"""What is tried for a product of values of 2 bytes (bf16) or 1 (fp8); the best by count first."""

SMALL = {2: Blocks(64, 64, 64, 4, 4), 1: Blocks(64, 64, 128, 4, 4)}
"""Where experts have few rows, by the bytes of a value."""


def choose_blocks(
    product: Product, n_bytes: int, rows_each: float, large: Mapping[Product, Blocks] | None = None
) -> Blocks:
    """Return the blocks for values of `n_bytes` and `rows_each` rows of an expert.

    They are those of the table, or for many rows those that were found to be `large`.
    """
    n_bytes = min(n_bytes, 2)  # float32, which only tests compute in, uses what bf16 does
    if rows_each < MANY_ROWS:
        return SMALL[n_bytes]
    return (large or {}).get(product, LARGE[product, n_bytes][0])


def search_blocks(
    candidates: Sequence[Blocks], measure: Callable[[Blocks], float], key: str, cache: Path
) -> Blocks:
    """Return the candidate for which `measure` returns the fewest milliseconds.

    The result is kept under `key` in the file `cache`, and found there by later runs. A candidate
    that cannot be compiled or launched on this card is passed over; if none can be, raise
    RuntimeError with the last reason.
    """
    kept = _read(cache)
    if (known := kept.get(key)) in (found := {_name(one): one for one in candidates}):
        return found[known]
    times: dict[Blocks, float] = {}
    reason: Exception | None = None
    for one in candidates:
        try:
            times[one] = measure(one)
        except Exception as error:  # Triton has no base of its own for what a card cannot do
            reason = error
    if not times:
        raise RuntimeError(f"no tile size can be used: {reason}") from reason
    best = min(times, key=lambda one: times[one])
    _write(cache, _read(cache) | {key: _name(best)})
    return best


def find_cache() -> Path:
    """Return the file in which this user's searches are kept."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return folder / "ah_ray" / "kernels.json"


def _name(blocks: Blocks) -> str:
    return "×".join(map(str, asdict(blocks).values()))


def _read(cache: Path) -> dict[str, str]:
    try:
        found = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(cache: Path, kept: dict[str, str]) -> None:
    """Write the file whole, or not at all: a search that cannot be kept is made again."""
    beside = cache.with_suffix(f".{os.getpid()}.part")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        beside.replace(cache)
    except OSError:
        return
