"""What the terminal shows while a report is made, and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice

from rich.console import Console

from ah_ray.cli.screen import say
from ah_ray.study.parallel import progress
from ah_ray.study.report.make import OpenProgress, WrittenReport
from ah_ray.units import format_bytes

_SHOWN = 3


@contextmanager
def show_progress(console: Console) -> Iterator[OpenProgress]:
    """Show a progress bar while recordings are opened."""
    with ExitStack() as until_done:

        def begin(n_videos: int) -> Callable[[], None]:
            return until_done.enter_context(progress("taking pictures", n_videos, console))

        yield begin


def print_report(console: Console, made: WrittenReport) -> None:
    """Print where the page is, what it holds, and which videos have no picture."""
    lines = [f"{made.file}: {made.n_videos:,} videos, {format_bytes(made.n_bytes)}"]
    if made.n_listed < made.n_videos:
        lines.append(f"Its table holds the {made.n_listed:,} with the highest scores.")
    if made.frames is not None:
        lines.append(
            f"It shows people: {len(made.frames.by_video):,} videos with pictures. Keep it where "
            "the recordings may be kept."
        )
        lines += _without_pictures(made.frames.missing)
    say(console, *lines)


def _without_pictures(missing: Mapping[str, str]) -> Iterator[str]:
    if missing:
        have = "video has" if len(missing) == 1 else "videos have"
        yield f"{len(missing):,} scored {have} no picture:"
    for video_id, reason in islice(missing.items(), _SHOWN):
        yield f"  {video_id}: {reason}"
    if len(missing) > _SHOWN:
        yield f"  and {len(missing) - _SHOWN:,} more"
