"""The final tables: all rows of a cohort in a few files, so that readers need not open a million.

Most rows of a night are the same as in the night before. They are copied from the old tables; only
files whose version, by its etag, is not in the old tables are opened. Clocks play no part. The data
is held in columns and processed in groups of rows, so a million videos need a few hundred
megabytes.
"""

from __future__ import annotations

import secrets
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.errors import ObjectMissing, StorageError
from ah_ray.output import rows_folder
from ah_ray.output.config import read_config
from ah_ray.output.counts import Counts
from ah_ray.output.row_files import NAMED_BY, read_row_files, row_names
from ah_ray.output.spool import Spool
from ah_ray.output.table_files import (
    ANSWERS_FILE,
    CLIPS_FILE,
    TABLE_FILES,
    VERDICTS_FILE,
    Cursor,
    TableDamaged,
    Tables,
    add_row_versions,
    make_version_mark,
    open_tables,
    open_writer,
    replace_tables,
)
from ah_ray.profile import Question
from ah_ray.records import ANSWERS, CLIPS, FROM_MANIFEST, VERDICTS
from ah_ray.temporary import nameless_file

GROUP_ROWS = 16_384
_NAME_TAIL = len("-01234567.parquet")


def write_tables(
    out: str,
    current: Iterable[str],
    spool: Spool | None = None,
    confirm: Callable[[], None] = lambda: None,
    from_manifest: pa.Table | None = None,
) -> Counts:
    """Write the tables from the rows that exist for `current`. Return what they hold.

    `current` are the names of the rows that the cohort should have (cohort.row_name of each video's
    current content). Rows of other content, or of videos that left the cohort, are left out. The
    tables are sorted by video_id, then clip_index. Rows in `spool` are not read again. `confirm` is
    called before each table is written, and raises if another run has taken OUT. `from_manifest`
    (video_id and records.FROM_MANIFEST) takes the place of these columns of the rows. Raise
    StorageError, also if this machine's temporary disk is full, or if storage does not have what
    it acknowledged.
    """
    wanted = _string_column(current)
    counts = Counts(n_videos=len(wanted))
    ids = pc.utf8_slice_codeunits(wanted, 0, -_NAME_TAIL)
    if spool is not None:
        spool.seal()
    found = _list_rows(out)
    found = found.filter(pc.is_in(found["name"], value_set=wanted))
    try:
        with open_tables(out) as old:
            counts.n_removed = _count_removed(old, ids)
            groups = _read_groups(out, found, old, spool)
            return _write(out, found, _renew(groups, from_manifest), counts, confirm)
    except TableDamaged:  # a page of an old table is damaged: do not use the old tables
        groups = _read_groups(out, found, None, spool)
        counts = Counts(n_videos=len(wanted))
        return _write(out, found, _renew(groups, from_manifest), counts, confirm)


def _count_removed(old: Tables | None, ids: pa.Array) -> int:
    if old is None:
        return 0
    batches = old.verdicts.batches(["video_id"])
    stays = (pc.is_in(batch["video_id"], value_set=ids) for batch in batches)
    return sum(len(batch) - batch.true_count for batch in stays)


_Groups = Iterator[tuple[pa.Table, pa.Table]]
"""The rows of VERDICTS and of CLIPS of some videos, sorted."""


def _write(
    out: str,
    found: pa.Table,
    groups: _Groups,
    counts: Counts,
    confirm: Callable[[], None],
) -> Counts:
    """Write the tables of the row files in `found` to local disk, then to storage.

    The local files have no name, so nothing is left of them if the process is killed.
    """
    writing = secrets.token_hex(8)
    with ExitStack() as stack:
        try:
            files = {name: stack.enter_context(nameless_file()) for name in TABLE_FILES}
            if not _fill_tables(files, writing, groups, found, counts, out):
                files.pop(ANSWERS_FILE)
        except OSError as error:
            raise StorageError(
                f"the tables of {out} are made in {tempfile.gettempdir()}, which failed: "
                f"{error.strerror or error}; make room there, or set TMPDIR to another disk"
            ) from error
        paths = {name: Path(f"/dev/fd/{file.fileno()}") for name, file in files.items()}
        replace_tables(out, paths, writing=writing, confirm=confirm)
    return counts


