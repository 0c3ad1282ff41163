"""Show a training in the terminal: first the plan, then steps and evaluations."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from typing import Any

import ray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ah_ray import storage
from ah_ray.errors import ConfigError, OutputBusy, StorageError
from ah_ray.output.lease import Lease
from ah_ray.training.data.assignment import Assignment, Machines
from ah_ray.training.data.named_labels import count_answers
from ah_ray.training.journal import METRICS_FILE, write_metrics
from ah_ray.training.plan import Memory, Sizes
from ah_ray.training.settings import Method, TrainSettings
from ah_ray.training.steps.lost_windows import LOST_FILE, LostWindows

_LOOK_S = 0.5
_KEEP_S = 60.0  # between writes of metrics.parquet
_SAY_S = 60.0  # between lines, where no bar can be drawn


def make_plan_table(
    assignment: Assignment,
    machines: Machines,
    found: Sizes,
    needed: Memory,
    hours: float | None,
) -> Table:
    """Return a table of what will be trained, on what, and what it needs."""
    settings, labels = assignment.settings, assignment.about["labels"]
    view = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    n_yes = sum(bool(row.label) for row in assignment.train)
    rows = {
        "Method": f"{settings.method}, {found.trained:,} of {found.parameters:,} parameters learn",
        "Labels": f"{len(assignment.train):,} windows ({n_yes:,} Yes) of "
        f"{labels['train_participants']:,} participants; {len(assignment.val):,} to validate",
        **_format_questions(assignment),
        "Steps": f"{assignment.n_steps:,} of {settings.batch} windows, judged and saved "
        f"{len(assignment.evaluate_at)} times",
        "Workers": f"{machines.workers} on {'GPU' if machines.gpu else 'CPU'} in "
        f"{assignment.arithmetic}, each with up to {machines.decoders} decoders",
        "Memory": f"{needed.total / 1e9:.2f} GB a worker: weights {needed.weights / 1e9:.2f}, "
        f"gradients {needed.gradients / 1e9:.2f}, moments {needed.moments / 1e9:.2f}, passes "
        f"{needed.passes / 1e9:.2f}",
        "Time": "shown by the progress bar after the first steps"
        if hours is None
        else f"about {hours:.1f} h" + _format_cost(hours, settings.cost_per_hour),
    }
    for name, text in rows.items():
        view.add_row(name, text)
    return view


def _format_questions(assignment: Assignment) -> dict[str, str]:
    """Return how many windows have each answer to each question; nothing if only the first has."""
    if "questions" not in assignment.about["labels"]:
        return {}
    counts = count_answers(assignment.train, assignment.profile)
    parts = [
        f"{name}: {sum(of.values()):,} windows ("
        + ", ".join(f"{n:,} {answer}" for answer, n in of.items())
        + ")"
        for name, of in counts.items()
    ]
    return {"Questions": "; ".join(parts)}


def _format_cost(hours: float, per_hour: float | None) -> str:
    return "" if per_hour is None else f", {hours * per_hour:.0f} at {per_hour:g} an hour"


class ProgressView:
    """Read the journal from a thread, and show it, until it is closed.

    If the lease on OUT is lost meanwhile, the thread that made this is interrupted, as by Ctrl-C,
    if it is the main one. The lease then knows the reason.
    """

    def __init__(self, journal: Any, assignment: Assignment, lease: Lease, console: Console):
        self._journal = journal
        self._assignment = assignment
        self._lease = lease
        self._interrupts = threading.current_thread() is threading.main_thread()
        self._console = console
        self._read = 0
        self._by_step: dict[tuple[int, bool], dict[str, Any]] = {}
        self.lost_windows = LostWindows()
        self.stopped: str | None = None  # why the workers ended it
        self._written = self._reported = time.monotonic()
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
            console=console,
        )
        self._bar = self._progress.add_task("training", total=assignment.n_steps, now="starting")
        self._tensorboard = _open_tensorboard(assignment.settings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch_journal, name="shown", daemon=True)
        self._progress.start()
        self._thread.start()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of metrics.parquet; a step made twice, after a loss, is there once."""
        return [self._by_step[key] for key in sorted(self._by_step)]

    def close(self) -> None:
        """Stop the thread and the progress bar."""
        self._stop.set()
        self._thread.join(timeout=30)
        self._progress.stop()

    def report_result(self, name: str) -> None:
        """Show what was written, and how to use it."""
        settings, say = self._assignment.settings, self._console.print
        place = storage.join(settings.out, name)
        if self.lost_windows:
            n_lost = len(self.lost_windows.train) + len(self.lost_windows.val)
            say(
                f"{n_lost:,} windows could not be decoded, and are listed in "
                f"{storage.join(settings.out, LOST_FILE)}; the same command trains again once they "
                "can be"
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

    def _watch_journal(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self._read_journal()
            if self._lease.lost.is_set():
                if self._interrupts and (main := threading.main_thread().ident) is not None:
                    signal.pthread_kill(main, signal.SIGINT)
                return
        self._read_journal()

    def _read_journal(self) -> None:
        try:
            entries = ray.get(self._journal.read_since.remote(self._read), timeout=10)
        except Exception:  # it ends with the training, or with Ray: nothing is left to be shown
            return
        self._read += len(entries)
        for kind, what in entries:
            if kind == "row":
                self._add_row(what)
            elif kind == "resumed":
                self._console.print(f"going on after step {what:,}")
            elif kind == "lost":
                self.lost_windows = what
            elif kind == "stopped":
                self.stopped = what
            else:
                self._console.print(what)
        if entries and time.monotonic() - self._written > _KEEP_S:
            self._written = time.monotonic()
            # A lost lease is seen by `_look_on`; what storage refuses is tried again, and told by
            # the last write.
            with suppress(OutputBusy, StorageError):
                write_metrics(self._assignment.settings.out, self.rows, self._lease.confirm)

    def _add_row(self, row: dict[str, Any]) -> None:
        is_evaluation = "val_n_windows" in row
        self._by_step[row["step"], is_evaluation] = row
        if self._tensorboard is not None:
            for name, value in row.items():
                if isinstance(value, float):
                    self._tensorboard.add_scalar(name, value, row["step"])
            for one in row.get("val_questions") or ():
                name = f"val_macro_f1/{one['question']}"
                self._tensorboard.add_scalar(name, one["macro_f1"], row["step"])
        if is_evaluation:
            self._console.print(_format_evaluation(row))
            return
        now = f"loss {row['loss']:.4f}"
        if "reward" in row:
            now = f"reward {row['reward']:.3f} of 2, {now}"
        waited = 100 * row["waited_s"] / max(row["step_s"], 1e-9)
        now = f"{now}, waited {waited:.0f}% for clips"
        self._progress.update(self._bar, completed=row["step"], now=now)
        if not self._console.is_terminal and time.monotonic() - self._reported > _SAY_S:
            self._reported = time.monotonic()
            self._console.print(f"step {row['step']:,} of {self._assignment.n_steps:,}: {now}")


def _format_evaluation(row: dict[str, Any]) -> str:
    names = {
        "val_loss": "loss",
        "val_accuracy": "accuracy",
        "val_macro_f1": "macro-F1",
        "val_average_precision": "AP",
        "val_video_macro_f1": "macro-F1 of videos",
        "val_simple_accuracy": "simpler questions",
    }
    parts = [f"{text} {row[name]:.3f}" for name, text in names.items() if row[name] is not None]
    parts += [
        f"{one['question']} accuracy {one['accuracy']:.3f} macro-F1 {one['macro_f1']:.3f}"
        for one in row["val_questions"]
    ]
    return f"step {row['step']:,}: " + (", ".join(parts) or "nothing to validate with")


def _open_tensorboard(settings: TrainSettings) -> Any:
    if not settings.tensorboard:
        return None
    folder = storage.local_path(storage.join(settings.out, "tensorboard"))
    if folder is None:
        raise ConfigError(
            "--tensorboard writes to a folder of this machine, and --out is a bucket; leave it "
            "out, and read metrics.parquet"
        )
    from tensorboardX import SummaryWriter  # slow to import, and rarely used

    return SummaryWriter(str(folder))
