"""What a person sees while a run goes on: one live display, or a line every 30 s."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ah_ray import logs
from ah_ray.cli.screen import say
from ah_ray.escaping import escape_text
from ah_ray.naming import hide_paths
from ah_ray.pipeline.reporting.tally import Tally, report
from ah_ray.records import Committed
from ah_ray.units import format_clock

LINE_EVERY_S = 30.0


class Progress:
    """Shows a tally: a live display on a terminal, else a line every `LINE_EVERY_S`.

    With `as_events` both lines and sentences are events of the log instead.
    """

    def __init__(self, console: Console, tally: Tally, *, as_events: bool = False):
        self.tally = tally
        self._console = console
        self._as_events = as_events
        self._live: Live | None = None
        self._over = threading.Event()

    def __enter__(self) -> Progress:
        self.tally.started_s = time.monotonic()
        if self._console.is_terminal and not self._as_events:
            self._live = Live(
                console=self._console,
                get_renderable=lambda: display(self.tally, time.monotonic()),
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()
        else:
            threading.Thread(target=self._print_lines, name="progress", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._live is not None:
            self._live.stop()

    def _print_lines(self) -> None:
        while not self._over.wait(LINE_EVERY_S):
            if self._as_events:
                logs.event("progress", **report(self.tally, time.monotonic()))
            else:
                self.say(line(self.tally, time.monotonic()))

    def add_row(self, row: Committed) -> None:
        """Count a row that was written, and log it."""
        self.tally.add_rows([row])
        if self._as_events:
            level = logging.WARNING if row.error_kind else logging.INFO
            fields: dict[str, Any] = {
                "video_id": row.video_id,
                "status": row.status,
                "error_kind": row.error_kind,
            }
            logs.event("video", level=level, n_clips=row.n_clips, **fields)

    def say(self, text: str) -> None:
        """Print a sentence above the live display, or log it."""
        if self._as_events:
            logs.event("notice", escape_text(text))
        else:
            say(self._console, hide_paths(text))


def line(tally: Tally, now_s: float) -> str:
    """Return the progress in one line, for logs."""
    rates = tally.rates(now_s)
    failed = tally.by_status["failed"]
    parts = [
        f"{tally.done}/{tally.total} videos ({failed} failed)",
        f"{tally.n_clips} clips, {rates.clips_per_s:.1f}/s",
        f"{rates.video_h_per_h:.1f} h of video per hour",
        f"decoders {rates.decoders_busy:.0%} busy, replicas {rates.replicas_busy:.0%}",
        f"ETA {format_clock(rates.eta_s)}",
    ]
    return f"[{format_clock(rates.elapsed_s)}] {tally.stage}: " + " · ".join(parts)


def display(tally: Tally, now_s: float) -> Group:
    """Return the live display: a bar, and two rows of figures."""
    rates = tally.rates(now_s)
    failed, partial = tally.by_status["failed"], tally.by_status["partial"]
    head = Table.grid(padding=(0, 1))
    head.add_row(
        Text(tally.stage, style="bold"),
        ProgressBar(total=max(tally.total, 1), completed=tally.done, width=32),
        Text(f"{tally.done}/{tally.total} videos"),
        Text(f"{failed} failed", style="red" if failed else "dim"),
        Text(f"{partial} partial", style="yellow" if partial else "dim"),
        Text(f"{format_clock(rates.elapsed_s)} · ETA {format_clock(rates.eta_s)}", style="dim"),
    )
    figures = Text(
        f"{rates.clips_per_s:.1f} clips/s · {rates.video_h_per_h:.1f} h of video per hour · "
        f"busy: {tally.n_decoders} decoders {rates.decoders_busy:.0%}, "
        f"{tally.n_replicas} replicas {rates.replicas_busy:.0%}",
        style="dim",
    )
    return Group(head, figures)
