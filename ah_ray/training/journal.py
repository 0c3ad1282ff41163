"""Carry messages and metrics of a training from its first worker to the driver."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from ah_ray import storage
from ah_ray.output.guarded_write import write_guarded

QUESTION = pa.struct(
    [
        ("question", pa.string()),
        ("n_windows", pa.int64()),
        ("loss", pa.float64()),
        ("accuracy", pa.float64()),
        ("macro_f1", pa.float64()),
    ]
)

METRICS = pa.schema(
    [
        ("step", pa.int64()),  # steps made so far
        ("epoch", pa.int32()),
        ("learning_rate", pa.float64()),
        ("loss", pa.float64()),  # null in the rows of evaluations, as all up to `waited_s`
        ("balance_loss", pa.float64()),
        ("reward", pa.float64()),  # grpo: mean over the answers drawn
        ("kl", pa.float64()),
        ("gradient_norm", pa.float64()),
        ("n_windows", pa.int64()),
        ("n_tokens", pa.int64()),
        ("step_s", pa.float64()),
        ("waited_s", pa.float64()),  # of step_s, for decoded clips
        ("val_loss", pa.float64()),  # null in the rows of steps, as all that follow
        ("val_accuracy", pa.float64()),
        ("val_macro_f1", pa.float64()),
        ("val_average_precision", pa.float64()),
        ("val_video_macro_f1", pa.float64()),
        ("val_video_average_precision", pa.float64()),
        ("val_simple_accuracy", pa.float64()),
        ("val_n_windows", pa.int64()),
        ("val_questions", pa.list_(QUESTION)),  # of the questions that are labelled by name
    ]
)
"""OUT/metrics.parquet: one row for each step, and one for each evaluation."""

METRICS_FILE = "metrics.parquet"


def write_metrics(
    out: str, rows: list[dict[str, Any]], confirm: Callable[[], None] = lambda: None
) -> None:
    """Write OUT/metrics.parquet; `confirm` raises if OUT has been taken by another training."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=METRICS), buffer, compression="zstd")
    write_guarded(storage.join(out, METRICS_FILE), buffer.getvalue(), confirm)


class Journal:
    """The messages and metrics of a running training."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, Any]] = []

    def add(self, kind: str, what: Any) -> None:
        """Add an entry: its kind, and its content."""
        self._entries.append((kind, what))

    def read_since(self, n: int) -> list[tuple[str, Any]]:
        """Return the entries after the first n."""
        return self._entries[n:]


def start_journal() -> Any:
    """Start the actor that keeps the journal of a training, and return its handle."""
    return ray.remote(num_cpus=0)(Journal).remote()
