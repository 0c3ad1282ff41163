"""What the terminal shows after an export."""

from __future__ import annotations

from rich.console import Console

from ah_ray import storage
from ah_ray.cli.screen import say
from ah_ray.study.exchange.export import READ_BACK, Exported
from ah_ray.study.exchange.vocabulary import VOCABULARY_FILE
from ah_ray.units import format_count


def print_exported(console: Console, exported: Exported) -> None:
    """Print where the files are, what they hold, and whom they name."""
    cohort = exported.cohort
    n_labelled = sum(bool(one.labels) for one in cohort.recordings)
    lines = [
        f"{exported.out}: {format_count(exported.n_files, 'file')} for {exported.tool.value}, "
        f"{format_count(len(cohort.recordings), 'recording')}, {n_labelled:,} with labels"
    ]
    if exported.has_names:
        lines.append("The files name recordings or people: keep them where these may be kept.")
    if exported.tool in READ_BACK:
        lines.append(
            f"prepare.py --{exported.tool.value} {exported.out} --vocabulary "
            f"{storage.join(exported.out, VOCABULARY_FILE)} reads annotations back."
        )
    say(console, *lines)
