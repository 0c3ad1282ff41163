"""What a training says while it runs: rows from the first worker to whoever looks."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from ah_ray import storage

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
    ]
)
"""OUT/metrics.parquet: a row a step, and one an evaluation."""

METRICS_FILE = "metrics.parquet"


def write_metrics(out: str, rows: list[dict[str, Any]]) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=METRICS), buffer, compression="zstd")
    storage.write_whole(storage.join(out, METRICS_FILE), buffer.getvalue())


@ray.remote(num_cpus=0)
class Journal:
    """Rows and words of a running training."""

    def __init__(self) -> None:
        self._told: list[tuple[str, Any]] = []

    def tell(self, kind: str, what: Any) -> None:
        self._told.append((kind, what))

    def since(self, n: int) -> list[tuple[str, Any]]:
        return self._told[n:]
