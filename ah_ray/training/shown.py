"""A training as the terminal shows it: the plan, then steps and evaluations as they come."""

from __future__ import annotations

import threading
import time
from typing import Any

import ray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.training.journal import METRICS_FILE, write_metrics
from ah_ray.training.settings import Method

_LOOK_S = 0.5
_KEEP_S = 60.0  # between writes of metrics.parquet
_SAY_S = 60.0  # between lines, where no bar can be drawn


def plan_table(assignment, machines, found, needed, hours: float | None) -> Table:
    """What will be trained, on what, and what it takes."""
    settings, labels = assignment.settings, assignment.about["labels"]
    view = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    n_yes = sum(row.label for row in assignment.train)
    rows = {
        "Method": f"{settings.method}, {found.trained:,} of {found.parameters:,} parameters learn",
        "Labels": f"{len(assignment.train):,} windows ({n_yes:,} Yes) of "
        f"{labels['train_participants']:,} participants; {len(assignment.val):,} to validate",
        "Steps": f"{assignment.n_steps:,} of {settings.batch} windows, judged and saved "
        f"{len(assignment.evaluate_at)} times",
        "Workers": f"{machines.workers} on {'GPU' if machines.gpu else 'CPU'} in "
        f"{assignment.arithmetic}, each with up to {machines.decoders} decoders",
        "Memory": f"{needed.total / 1e9:.2f} GB a worker: weights {needed.weights / 1e9:.2f}, "
        f"gradients {needed.gradients / 1e9:.2f}, moments {needed.moments / 1e9:.2f}, passes "
        f"{needed.passes / 1e9:.2f}",
        "Time": "said by the progress, after the first steps"
        if hours is None
        else f"about {hours:.1f} h" + _cost(hours, settings.cost_per_hour),
    }
    for name, text in rows.items():
        view.add_row(name, text)
    return view


def _cost(hours: float, per_hour: float | None) -> str:
    return "" if per_hour is None else f", {hours * per_hour:.0f} at {per_hour:g} an hour"


class Shown:
    """Looks into the journal from a thread, until it is closed."""

    def __init__(self, journal, assignment, console: Console):
        self._journal = journal
        self._assignment = assignment
        self._console = console
        self._read = 0
        self._by_step: dict[tuple[int, bool], dict[str, Any]] = {}
        self._skipped: dict[int, str] = {}
        self._written = self._said = time.monotonic()
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
            console=console,
        )
        self._bar = self._progress.add_task("training", total=assignment.n_steps, now="starting")
        self._tensorboard = _tensorboard(assignment.settings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="shown", daemon=True)
        self._progress.start()
        self._thread.start()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Of metrics.parquet; a step that was made twice, after a loss, is there once."""
        return [self._by_step[key] for key in sorted(self._by_step)]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)
        self._progress.stop()

    def finished(self, name: str) -> None:
        """The last words: what was made, and how to use it."""
        settings, say = self._assignment.settings, self._console.print
        place = storage.join(settings.out, name)
        if self._skipped:
            number, reason = next(iter(self._skipped.items()))
            row = self._assignment.train[number]
            say(
                f"{len(self._skipped):,} windows could not be decoded and taught nothing; the "
                f"first: {row.uri} from {row.start_s:g} s: {reason}"
            )
        say(f"Model    {place}")
        say(f"Metrics  {storage.join(settings.out, METRICS_FILE)}")
        if settings.method is Method.FULL:
            say(f"Score with it:  python jobs/score.py --videos … --out … --model {place}")
        else:
            say(
                "Score with it:  python jobs/score.py --videos … --out … --model "
                f"{settings.model} --adapter {place}"
            )

    def _look_on(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self._look()
        self._look()

    def _look(self) -> None:
        try:
            told = ray.get(self._journal.since.remote(self._read), timeout=10)
        except Exception:  # it ends with the training, or with Ray: nothing is left to be shown
            return
        self._read += len(told)
        for kind, what in told:
            if kind == "row":
                self._take(what)
            elif kind == "resumed":
                self._console.print(f"going on after step {what:,}")
            elif kind == "skipped":
                self._skipped.update(what)
            else:
                self._console.print(what)
        if told and time.monotonic() - self._written > _KEEP_S:
            write_metrics(self._assignment.settings.out, self.rows)
            self._written = time.monotonic()

    def _take(self, row: dict[str, Any]) -> None:
        judged = "val_n_windows" in row
        self._by_step[row["step"], judged] = row
        if self._tensorboard is not None:
            for name, value in row.items():
                if isinstance(value, float):
                    self._tensorboard.add_scalar(name, value, row["step"])
        if judged:
            self._console.print(_evaluation(row))
            return
        now = f"loss {row['loss']:.4f}"
        if "reward" in row:
            now = f"reward {row['reward']:.3f} of 2, {now}"
        waited = 100 * row["waited_s"] / max(row["step_s"], 1e-9)
        now = f"{now}, waited {waited:.0f}% for clips"
        self._progress.update(self._bar, completed=row["step"], now=now)
        if not self._console.is_terminal and time.monotonic() - self._said > _SAY_S:
            self._said = time.monotonic()
            self._console.print(f"step {row['step']:,} of {self._assignment.n_steps:,}: {now}")


def _evaluation(row: dict[str, Any]) -> str:
    names = {
        "val_loss": "loss",
        "val_accuracy": "accuracy",
        "val_macro_f1": "macro-F1",
        "val_average_precision": "AP",
        "val_video_macro_f1": "macro-F1 of videos",
        "val_simple_accuracy": "simpler questions",
    }
    parts = [f"{text} {row[name]:.3f}" for name, text in names.items() if row[name] is not None]
    return f"step {row['step']:,}: " + (", ".join(parts) or "nothing to validate with")


def _tensorboard(settings):
    if not settings.tensorboard:
        return None
    folder = storage.local_path(storage.join(settings.out, "tensorboard"))
    if folder is None:
        raise ConfigError(
            "--tensorboard writes to a folder of this machine, and --out is a bucket; leave it "
            "out, and read metrics.parquet"
        )
    from tensorboardX import SummaryWriter  # slow to import, and seldom asked for

    return SummaryWriter(str(folder))
