"""metrics.json: the whole evaluation. metrics.parquet: its measures as a table, one a row."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, fields

import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.study.evaluation.bootstrap import Estimate
from ah_ray.study.evaluation.contents import Evaluation, Measures, OutputEvaluation

JSON_FILE, TABLE_FILE = "metrics.json", "metrics.parquet"

METRICS = pa.schema(
    [
        ("out", pa.string()),
        ("part", pa.string()),  # scored, counted_wrong, reducer, threshold, calibration, slice, …
        ("name", pa.string()),  # which reducer, threshold, scaling, slice; null where there is one
        ("split", pa.string()),
        ("n_videos", pa.int64()),
        ("n_participants", pa.int64()),
        ("threshold", pa.float64()),  # null where answers are not formed anew
        ("measure", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)
"""metrics.parquet. `out` of a comparison names both, `first → second`."""


def write_evaluation(folder: str, evaluation: Evaluation) -> None:
    """Both files, each whole. Raises StorageError."""
    buffer = io.BytesIO()
    pq.write_table(as_table(evaluation), buffer, compression="zstd", write_page_checksum=True)
    storage.write_whole(storage.join(folder, TABLE_FILE), buffer.getvalue())
    storage.write_whole(storage.join(folder, JSON_FILE), as_json(evaluation))


def as_json(evaluation: Evaluation) -> bytes:
    """UTF-8. The fields are those of the dataclasses; what is not a number is null, never NaN."""
    text = json.dumps(asdict(evaluation), indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def as_table(evaluation: Evaluation) -> pa.Table:
    split = evaluation.labels.split
    rows = [row for output in evaluation.outputs for row in _of_output(output, split)]
    for each in evaluation.comparisons:
        common = {
            "out": f"{each.first} → {each.second}",
            "part": "comparison",
            "split": split,
            "n_videos": each.n_videos,
            "n_participants": each.n_participants,
        }
        rows += [common | estimate for estimate in _estimates(each)]
        rows.append(common | {"measure": "mcnemar_p", "value": each.mcnemar_p})
    return pa.Table.from_pylist(rows, schema=METRICS)


def _of_output(output: OutputEvaluation, split: str) -> Iterator[dict]:
    def rows(part: str, measures: Measures | None, **named) -> Iterator[dict]:
        if measures is None:
            return
        common = {
            "out": output.out,
            "part": part,
            "split": split,
            "n_videos": measures.n_videos,
            "n_participants": measures.n_participants,
            **named,
        }
        yield from (common | estimate for estimate in _estimates(measures))

    yield from rows("scored", output.scored)
    yield from rows("counted_wrong", output.counted_wrong)
    for each in output.reducers:
        fitted = {"name": each.reducer, "threshold": each.threshold}
        yield from rows("reducer_at_half", each.at_half, name=each.reducer, threshold=0.5)
        yield from rows("reducer_on_val", each.on_val, **fitted | {"split": "val"})
        yield from rows("reducer_fitted", each.fitted, **fitted)
    for each in output.thresholds:
        yield from rows("threshold", each.measures, name=each.how, threshold=each.threshold)
    for each in output.slices:
        yield from rows("slice", each.measures, name=f"{each.by}: {each.group}")
    common = {
        "out": output.out,
        "split": split,
        "n_videos": output.scored.n_videos,
        "n_participants": output.scored.n_participants,
    }
    for each in output.calibration:
        named = common | {"part": "calibration", "name": each.scaling_by}
        yield from (named | estimate for estimate in _estimates(each))
        yield named | {"measure": "ece", "value": each.ece}
    if output.timeline is not None:
        found = output.timeline
        own = {"n_videos": found.n_videos, "n_participants": found.n_participants}
        named = common | own | {"part": "timeline"}
        yield from (named | estimate for estimate in _estimates(found))


def _estimates(measures) -> Iterator[dict]:
    """measure, value, low and high of each field that is an Estimate."""
    for each in fields(measures):
        found = getattr(measures, each.name)
        if isinstance(found, Estimate):
            yield {"measure": each.name, **asdict(found)}
