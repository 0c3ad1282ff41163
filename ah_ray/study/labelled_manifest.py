"""A labelled manifest: the tables that training and evaluation read, and their description.

OUT/windows.parquet   one row per training window
OUT/videos.parquet    one row per labelled video
OUT/answers.parquet   one row per label of a profile's question; only where there are such labels
OUT/prepared.json     how they were made: settings, counts, fingerprint. Written last, and without
                      it the tables are not read
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.records import NOT_PARQUET

SPLITS = ("train", "val", "test")
REVIEW = "agreement"
"""A field of prepared.json that only answers of reviewers have."""
MOMENTS = "moments"
"""The `selection` of videos whose moments were chosen by their scores, or nobody knows how."""
DRAWN = "drawn"
"""How the `selection` of drawn videos begins: `drawn:<draw>:<stratum>`."""
_PREPARE_AGAIN = "run jobs/prepare.py again"
WINDOWS_FILE, VIDEOS_FILE, PREPARED_FILE = "windows.parquet", "videos.parquet", "prepared.json"
ANSWERS_FILE = "answers.parquet"

WINDOWS = pa.schema(
    [
        ("uri", pa.string()),
        ("video_id", pa.string()),  # as a scoring run over the same videos calls it
        ("window_index", pa.int32()),  # within the video, in the order of time
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("label", pa.int32()),  # 1: the answer is Yes; null: ANSWERS alone has labels of it
        ("question", pa.string()),  # null: is it A/H; else the text of a simpler question
        ("participant_id", pa.string()),
        ("split", pa.string()),  # one of SPLITS
        ("weight", pa.float64()),  # in the loss
    ]
)
"""OUT/windows.parquet, sorted by video_id and window_index."""

SEGMENT = pa.struct([("start_s", pa.float64()), ("end_s", pa.float64())])

CUE = pa.struct([("cue", pa.string()), ("text", pa.string())])
"""One of CUES, and the annotator's own words; `text` is null if there are none."""

