"""New verdicts from finished clips: another reducer, threshold or calibration, or an ensemble.

It needs no model and no video. The inputs do not change; the result is an output of its own, with
the same layout, and with the embeddings of the first input if that keeps any. If the output exists,
only rows that differ are written. So the job can be stopped and run again, or run every night after
the inputs have grown.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter, itemgetter

import pyarrow as pa

from ah_ray import storage
from ah_ray.cohort.identity import row_name
from ah_ray.errors import ConfigError, StorageError
from ah_ray.escaping import escape_text
from ah_ray.exit_status import ExitStatus
from ah_ray.installation import ah_ray_version
from ah_ray.output.config import OutputConfig, match_config, require_config, write_config
from ah_ray.output.counts import Counts
from ah_ray.output.embeddings.copying import Copier
from ah_ray.output.embeddings.files import remove_orphans
from ah_ray.output.lease import Lease
from ah_ray.output.lease_guard import LeaseGuard, make_guard
from ah_ray.output.row_files import commit_row
from ah_ray.output.runs import RunSummary, TableCounts, new_run_id, write_summary
from ah_ray.output.spool import Spool
from ah_ray.output.stream import Content, align_streams, stream_contents, stream_rows
from ah_ray.output.table_files import open_tables
from ah_ray.output.tables import write_tables
from ah_ray.records import VERDICT
from ah_ray.results.ensembles import combine_rows
from ah_ray.results.reduced_config import plan_reduction
from ah_ray.units import format_count, format_names
from ah_ray.verdicts.reduction import Reduction
from ah_ray.verdicts.verdict import Row, with_verdict

_Write = tuple[Future[None], Row | None]

_WRITERS = 16
_UNDER_WAY = 64  # unfinished writes, so that memory stays bounded


@dataclass(slots=True, kw_only=True)
class Reduced:
    """The result of the job."""

    run_id: str
    config: OutputConfig
    counts: Counts
    written: int = 0
    unchanged: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    exit_status: ExitStatus = ExitStatus.MISSING_ROWS
    trouble: str | None = None


def reduce_outputs(
    inputs: Sequence[str],
    out: str,
    *,
    reduction: Reduction,
    calibrations: Sequence[str] = (),
) -> Reduced:
    """Form OUT from one input, or an ensemble from several.

    Several inputs, or one that several models scored, are combined by vote unless `reduction` says
    otherwise. `calibrations` are files, one for each model that scored; they set reducer and
    threshold, which `reduction` then leaves unset. Raise ConfigError before anything is written,
    OutputBusy if another run holds OUT. After an interruption or a storage fault, the tables hold
    what was written, and `exit_status` is MISSING_ROWS.
    """
    inputs, out = [storage.normalise(uri) for uri in inputs], storage.normalise(out)
    config = plan_reduction(inputs, out, reduction, calibrations)
    match_config(out, config)
    contents = _check_contents(inputs)
    storage.check_writable(out)
    run_id, started_at = new_run_id(), datetime.now(UTC)
    reduced = Reduced(run_id=run_id, config=config, counts=Counts(n_videos=contents))
    with Lease.acquire(out, run_id) as lease, Spool() as spool:
        if not match_config(out, config):
            write_config(out, config, lease.confirm)
        try:
            _write_rows(inputs, out, reduced, spool, make_guard(lease))
            reduced.exit_status = ExitStatus.COMPLETE
        except (KeyboardInterrupt, StorageError) as error:
            lease.confirm()  # without the lease, nothing more may be written
            reduced.trouble = escape_text(str(error)) or "stopped"
        try:
            names = _row_names(inputs, config)
            reduced.counts = write_tables(out, names, spool, lease.confirm)
            remove_orphans(out, lease.confirm)
        except StorageError as error:
            lease.check()
            reduced.trouble = "; ".join(filter(None, (reduced.trouble, escape_text(str(error)))))
        if reduced.counts.n_missing:
            reduced.exit_status = ExitStatus.MISSING_ROWS
        lease.confirm()
        write_summary(out, _make_summary(reduced, started_at))
        lease.confirm()
    return reduced


def _check_contents(inputs: Sequence[str]) -> int:
    """Return the number of videos. Raise ConfigError if the inputs do not fit together."""
    fingerprints = {uri: require_config(uri).config_fingerprint for uri in inputs}
    n_videos, alone = 0, set(inputs)
    differing: list[str] = []
    for video_id, contents in _align_contents(inputs):
        n_videos += 1
        found = {uri: one for uri, one in zip(inputs, contents, strict=True) if one is not None}
        if len(found) > 1:
            alone -= found.keys()
        if len({one.etag for one in found.values() if one.etag is not None}) > 1:
            differing.append(video_id)
        for uri, one in found.items():
            if one.config_fingerprint != fingerprints[uri]:
                raise ConfigError(
                    f"{uri} is in the middle of a --rescore: run its score.py again to finish it"
                )
    if alone and len(inputs) > 1:
        raise ConfigError(
            f"{next(uri for uri in inputs if uri in alone)} has no video in common with the other "
            "inputs: video ids follow from --videos and --id-key of score.py, so name outputs of "
            "the same cohort, scored with the same"
        )
    if differing:
        raise ConfigError(
            f"the inputs scored different content of {format_count(len(differing), 'video')} "
            f"({format_names(differing)}): run score.py again for the older ones"
        )
    return n_videos


def _align_contents(inputs: Sequence[str]) -> Iterator[tuple[str, list[Content | None]]]:
    return align_streams([stream_contents(uri) for uri in inputs], attrgetter("video_id"))


def _row_names(inputs: Sequence[str], config: OutputConfig) -> Iterator[str]:
    for video_id, contents in _align_contents(inputs):
        etags = (content.etag for content in contents if content is not None)
        etag = next((etag for etag in etags if etag is not None), None)
        yield row_name(video_id, etag, config.config_fingerprint)


def _write_rows(
    inputs: Sequence[str], out: str, reduced: Reduced, spool: Spool, guard: LeaseGuard | None
) -> None:
    copier = Copier.between(inputs[0], out, guard)
    streams = [stream_rows(uri) for uri in inputs]
    with open_tables(out) as tables:
        streams.append(iter(()) if tables is None else stream_rows(out))
    with ThreadPoolExecutor(_WRITERS) as pool:
        under_way: deque[_Write] = deque()
        for _, (*members, before) in align_streams(streams, itemgetter("video_id")):
            if not any(members):
                continue  # it is no longer in the inputs, and leaves the tables
            _count_gaps(members, reduced.notes)
            row = _form_row(members, reduced.config)
            if before is not None and _is_same_row(row, before):
                reduced.unchanged += 1
                if copier.is_due(members[0], row):
                    under_way.append((pool.submit(copier.copy, members[0], row), None))
            else:
                stale = [] if before is None else [_row_name(before)]
                row |= {"run_id": reduced.run_id}
                under_way.append((pool.submit(_commit, copier, members[0], row, stale), row))
                reduced.written += 1
            if len(under_way) >= _UNDER_WAY:
                _finish_writes(under_way, _UNDER_WAY // 2, spool)
        _finish_writes(under_way, 0, spool)


def _commit(copier: Copier, of: Row | None, row: Row, stale: Sequence[str]) -> None:
    copier.copy(of, row)
    commit_row(copier.out, row, stale=stale, guard=copier.guard)


def _finish_writes(under_way: deque[_Write], until: int, spool: Spool) -> None:
    """Wait for the oldest writes, until this many are left."""
    rows = []
    while len(under_way) > until:
        write, row = under_way.popleft()
        write.result()
        rows += [] if row is None else [row]
    spool.add(pa.Table.from_pylist(rows, schema=VERDICT))


def _form_row(members: Sequence[Row | None], config: OutputConfig) -> Row:
    if config.members or members[0] is None:
        return combine_rows(members, config)
    return with_verdict(members[0], config.reduction)


def _is_same_row(row: Row, before: Row) -> bool:
    return {**row, "run_id": None} == {**before, "run_id": None}


def _row_name(row: Row) -> str:
    return row_name(row["video_id"], row["etag"], row["config_fingerprint"])


def _count_gaps(members: Sequence[Row | None], notes: Counter[str]) -> None:
    """Count the rows that an ensemble lacks, for the summary."""
    if len(members) == 1:
        return
    if None in members:
        notes["only in some inputs"] += 1
    for number, row in enumerate(members, start=1):
        if row is None:
            notes[f"not in input {number}"] += 1
        elif row["status"] == "failed":
            notes[f"failed in input {number}"] += 1


def _make_summary(reduced: Reduced, started_at: datetime) -> RunSummary:
    config = reduced.config
    reduction = config.reduction
    return RunSummary(
        run_id=reduced.run_id,
        job="reduce",
        started_at=started_at,
        ended_at=datetime.now(UTC),
        exit_status=reduced.exit_status,
        trouble=reduced.trouble,
        config_fingerprint=config.config_fingerprint,
        settings={
            "reducer": reduction.reducer,
            "threshold": reduction.threshold,
            "ensemble": reduction.ensemble,
            "calibration_fingerprint": reduction.calibration_fingerprint,
            "inputs": [member.config_fingerprint for member in config.members]
            or [config.config_fingerprint],
        },
        versions={"ah_ray": ah_ray_version()},
        counts=TableCounts.of(reduced.counts),
        notes=dict(reduced.notes) | {"unchanged": reduced.unchanged},
        videos_done=reduced.written,
        storage_retries=storage.count_retries(),
    )