def _fill_tables(
    files: Mapping[str, BinaryIO],
    writing: str,
    groups: _Groups,
    found: pa.Table,
    counts: Counts,
    out: str,
) -> bool:
    """Write the tables to local files. Return whether there are answers of their own."""
    ids = []
    answers_writer = None
    questions: dict[str, Question] = {}
    with ExitStack() as stack:
        verdicts_writer, clips_writer = (
            stack.enter_context(open_writer(files[name], schema, writing))
            for name, schema in ((VERDICTS_FILE, VERDICTS), (CLIPS_FILE, CLIPS))
        )
        for verdicts, clips in groups:
            counts.add(verdicts, clips)
            verdicts_writer.write_table(verdicts)
            clips_writer.write_table(clips)
            if _has_answers(clips):
                if answers_writer is None:
                    questions = _read_questions(out)
                    answers_writer = open_writer(files[ANSWERS_FILE], ANSWERS, writing)
                    stack.enter_context(answers_writer)
                answers_writer.write_table(flat_answers(clips, questions))
            ids.extend(verdicts["video_id"].chunks)
        places = pc.index_in(
            pa.chunked_array(ids, pa.string()), value_set=_video_ids(found["name"])
        )
        add_row_versions(verdicts_writer, found["mark"].take(places))
    for file in files.values():
        file.flush()
    return answers_writer is not None


def _string_column(values: Iterable[str]) -> pa.Array:
    """Return values as one column, without holding all of them as Python objects."""
    values = iter(values)
    parts = iter(lambda: pa.array(islice(values, 65_536), pa.string()), pa.array([], pa.string()))
    return pa.chunked_array(parts, pa.string()).combine_chunks()


def _list_rows(out: str) -> pa.Table:
    """Return name and version mark of all objects in OUT/videos."""
    names, marks = [], []
    try:
        for page in storage.list_pages(rows_folder(out)):
            names.append(pa.array([entry.key for entry in page], pa.string()))
            marks.append(pa.array([make_version_mark(entry.etag) for entry in page], pa.string()))
    except ObjectMissing:
        pass  # no row yet
    return pa.table(
        {"name": pa.chunked_array(names, pa.string()), "mark": pa.chunked_array(marks, pa.string())}
    )


def _video_ids(names: pa.ChunkedArray) -> pa.Array:
    return pc.utf8_slice_codeunits(names, 0, -_NAME_TAIL).combine_chunks()


def _read_groups(out: str, found: pa.Table, old: Tables | None, spool: Spool | None) -> _Groups:
    """Yield the VERDICTS and CLIPS rows of the row files in `found`, sorted, in groups."""
    kept_ids, fresh = _split_kept_and_fresh(found, old)
    fresh_ids = pc.utf8_slice_codeunits(fresh, 0, -_NAME_TAIL)
    order = pc.sort_indices(fresh_ids)
    fresh, fresh_ids = fresh.take(order), fresh_ids.take(order)

    all_ids = pa.concat_arrays([kept_ids, fresh_ids])
    order = pc.sort_indices(all_ids).to_numpy()
    is_fresh = order >= len(kept_ids)
    cursors = (Cursor(old.verdicts), Cursor(old.clips)) if old else None
    n_kept = n_fresh = 0
    for start in range(0, len(order), GROUP_ROWS):
        group = slice(start, start + GROUP_ROWS)
        fresh_here = int(np.count_nonzero(is_fresh[group]))
        kept_here = len(order[group]) - fresh_here
        parts = _read_fresh(out, fresh.slice(n_fresh, fresh_here).to_pylist(), spool)
        if cursors:
            last_id = all_ids[order[group][-1]].as_py()
            ids = kept_ids.slice(n_kept, kept_here)
            parts.append([_select_videos(cursor.up_to(last_id), ids) for cursor in cursors])
        n_kept, n_fresh = n_kept + kept_here, n_fresh + fresh_here
        verdicts, clips = zip(*parts, strict=True)
        yield (
            pa.concat_tables(verdicts).sort_by("video_id"),
            pa.concat_tables(clips).sort_by(
                [("video_id", "ascending"), ("clip_index", "ascending")]
            ),
        )


def _renew(groups: _Groups, from_manifest: pa.Table | None) -> _Groups:
    """Yield the same rows with what the manifest says about their videos now."""
    if from_manifest is None:
        yield from groups
        return
    known = from_manifest.sort_by("video_id")
    ids, start = known["video_id"].combine_chunks(), 0
    for verdicts, clips in groups:
        if not len(verdicts):
            yield verdicts, clips
            continue
        # Both are sorted: only the part of the manifest up to the last video is looked at.
        last = verdicts["video_id"][-1].as_py()
        end = bisect_right(range(start, len(ids)), last, key=lambda n: ids[n].as_py()) + start
        places = pc.index_in(verdicts["video_id"], value_set=ids.slice(start, end - start))
        here = known.slice(start, end - start).take(places.combine_chunks())
        for name in FROM_MANIFEST:
            place = VERDICTS.get_field_index(name)
            verdicts = verdicts.set_column(place, VERDICTS.field(place), here[name])
        yield verdicts, clips
        start = end


