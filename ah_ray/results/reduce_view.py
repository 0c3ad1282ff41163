"""What came of reducing, as a person reads it."""

from __future__ import annotations

from rich.console import Console

from ah_ray.results.reduce import Reduced
from ah_ray.results.verdict import in_words
from ah_ray.screen import print_table, say


def print_reduced(console: Console, out: str, reduced: Reduced) -> None:
    """How verdicts are formed now, and how many videos there are of each kind."""
    counts = reduced.counts
    numbers = {
        **dict(sorted(counts.by_status.items(), reverse=True)),
        "without a row": counts.n_missing,
        "written now": reduced.written,
        **reduced.notes,
    }
    say(console, f"{out}: {in_words(reduced.config.reduction)}")
    print_table(console, ("<videos", "n"), [[name, f"{n:,}"] for name, n in numbers.items()])
    if reduced.trouble:
        say(console, f"Stopped early: {reduced.trouble}. Run it again to go on.")
