"""The same work on many videos: some at a time, with a bar that shows how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item, Result = TypeVar("Item"), TypeVar("Result")


def in_threads(
    n_threads: int, work: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Results in order. Who is interrupted, or fails, does not wait for what has not begun."""
    threads = ThreadPoolExecutor(n_threads)
    try:
        yield from threads.map(work, items)
    finally:
        threads.shutdown(cancel_futures=True)


@contextmanager
def progress(what: str, total: int, console: Console) -> Iterator[Callable[[], None]]:
    """A bar, on a terminal; yields what moves it on by one."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown:
        bar = shown.add_task(what, total=total)
        yield lambda: shown.advance(bar)