def _split_kept_and_fresh(found: pa.Table, old: Tables | None) -> tuple[pa.Array, pa.Array]:
    """Return the sorted ids whose old rows are still valid, and the names of files to open."""
    marks = old.row_versions() if old else None
    if old is None or marks is None:
        return pa.array([], pa.string()), found["name"].combine_chunks()
    ids, names = [], []
    for batch in old.verdicts.batches(NAMED_BY):
        ids.append(batch["video_id"])
        names.append(pa.array(row_names(batch), pa.string()))
    known = pa.table(
        {
            "id": pa.chunked_array(ids, pa.string()),
            "name": pa.chunked_array(names, pa.string()),
            "version": pc.binary_join_element_wise(
                pa.chunked_array(names, pa.string()).combine_chunks(), marks, " "
            ),
        }
    )
    versions = pc.binary_join_element_wise(found["name"], found["mark"], " ")
    kept = known.filter(pc.is_in(known["version"], value_set=versions.drop_null()))
    fresh = found.filter(pc.invert(pc.is_in(found["name"], value_set=kept["name"])))
    return kept["id"].combine_chunks(), fresh["name"].combine_chunks()


def _select_videos(rows: pa.Table, video_ids: pa.Array) -> pa.Table:
    return rows.filter(pc.is_in(rows["video_id"], value_set=video_ids)).replace_schema_metadata()


def _read_fresh(out: str, names: Sequence[str], spool: Spool | None) -> list[list[pa.Table]]:
    """Return parts of [VERDICTS rows, CLIPS rows], from the spool or from single files."""
    parts = [[VERDICTS.empty_table(), CLIPS.empty_table()]]
    if spool is not None:
        table, names = spool.find(names)
        parts.append(_split_row_columns(table))
    rows = (row for _, row in read_row_files(out, names) if row is not None)
    while some := list(islice(rows, 512)):
        parts.append(_split_row_columns(pa.concat_tables(some)))
    return parts


def _split_row_columns(rows: pa.Table) -> list[pa.Table]:
    rows = rows.combine_chunks()
    return [rows.select(VERDICTS.names), flat_clips(rows)]


def flat_clips(rows: pa.Table) -> pa.Table:
    """Return the timelines of VERDICT rows as rows of CLIPS."""
    clips = rows["clips"].combine_chunks()
    ids = rows["video_id"].combine_chunks().take(pc.list_parent_indices(clips))
    return pa.Table.from_arrays([ids, *pc.list_flatten(clips).flatten()], schema=CLIPS)


def _read_questions(out: str) -> dict[str, Question]:
    config = read_config(out)
    return config.questions if config else {}


def _has_answers(clips: pa.Table) -> bool:
    """Return whether any of these rows of CLIPS holds answers."""
    return bool(clips["answers"].null_count < len(clips))


def flat_answers(clips: pa.Table, questions: Mapping[str, Question]) -> pa.Table:
    """Return the answers of rows of CLIPS as rows of ANSWERS, in the same order.

    The answers to a question about a clip stand together.
    """
    answers = clips["answers"].combine_chunks()
    places = pc.list_parent_indices(answers)
    whose = clips.select(["video_id", "clip_index", "start_s", "end_s"]).take(places)
    question, answer, p, mass = pc.list_flatten(answers).flatten()
    known = pa.array(questions, pa.string())
    number = pc.index_in(question, value_set=known)
    sees = pa.array([each.sees.value for each in questions.values()], pa.string()).take(number)
    value = _expected_values(places.to_numpy(), number, answer, p, list(questions.values()))
    return pa.Table.from_arrays(
        [*whose.columns, question, sees, answer, p, mass, value], schema=ANSWERS
    )


def _expected_values(
    clip: npt.NDArray[np.int64],
    question: pa.Array,
    answer: pa.Array,
    p: pa.Array,
    questions: Sequence[Question],
) -> pa.Array:
    """Return Σ p·number over the answers of each row's question and clip; null without a scale.

    All are [rows]: the place of the clip, the place of the question in `questions`, the answer and
    its probability.
    """
    of_question = question.fill_null(-1).to_numpy(zero_copy_only=False)
    number = np.full(len(of_question), np.nan)
    for place, one in enumerate(questions):
        for word, of_word in zip(one.answers, one.scale or (), strict=False):
            here = pc.equal(answer, word).to_numpy(zero_copy_only=False)
            number[(of_question == place) & here] = of_word
    begins = np.diff(clip, prepend=-1) != 0
    begins |= np.diff(of_question, prepend=-2) != 0
    sums = np.add.reduceat(number * p.to_numpy(zero_copy_only=False), np.flatnonzero(begins))
    return pa.array(sums[np.cumsum(begins) - 1], pa.float64(), from_pandas=True)  # NaN: null
