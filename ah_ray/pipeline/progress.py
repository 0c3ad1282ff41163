"""What a person sees while a run goes on: one live display, or a line every 30 s."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ah_ray.pipeline.reducer import Committed

LINE_EVERY_S = 30.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of a run so far. Pure state; time comes in from outside."""

    total: int
    n_decoders: int = 1
    n_replicas: int = 1
    started_s: float = 0.0
    by_status: Counter = field(default_factory=Counter)
    by_kind: Counter = field(default_factory=Counter)
    n_clips: int = 0  # scored, or found to be unscorable
    video_s: float = 0.0
    decode_s: float = 0.0
    score_s: float = 0.0
    stage: str = "starting actors"

    def scored(self, n_clips: int, score_s: float, decode_s: float) -> None:
        self.n_clips += n_clips
        self.score_s += score_s
        self.decode_s += decode_s

    def committed(self, rows: Iterable[Committed]) -> None:
        for row in rows:
            self.by_status[row.status] += 1
            self.video_s += row.duration_s
            if row.error_kind:
                self.by_kind[row.error_kind] += 1

    @property
    def done(self) -> int:
        return sum(self.by_status.values())

    def rates(self, now_s: float) -> Rates:
        elapsed_s = max(now_s - self.started_s, 1e-9)
        left = self.total - self.done
        return Rates(
            elapsed_s=elapsed_s,
            clips_per_s=self.n_clips / elapsed_s,
            video_h_per_h=self.video_s / elapsed_s,
            eta_s=left * elapsed_s / self.done if self.done else None,
            decoders_busy=min(1.0, self.decode_s / (elapsed_s * self.n_decoders)),
            replicas_busy=min(1.0, self.score_s / (elapsed_s * self.n_replicas)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What follows from a tally and the time."""

    elapsed_s: float
    clips_per_s: float
    video_h_per_h: float
    eta_s: float | None
    decoders_busy: float
    replicas_busy: float


class Progress:
    """Shows a tally: a live display on a terminal, else a line every `LINE_EVERY_S`."""

    def __init__(self, console: Console, tally: Tally):
        self.tally = tally
        self._console = console
        self._live: Live | None = None
        self._over = threading.Event()

    def __enter__(self) -> Progress:
        self.tally.started_s = time.monotonic()
        if self._console.is_terminal:
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
            self.say(line(self.tally, time.monotonic()))

    def say(self, text: str) -> None:
        """A sentence that stays, above the live display."""
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def line(tally: Tally, now_s: float) -> str:
    """One line for logs."""
    rates = tally.rates(now_s)
    failed = tally.by_status["failed"]
    parts = [
        f"{tally.done}/{tally.total} videos ({failed} failed)",
        f"{tally.n_clips} clips, {rates.clips_per_s:.1f}/s",
        f"{rates.video_h_per_h:.1f} h of video per hour",
        f"decoders {rates.decoders_busy:.0%} busy, replicas {rates.replicas_busy:.0%}",
        f"ETA {clock(rates.eta_s)}",
    ]
    return f"[{clock(rates.elapsed_s)}] {tally.stage}: " + " · ".join(parts)


def display(tally: Tally, now_s: float) -> Group:
    """The live display: a bar, and two rows of figures."""
    rates = tally.rates(now_s)
    failed, partial = tally.by_status["failed"], tally.by_status["partial"]
    head = Table.grid(padding=(0, 1))
    head.add_row(
        Text(tally.stage, style="bold"),
        ProgressBar(total=max(tally.total, 1), completed=tally.done, width=32),
        Text(f"{tally.done}/{tally.total} videos"),
        Text(f"{failed} failed", style="red" if failed else "dim"),
        Text(f"{partial} partial", style="yellow" if partial else "dim"),
        Text(f"{clock(rates.elapsed_s)} · ETA {clock(rates.eta_s)}", style="dim"),
    )
    figures = Text(
        f"{rates.clips_per_s:.1f} clips/s · {rates.video_h_per_h:.1f} h of video per hour · "
        f"busy: {tally.n_decoders} decoders {rates.decoders_busy:.0%}, "
        f"{tally.n_replicas} replicas {rates.replicas_busy:.0%}",
        style="dim",
    )
    return Group(head, figures)


def clock(seconds: float | None) -> str:
    """1:02:03, or 2:03; `–` if unknown."""
    if seconds is None:
        return "–"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"
