"""Write metrics.json, the whole evaluation, and metrics.parquet, its estimates as a table."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.study.evaluation.answers.schema import (
    AnsweredClips,
    AnswerFigures,
    AnswerGain,
    AnswersEvaluation,
    ContrastFigures,
)
from ah_ray.study.evaluation.figures.estimate import Estimate
from ah_ray.study.evaluation.schema import (
    Calibrated,
    Comparison,
    Evaluation,
    Measures,
    OutputEvaluation,
    Slice,
)
from ah_ray.units import format_count

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

JSON_FILE, TABLE_FILE = "metrics.json", "metrics.parquet"

METRICS = pa.schema(
    [
        ("out", pa.string()),
        ("part", pa.string()),  # scored, counted_wrong, reducer, threshold, calibration, slice, …
        ("name", pa.string()),  # which reducer, threshold, scaling, slice; null where there is one
        ("split", pa.string()),
        ("n_videos", pa.int64()),
        ("n_participants", pa.int64()),
        ("threshold", pa.float64()),  # null where the output's own answers are measured
        ("measure", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("k", pa.int64()),  # of n videos, where the measure is a share of videos
        ("n", pa.int64()),
        ("n_people", pa.int64()),  # participants with videos that count in this measure
        ("too_few", pa.bool_()),
        ("selection", pa.string()),  # drawn, moments; null where videos were not selected
        ("known_people", pa.bool_()),  # the model or its calibration knows some of the people
        ("question", pa.string()),  # of --question; null: verdicts
    ]
)
"""metrics.parquet. `out` of a comparison names both, `first → second`."""


Row = dict[str, Any]


def write_evaluation(folder: str, evaluation: Evaluation) -> None:
    """Write both files, each whole. Raise StorageError."""
    buffer = io.BytesIO()
    pq.write_table(as_table(evaluation), buffer, compression="zstd", write_page_checksum=True)
    storage.write_whole(storage.join(folder, TABLE_FILE), buffer.getvalue())
    storage.write_whole(storage.join(folder, JSON_FILE), as_json(evaluation))


def as_json(evaluation: Evaluation) -> bytes:
    """Return the dataclasses as JSON in UTF-8; undefined figures are null, never NaN."""
    text = json.dumps(asdict(evaluation), indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def as_table(evaluation: Evaluation) -> pa.Table:
    """Return METRICS: one row for each estimate."""
    split = evaluation.labels.split
    rows = [
        row | {"known_people": bool(output.leaks)}
        for output in evaluation.outputs
        for row in _output_rows(output, split)
    ]
    for answers in evaluation.answers:
        found = list(_answer_rows(answers, split))
        rows += [row | {"known_people": bool(answers.leaks)} for row in found]
    known = any(one.leaks for one in evaluation.outputs) or any(
        one.leaks for one in evaluation.answers
    )
    for gain in evaluation.answer_comparisons:
        out = f"{gain.first} → {gain.second}"
        found = list(_gain_rows(gain, {"out": out, "part": "comparison", "split": split}))
        rows += [row | {"known_people": known} for row in found]
    for each in evaluation.comparisons:
        found = list(_comparison_rows(each, f"{each.first} → {each.second}", "comparison", split))
        rows += [row | {"known_people": known} for row in found]
    selection = evaluation.labels.selection
    name = evaluation.question and evaluation.question.name
    rows = [row | {"selection": selection and selection.kind, "question": name} for row in rows]
    return pa.Table.from_pylist(rows, schema=METRICS)


def _output_rows(output: OutputEvaluation, split: str) -> Iterator[Row]:
    def rows(part: str, measures: Measures | None, **more: object) -> Iterator[Row]:
        if measures is None:
            return
        common = {
            "out": output.out,
            "part": part,
            "split": split,
            "n_videos": measures.n_videos,
            "n_participants": measures.n_participants,
            **more,
        }
        yield from (common | estimate for estimate in _estimates(measures))

    yield from rows("scored", output.scored)
    yield from rows("counted_wrong", output.counted_wrong)
    for reducer in output.reducers:
        fitted = {"name": reducer.reducer, "threshold": reducer.threshold}
        yield from rows("reducer_at_half", reducer.at_half, name=reducer.reducer, threshold=0.5)
        yield from rows("reducer_on_val", reducer.on_val, **fitted | {"split": "val"})
        yield from rows("reducer_fitted", reducer.fitted, **fitted)
    for at in output.thresholds:
        yield from rows("threshold", at.measures, name=at.how, threshold=at.threshold)
    for group in output.slices:
        yield from _slice_rows(output.out, group, rows, split)
    if output.baselines is not None:
        for baseline in output.baselines.each:
            threshold = baseline.threshold
            yield from rows("baseline", baseline.measures, name=baseline.name, threshold=threshold)
        yield from _comparison_rows(output.baselines.gain, output.out, "gain", split)
        yield from _within_question_rows(output, split)
    common = {
        "out": output.out,
        "split": split,
        "n_videos": output.scored.n_videos,
        "n_participants": output.scored.n_participants,
    }
    yield from _calibration_rows(output.calibration, common | {"part": "calibration"})
    if output.timeline is not None:
        found = output.timeline
        own = {"n_videos": found.n_videos, "n_participants": found.n_participants}
        yield from (common | own | {"part": "timeline"} | each for each in _estimates(found))
        yield from _calibration_rows(found.calibration, common | own | {"part": "clip_calibration"})

    for contrast in output.contrasts:
        yield from _contrast_rows(contrast, output.out, split)
    if output.clips is not None:
        yield from _clip_rows(output.clips, {"out": output.out, "split": split})


def _contrast_rows(found: ContrastFigures, out: str, split: str) -> Iterator[Row]:
    for part, scores in (("contrast", found.videos), ("clip_contrast", found.clips)):
        if scores is None:
            continue
        common = {
            "out": out,
            "name": found.contrast,
            "split": split,
            "n_participants": scores.n_participants,
        }
        common |= {"n_videos": scores.n} if part == "contrast" else {}
        for suffix, one in (
            ("", scores),
            ("_less_p_ah", scores.less_p_ah),
            ("_added", scores.added),
        ):
            for estimate in _estimates(one) if one is not None else ():
                yield common | {"part": part + suffix} | estimate


def _answer_rows(answers: AnswersEvaluation, split: str) -> Iterator[Row]:
    common = {"out": answers.out, "split": split}
    for part in ("scored", "counted_wrong"):
        figures = getattr(answers, part)
        if figures is not None:
            own = {"n_videos": figures.n, "n_participants": figures.n_participants}
            yield from _figure_rows(figures, common | own | {"part": part})
    if answers.clips is not None:
        yield from _clip_rows(answers.clips, common)
    if answers.majority is not None:
        own = {"part": "majority", "name": answers.majority.answer}
        yield from (common | own | each for each in _estimates(answers.majority))
        yield from _gain_rows(answers.majority.gain, common | {"part": "gain"})
    for group in answers.groups:
        own = {
            "part": "slice",
            "name": f"{group.by}: {group.group}",
            "n_videos": group.n_videos,
            "n_participants": group.n_participants,
        }
        yield from (common | own | each for each in _estimates(group))


def _figure_rows(figures: AnswerFigures, common: Row) -> Iterator[Row]:
    yield from (common | each for each in _estimates(figures))
    for one in figures.classes:
        yield from (common | {"name": one.answer} | each for each in _estimates(one))
    if figures.scale is not None:
        yield from (common | each for each in _estimates(figures.scale))


def _clip_rows(clips: AnsweredClips, common: Row) -> Iterator[Row]:
    own = {"part": "clips", "n_videos": clips.n_videos}
    own |= {"n_participants": clips.figures.n_participants}
    if clips.scores is None:
        yield from _figure_rows(clips.figures, common | own)
    else:
        yield from (common | own | each for each in _estimates(clips.scores))


def _gain_rows(gain: AnswerGain, common: Row) -> Iterator[Row]:
    own = {"n_videos": gain.n_videos, "n_participants": gain.n_participants}
    name = {"name": f"less {gain.first}"} if common["part"] == "gain" else {}
    yield from (common | own | name | each for each in _estimates(gain))


def _slice_rows(
    out: str, group: Slice, rows: Callable[..., Iterator[Row]], split: str
) -> Iterator[Row]:
    name = f"{group.by}: {group.group}"
    yield from rows("slice", group.measures, name=name)
    common = {
        "out": out,
        "name": name,
        "split": split,
        "n_videos": group.n_videos,
        "n_participants": group.n_participants,
    }
    if group.in_the_large is not None:
        large = {"part": "slice", "measure": "in_the_large", **estimate_columns(group.in_the_large)}
        yield common | large
    if group.from_the_rest is not None:
        yield from (
            common | {"part": "slice_difference"} | each for each in _estimates(group.from_the_rest)
        )


def _within_question_rows(output: OutputEvaluation, split: str) -> Iterator[Row]:
    found = output.baselines and output.baselines.within_question
    if not found:
        return
    common = {
        "out": output.out,
        "part": "within_question",
        "name": f"mean over {format_count(found.n_questions, 'question')}",
        "split": split,
        "n_videos": output.scored.n_videos,
        "n_participants": output.scored.n_participants,
    }
    yield common | {"measure": "macro_f1", **estimate_columns(found.macro_f1)}
    yield common | {"measure": "average_precision", "value": found.average_precision}
    yield common | {"measure": "auroc", "value": found.auroc}


def _calibration_rows(found: Sequence[Calibrated], common: Row) -> Iterator[Row]:
    for each in found:
        own = common | {"name": each.scaling_by}
        yield from (own | estimate for estimate in _estimates(each))
        yield own | {"measure": "ece", "value": each.ece}
        yield own | {"measure": "ece_if_perfect", "value": each.ece_if_perfect}


def _comparison_rows(found: Comparison, out: str, part: str, split: str) -> Iterator[Row]:
    common = {
        "out": out,
        "part": part,
        "name": f"less {found.first}" if part == "gain" else None,
        "split": split,
        "n_videos": found.n_videos,
        "n_participants": found.n_participants,
    }
    yield from (common | estimate for estimate in _estimates(found))
    yield common | {"measure": "mcnemar_p", "value": found.mcnemar_p}


def _estimates(measures: DataclassInstance) -> Iterator[Row]:
    """Yield the measure's name and the columns of its estimate, for each field that is one."""
    for each in fields(measures):
        found = getattr(measures, each.name)
        if isinstance(found, Estimate):
            yield {"measure": each.name, **estimate_columns(found)}


def estimate_columns(found: Estimate) -> Row:
    """Return the columns of an estimate."""
    row = asdict(found)
    row["n_people"] = row.pop("n_participants")
    return row
