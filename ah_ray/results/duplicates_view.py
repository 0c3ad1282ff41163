"""Prints recordings that are nearly the same, and says which of them spoil an evaluation."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ah_ray.cli.screen import say
from ah_ray.results.duplicates import MOST_PAIRS, Duplicates, Pair, Recording
from ah_ray.units import format_count


def print_duplicates(console: Console, found: Duplicates) -> None:
    """Print a line for each pair, the most similar first, and what to do about leaks."""
    n_pairs = format_count(len(found.pairs), "pair") if found.pairs else "no pair"
    are = "is" if len(found.pairs) < 2 else "are"
    say(
        console,
        f"Compared  {format_count(found.n_videos, 'recording')} of {found.out} by their "
        f"embeddings: {n_pairs} {are} nearly the same (similarity {found.similarity:g} or more)",
    )
    if found.is_cut_off:
        say(
            console,
            f"Note      only the {MOST_PAIRS:,} pairs that are nearest by their means were "
            "compared clip by clip: others may be as similar",
        )
    if not found.pairs:
        return
    say(console, *map(_line, found.pairs))
    if found.leaks:
        say(
            console,
            f"LEAK      {format_count(len(found.leaks), 'pair')} of other people or splits: a "
            "model that has learned from the one knows the other, so figures on it are too good. "
            "Name both after one participant and prepare the labels again, or leave one out",
        )
    if not all(_is_named(pair) for pair in found.pairs):
        say(
            console,
            "Note      nobody says who is seen in some of them: give score.py a manifest with a "
            "column participant",
        )
    if not found.splits_known:
        say(console, "Splits    are compared with --labels FOLDER, an output of prepare.py")


def _line(pair: Pair) -> str:
    one, other = pair.first, pair.second
    clips = f"{pair.n_compared:,} of {one.n_clips:,} and {other.n_clips:,} clips"
    line = f"{pair.similarity:9.3f} {_words(one)} and {_words(other)}; {clips}"
    return f"{line}. LEAK: other {' and '.join(pair.leaks)}" if pair.leaks else line


def _words(one: Recording) -> str:
    """Return `visit-01/answer 2.mp4 (P-017, train)`, as far as that is known."""
    known = [word for word in (one.participant, one.split) if word is not None]
    return f"{one.name} ({', '.join(known)})" if known else one.name


def _is_named(pair: Pair) -> bool:
    return None not in (pair.first.participant, pair.second.participant)


def as_fields(found: Duplicates) -> dict[str, Any]:
    """Return it as JSON fields, for machines."""
    return {
        "out": found.out,
        "similarity": found.similarity,
        "videos": found.n_videos,
        "cut_off": found.is_cut_off,
        "pairs": [
            {
                "similarity": round(pair.similarity, 6),
                "clips_compared": pair.n_compared,
                "offset_clips": pair.offset,
                "leaks": list(pair.leaks),
                "recordings": [_recording(one) for one in (pair.first, pair.second)],
            }
            for pair in found.pairs
        ],
    }


def _recording(one: Recording) -> dict[str, Any]:
    names = ("video_id", "uri", "participant", "split")
    return {name: getattr(one, name) for name in names} | {"clips": one.n_clips}
