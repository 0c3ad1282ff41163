"""The same work on many videos: several at a time, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    n_threads: int, work: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield results in order. After an interrupt or an error, no more work is started."""
    threads = ThreadPoolExecutor(n_threads)
    try:
        yield from threads.map(work, items)
    finally:
        threads.shutdown(cancel_futures=True)


@contextmanager
def progress(what: str, total: int, console: Console) -> Iterator[Callable[[], None]]:
    """Show a progress bar on a terminal; yield a function that advances it by one."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown:
        bar = shown.add_task(what, total=total)
        yield lambda: shown.advance(bar)
