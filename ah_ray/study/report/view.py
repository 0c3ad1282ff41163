"""What a person at the terminal sees of a report that is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import Progress as Bars

from ah_ray.errors import shown
from ah_ray.study.report.make import Made, Progress
from ah_ray.units import gigabytes


@contextmanager
def showing(console: Console) -> Iterator[Progress]:
    """A bar while recordings are opened."""
    with ExitStack() as until_done:

        def begin(n_videos: int) -> Callable[[], None]:
            bars = until_done.enter_context(Bars(console=console, transient=True))
            bar = bars.add_task("Taking pictures", total=n_videos)
            return lambda: bars.advance(bar)

        yield begin


def print_made(console: Console, made: Made) -> None:
    lines = [f"{made.file}: {made.n_videos:,} videos, {gigabytes(made.n_bytes)}"]
    if made.n_listed < made.n_videos:
        lines.append(f"Its table holds the {made.n_listed:,} with the highest scores.")
    if made.n_with_frames is not None:
        lines.append(
            f"It shows people: {made.n_with_frames:,} videos with pictures. Keep it where the "
            "recordings may be kept."
        )
    for line in lines:
        console.print(shown(line), soft_wrap=True, markup=False, highlight=False)
