"""What a labelled manifest holds, counted: for prepared.json, and for the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from ah_ray.errors import shown
from ah_ray.study.labels import SPLITS
from ah_ray.units import clock

_S_PER_H = 3600


def describe(windows: pa.Table, videos: pa.Table, left_out: Counter[str]) -> dict[str, Any]:
    """Counts by split and label, participants, and what was left out. Names nobody."""
    return {
        "participants": _n_unique(videos, "participant_id"),
        "videos": len(videos),
        "windows": len(windows),
        "splits": {
            split: _split(_of(windows, split), _of(videos, split))
            for split in SPLITS
            if len(_of(videos, split))
        },
        "left_out": {reason: round(n, 3) for reason, n in sorted(left_out.items()) if n},
    }


def _of(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.equal(table["split"], split))


def _n_unique(table: pa.Table, column: str) -> int:
    return pc.count_distinct(table[column]).as_py()


def _split(windows: pa.Table, videos: pa.Table) -> dict[str, Any]:
    return {
        "participants": _n_unique(videos, "participant_id"),
        "videos": len(videos),
        "ah_videos": _sum(pc.equal(videos["label"], 1)),
        "hours": round((_sum(videos["duration_s"])) / _S_PER_H, 4),
        "windows": {
            name: _label(windows.filter(pc.equal(windows["label"], label)))
            for name, label in (("ah", 1), ("not_ah", 0))
        },
    }


def _label(windows: pa.Table) -> dict[str, Any]:
    seconds = _sum(pc.subtract(windows["end_s"], windows["start_s"]))
    return {
        "n": len(windows),
        "hours": round(seconds / _S_PER_H, 4),
        "mean_weight": pc.mean(windows["weight"]).as_py(),
    }


def _sum(column: pa.ChunkedArray) -> float:
    return pc.sum(column).as_py() or 0


def print_prepared(console: Console, out: str, about: Mapping[str, Any]) -> None:
    """One line for each split, and what was left out."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("split")
    for title in (
        "people", "videos", "A/H", "length", "windows A/H", "weight", "not A/H", "weight",
    ):  # fmt: skip
        table.add_column(title, justify="right")
    for name, split in about["splits"].items():
        table.add_row(
            name,
            f"{split['participants']:,}",
            f"{split['videos']:,}",
            f"{split['ah_videos']:,}",
            clock(split["hours"] * _S_PER_H),
            *_cells(split["windows"]["ah"]),
            *_cells(split["windows"]["not_ah"]),
        )
    console.print(table)
    lines = [f"left out: {round(n, 1):,} {reason}" for reason, n in about["left_out"].items()]
    lines.append(
        f"{out}: {_counted(about['windows'], 'window')} of {_counted(about['videos'], 'video')}, "
        f"{_counted(about['participants'], 'participant')}; fingerprint "
        f"{about['data_fingerprint']}"
    )
    if about["ids_of"]:
        lines.append(f"the video ids are those of score.py --videos {about['ids_of']}")
    for line in lines:
        console.print(shown(line), soft_wrap=True, markup=False, highlight=False)


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def _cells(label: Mapping[str, Any]) -> tuple[str, str]:
    weight = label["mean_weight"]
    return f"{label['n']:,}", "–" if weight is None else f"{weight:.2f}"
