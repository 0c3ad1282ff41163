"""Reads an output as Arrow tables, without opening a file for each video."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pyarrow as pa

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.installation import missing_packages_as_errors
from ah_ray.output import rows_folder
from ah_ray.output.table_files import ANSWERS_FILE, CLIPS_FILE, VERDICTS_FILE, open_table
from ah_ray.records import ANSWERS, CLIPS, VERDICTS

VALUES = pa.schema([("video_id", pa.string()), ("question", pa.string()), ("value", pa.float64())])
"""What `read_expected_values` returns: one row for each video and question with a scale."""


def read_verdicts(out: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one row for each video of the cohort: records.VERDICTS, sorted by video_id.

    `columns` selects some columns. Raise ConfigError if the output or a column does not exist, if
    the table is damaged, or if a newer ah_ray wrote it.
    """
    return _read(out, VERDICTS_FILE, VERDICTS, columns)


def read_clips(out: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one row for each clip: records.CLIPS, sorted by video_id and clip_index.

    Raise the errors of `read_verdicts`.
    """
    return _read(out, CLIPS_FILE, CLIPS, columns)


def read_answers(out: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one row for each answer to each question about each clip: records.ANSWERS.

    It is sorted by video_id and clip_index. Raise the errors of `read_verdicts`, and ConfigError if
    one question with two answers was asked: then clips.parquet holds its answer.
    """
    return _read(out, ANSWERS_FILE, ANSWERS, columns)


def read_expected_values(out: str) -> pa.Table:
    """Return the expected value of each further question with a scale for each video: VALUES.

    It is the mean of the scale's numbers, weighted by the video's probabilities of the answers
    (`asked` of VERDICTS); sorted by video_id. Raise the errors of `read_verdicts`.
    """
    with missing_packages_as_errors():  # reading tables needs pyarrow and fsspec alone
        from ah_ray.output.config import require_config
        from ah_ray.verdicts.further_answers import find_expected_value

    verdicts = read_verdicts(out, ["video_id", "asked"])
    questions = require_config(storage.normalise(out)).questions
    rows = []
    for row in verdicts.to_pylist():
        p: dict[str, dict[str, float]] = {}
        for one in row["asked"] or ():
            p.setdefault(one["question"], {})[one["answer"]] = one["p"]
        for name, of_answer in p.items():
            scale = questions[name].scale if name in questions else None
            if scale is not None:
                weights = [of_answer.get(answer, 0.0) for answer in questions[name].answers]
                value = find_expected_value(weights, scale)
                rows.append({"video_id": row["video_id"], "question": name, "value": value})
    return pa.Table.from_pylist(rows, schema=VALUES)


def _read(out: str, name: str, schema: pa.Schema, columns: Sequence[str] | None) -> pa.Table:
    try:
        with open_table(storage.normalise(out), name) as table:
            known = [
                *schema.names,
                *(name for name in table.stored.names if name not in schema.names),
            ]
            if unknown := [column for column in columns or () if column not in known]:
                raise ConfigError(
                    f"{name} has no column {', '.join(unknown)}; it has {', '.join(known)}"
                )
            return table.read(columns).replace_schema_metadata()
    except ObjectMissing:
        raise _no_table_error(storage.normalise(out), name) from None
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None


def has_answers(out: str) -> bool:
    """Return whether an output has a table of answers; False if storage does not say."""
    try:
        return storage.exists(storage.join(storage.normalise(out), ANSWERS_FILE))
    except StorageError:
        return False


def _no_table_error(out: str, name: str) -> ConfigError:
    with suppress(StorageError):
        if name == ANSWERS_FILE and storage.exists(storage.join(out, VERDICTS_FILE)):
            return ConfigError(
                f"{out} has no {ANSWERS_FILE}: one question with two answers was asked, and "
                f"{CLIPS_FILE} holds its answers"
            )
    return no_tables_error(out)


def no_tables_error(out: str) -> ConfigError:
    """Return the error for missing tables: there is no output, or its first run has not ended."""
    try:
        next(iter(storage.list_pages(rows_folder(out))))
    except (StorageError, StopIteration):
        return ConfigError(f"{out} is no output of ah_ray: it has no {VERDICTS_FILE}")
    return ConfigError(
        f"{out} has rows, but no tables yet: they are written when a run ends; "
        "wait for it, or run the same score.py again to finish it"
    )
