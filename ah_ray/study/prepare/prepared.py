"""Counts of a labelled manifest, for prepared.json and the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from ah_ray.cli.screen import print_table, say
from ah_ray.study.labelled_manifest import SPLITS
from ah_ray.units import format_clock, format_count

_S_PER_H = 3600
_COLUMNS = (
    "<split", "people", "videos", "A/H", "length", "windows A/H", "weight", "not A/H", "weight",
)  # fmt: skip
_PLURAL = re.compile(r"\b(video|window|second|negative|tie)s\b")


def describe(
    windows: pa.Table,
    videos: pa.Table,
    left_out: Mapping[str, float],
    answers: pa.Table | None = None,
) -> dict[str, Any]:
    """Return counts by split and label, participants, and what was left out. It names nobody.

    `answers` are labels of a profile's questions, which are counted only if there are any.
    """
    questions = _count_answers(answers) if answers is not None and len(answers) else None
    return {
        "participants": _n_unique(videos, "participant_id"),
        "videos": len(videos),
        "windows": len(windows),
        "splits": {
            split: _split(_of(windows, split), _of(videos, split))
            for split in SPLITS
            if len(_of(videos, split))
        },
        **({} if questions is None else {"questions": questions}),
        "left_out": {reason: round(n, 3) for reason, n in sorted(left_out.items()) if n},
    }


def _count_answers(answers: pa.Table) -> dict[str, dict[str, dict[str, int]]]:
    """Return how many labels each answer has, by question and split."""
    columns = (answers[name].to_pylist() for name in ("question", "split", "answer"))
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for (question, split, answer), n in sorted(Counter(zip(*columns, strict=True)).items()):
        counts.setdefault(question, {}).setdefault(split, {})[answer] = n
    return counts


def _of(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.equal(table["split"], split))


def _n_unique(table: pa.Table, column: str) -> int:
    return int(pc.count_distinct(table[column]).as_py())


def _split(windows: pa.Table, videos: pa.Table) -> dict[str, Any]:
    return {
        "participants": _n_unique(videos, "participant_id"),
        "videos": len(videos),
        "ah_videos": round(_sum(pc.equal(videos["label"], 1))),
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
    return float(pc.sum(column).as_py() or 0)


def print_prepared(
    console: Console, out: str, about: Mapping[str, Any], manifest: str | None = None
) -> None:
    """Print one line for each split, what was left out, and how to score under the same ids.

    `manifest` is a table of these videos and their ids.
    """
    rows = [
        [
            name,
            f"{split['participants']:,}",
            f"{split['videos']:,}",
            f"{split['ah_videos']:,}",
            format_clock(split["hours"] * _S_PER_H),
            *_cells(split["windows"]["ah"]),
            *_cells(split["windows"]["not_ah"]),
        ]
        for name, split in about["splits"].items()
    ]
    print_table(console, _COLUMNS, rows)
    say(console, *_question_lines(about.get("questions", {})))
    say(console, *(f"left out: {told}" for told in left_out_texts(about["left_out"])))
    say(
        console,
        f"{out}: {format_count(about['windows'], 'window')} of "
        f"{format_count(about['videos'], 'video')}, "
        f"{format_count(about['participants'], 'participant')}; fingerprint "
        f"{about['data_fingerprint']}",
    )
    if export := about.get("export"):
        say(
            console,
            f"the export is for ms-swift {export['ms_swift']}: models that it trains are scored "
            f"with profile {export['scored_with_profile']}",
        )
        if left := export.get("labels_left_out"):
            say(
                console,
                f"the export leaves out {format_count(sum(left.values()), 'label')} of "
                f"{', '.join(left)}: a line of it asks the first question",
            )
    if about["ids_of"]:
        say(console, f"the video ids are those of score.py --videos {about['ids_of']}")
    elif manifest:
        say(console, f"score.py --videos {manifest} scores these videos, by the same ids")


def _question_lines(questions: Mapping[str, Any]) -> Iterator[str]:
    """Yield `question face: train 12 negative, 8 positive; val 3 negative`."""
    for name, splits in questions.items():
        texts = [
            f"{split} " + ", ".join(f"{n:,} {answer}" for answer, n in splits[split].items())
            for split in SPLITS
            if split in splits
        ]
        yield f"question {name}: {'; '.join(texts)}"


def left_out_texts(left_out: Mapping[str, float]) -> list[str]:
    """Return `2 faulty videos`, `1 faulty video`, `6.5 seconds of tails and gaps`."""
    words = {
        reason: _PLURAL.sub(r"\1", reason, count=1) if n == 1 else reason
        for reason, n in left_out.items()
    }
    return [f"{_plain_number(n)} {words[reason]}" for reason, n in left_out.items() if n]


def _plain_number(n: float) -> str:
    """Return `2` for 2.0, and `6.5`."""
    shown = round(n, 1)
    return f"{round(shown):,}" if shown == round(shown) else f"{shown:,}"


def _cells(label: Mapping[str, Any]) -> tuple[str, str]:
    weight = label["mean_weight"]
    return f"{label['n']:,}", "–" if weight is None else f"{weight:.2f}"