MARK = pa.struct(
    [
        ("annotator", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("certainty", pa.string()),  # as the annotator wrote it; null if not written
        ("cues", pa.list_(CUE)),
    ]
)

UTTERANCE = pa.struct(
    [
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("language", pa.string()),
        ("text", pa.string()),
    ]
)

CUES = ("face", "voice", "words", "body", "contradiction")
"""Where an annotator found A/H: the annotation form of BAH."""

LABELLED_VIDEOS = pa.schema(
    [
        ("uri", pa.string()),
        ("video_id", pa.string()),
        ("label", pa.int32()),  # 1: A/H somewhere in it; null if only simpler questions were asked
        ("duration_s", pa.float64()),
        ("participant_id", pa.string()),
        ("split", pa.string()),
        ("segments", pa.list_(SEGMENT)),  # where A/H was marked
        ("age", pa.int32()),
        ("gender", pa.string()),
        ("ethnicity", pa.string()),
        ("language", pa.string()),
        ("content", pa.string()),  # of the file's bytes: equal content, equal text
        ("selection", pa.string()),  # how it came to be labelled: selection.py; null: not selected
        ("weight", pa.float64()),  # of a drawn video: how many of the cohort it stands for
        ("annotators", pa.list_(pa.string())),  # who labelled it, by pseudonym
        ("certainty", pa.string()),  # of the label, where one annotator gave it for the whole video
        ("cues", pa.list_(pa.string())),  # of CUES, by any annotator
        ("marks", pa.list_(MARK)),  # every annotator's own intervals
        ("transcript", pa.list_(UTTERANCE)),  # only with --with-transcripts
    ]
)
"""OUT/videos.parquet, sorted by video_id. All columns from `age` on are null where unknown."""

ANSWERS = pa.schema(
    [
        ("video_id", pa.string()),
        ("start_s", pa.float64()),  # null, as is the end: the answer is about the whole video
        ("end_s", pa.float64()),  # null: to the video's end
        ("question", pa.string()),  # its name in the profile
        ("answer", pa.string()),  # one of the question's answers
        ("weight", pa.float64()),  # in the loss
        ("participant_id", pa.string()),
        ("split", pa.string()),  # one of SPLITS
    ]
)
"""OUT/answers.parquet, sorted by video_id, start_s (null first) and question.

These are labels of the questions that a profile lists by name. Its first question may be among
them; what training draws by, and what evaluation judges by default, is WINDOWS and LABELLED_VIDEOS.
"""

_ADDED = ("content", "selection", "weight", "annotators", "certainty", "cues", "marks",
          "transcript")  # fmt: skip
"""Columns that earlier versions did not write. Their tables are read as if these were null."""

_NOT_LABELS = ("uri", "age", "gender", "ethnicity", "language", *_ADDED)


def fingerprint(windows: pa.Table, videos: pa.Table, answers: pa.Table | None = None) -> str:
    """Return 16 hex digits of all that a model learns from: the same on disk and in a bucket.

    Locations, demographics, and how videos were selected and annotated are left out. A manifest
    without labels of further questions has the fingerprint that it had before there were any.
    """
    digest = hashlib.sha256()
    ignored = {id(windows): ("uri",), id(videos): _NOT_LABELS}
    for table in (windows, videos, *([] if answers is None else [answers])):
        for row in table.to_pylist():
            kept = {k: value for k, value in row.items() if k not in ignored.get(id(table), ())}
            digest.update(json.dumps(kept, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def write_labels(
    out: str,
    windows: pa.Table,
    videos: pa.Table,
    about: dict[str, Any],
    *,
    answers: pa.Table | None = None,
) -> None:
    """Write each file whole or not at all, and `about` last: without it nothing is read.

    So a job that is stopped while it replaces a manifest leaves no mixture of both. Without
    `answers`, there is no file of them: neither a new one nor that of a manifest before.
    """
    storage.remove([storage.join(out, name) for name in (PREPARED_FILE, ANSWERS_FILE)])
    tables = {WINDOWS_FILE: windows, VIDEOS_FILE: videos}
    if answers is not None and len(answers):
        tables[ANSWERS_FILE] = answers
    for name, table in tables.items():
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        storage.write_whole(storage.join(out, name), buffer.getvalue())
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    storage.write_whole(storage.join(out, PREPARED_FILE), text.encode())


def read_windows(out: str, split: str | None = None) -> pa.Table:
    """Return WINDOWS of one split, or of all. Raise ConfigError if OUT is no labelled manifest."""
    return _read(out, WINDOWS_FILE, WINDOWS, split)


def read_labelled_videos(out: str, split: str | None = None) -> pa.Table:
    """Return LABELLED_VIDEOS of one split, or of all. Raise ConfigError if OUT has none."""
    return _read(out, VIDEOS_FILE, LABELLED_VIDEOS, split)


def read_labelled_answers(out: str, split: str | None = None) -> pa.Table:
    """Return ANSWERS of one split, or of all; no rows if no profile's questions were labelled.

    Raise ConfigError if OUT is no labelled manifest.
    """
    if not storage.exists(storage.join(storage.normalise(out), ANSWERS_FILE)):
        read_about(out)
        return ANSWERS.empty_table()
    return _read(out, ANSWERS_FILE, ANSWERS, split)


def read_about(out: str) -> dict[str, Any]:
    """Return prepared.json. Raise ConfigError if OUT has none, or a damaged one."""
    try:
        about = json.loads(_open(out, PREPARED_FILE))
    except (ValueError, RecursionError):
        about = None
    if not (isinstance(about, dict) and isinstance(about.get("data_fingerprint"), str)):
        raise ConfigError(f"{storage.join(out, PREPARED_FILE)} is damaged: {_PREPARE_AGAIN}")
    return about


def _read(out: str, name: str, schema: pa.Schema, split: str | None) -> pa.Table:
    about = read_about(out)  # tables without it are of a run that did not end
    try:
        table = pq.read_table(io.BytesIO(_open(out, name)), page_checksum_verification=True)
    except NOT_PARQUET as error:
        damage = f"{storage.join(out, name)} is damaged ({error})"
        raise ConfigError(f"{damage}: {_PREPARE_AGAIN}") from None
    table = _with_added_columns(table, schema, about)
    if not table.schema.equals(schema):
        raise ConfigError(f"{storage.join(out, name)} has other columns: {_PREPARE_AGAIN}")
    return table if split is None else table.filter(pc.equal(table["split"], split))


def _with_added_columns(table: pa.Table, schema: pa.Schema, about: dict[str, Any]) -> pa.Table:
    """Return a table of an earlier version with the columns that it lacks.

    Answers of reviewers were then always about moments that the model's scores had chosen.
    """
    if schema is not LABELLED_VIDEOS:
        return table
    for name in _ADDED:
        if name not in table.column_names:
            selected = name == "selection" and REVIEW in about
            values = [MOMENTS if selected else None] * len(table)
            table = table.append_column(
                schema.field(name), pa.array(values, schema.field(name).type)
            )
    return table


def _open(out: str, name: str) -> bytes:
    try:
        return storage.read_bytes(storage.join(storage.normalise(out), name))
    except ObjectMissing:
        raise ConfigError(
            f"{out} has no {name}: it is no output of jobs/prepare.py, or one that did not end"
        ) from None
