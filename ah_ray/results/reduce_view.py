"""Prints the result of jobs/reduce.py."""

from __future__ import annotations

from rich.console import Console

from ah_ray.cli.screen import print_table, say
from ah_ray.results.reduce import Reduced
from ah_ray.verdicts.verdict import describe_reduction


def print_reduced(console: Console, out: str, reduced: Reduced) -> None:
    """Print how verdicts are formed, and how many videos there are of each status."""
    counts = reduced.counts
    numbers = {
        **dict(sorted(counts.by_status.items(), reverse=True)),
        "without a row": counts.n_missing,
        "written now": reduced.written,
        **reduced.notes,
    }
    say(console, f"{out}: {describe_reduction(reduced.config.reduction)}")
    print_table(console, ("<videos", "n"), [[name, f"{n:,}"] for name, n in numbers.items()])
    if reduced.trouble:
        say(console, f"Stopped early: {reduced.trouble}. Run it again to go on.")
