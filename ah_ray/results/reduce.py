"""New verdicts from finished clips: another reducer, threshold or calibration, or an ensemble.

No model and no video is needed. The inputs stay as they are; the result is an output of its own,
in the same contract. Where it exists already, only rows that would differ are written, so it may
be stopped and run again, and be run every night after the inputs have grown.
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
from ah_ray.config import Reduction
from ah_ray.errors import ConfigError, StorageError, shown
from ah_ray.exit_status import ExitStatus
from ah_ray.records import VERDICT
from ah_ray.results.commit import commit
from ah_ray.results.ensembles import combined_row
from ah_ray.results.lease import Lease
from ah_ray.results.outputs import OutputConfig, matches, read_config, write_config
from ah_ray.results.reduced_config import reduced_config
from ah_ray.results.row import ah_ray_version
from ah_ray.results.runs import RunSummary, TableCounts, new_run_id, write_summary
from ah_ray.results.spool import Spool
from ah_ray.results.stream import Content, side_by_side, stream_contents, stream_rows
from ah_ray.results.table_files import open_tables
from ah_ray.results.tables import Counts, write_tables
from ah_ray.results.verdict import with_verdict
from ah_ray.units import counted, named

_WRITERS = 16
_UNDER_WAY = 64  # writes that may wait, so that memory stays bounded


@dataclass(slots=True, kw_only=True)
class Reduced:
    """What came of it."""

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
    """Forms OUT from one input, or an ensemble from several.

    Several inputs, or one that several models scored, are a vote unless `reduction` says
    otherwise. `calibrations` are files, one for each model that scored; they say reducer and
    threshold, which `reduction` then leaves open. Raises ConfigError before anything is written,
    OutputBusy if another run holds OUT. If it is interrupted, or storage fails, the tables still
    say what is there, and `exit_status` is MISSING_ROWS.
    """
    inputs, out = [storage.normalise(uri) for uri in inputs], storage.normalise(out)
    config = reduced_config(inputs, out, reduction, calibrations)
    matches(out, config)
    contents = _check_contents(inputs)
    storage.check_writable(out)
    run_id, started_at = new_run_id(), datetime.now(UTC)
    reduced = Reduced(run_id=run_id, config=config, counts=Counts(n_videos=contents))
    with Lease.acquire(out, run_id), Spool() as spool:
        if not matches(out, config):
            write_config(out, config)
        try:
            _write_rows(inputs, out, reduced, spool)
            reduced.exit_status = ExitStatus.COMPLETE
        except (KeyboardInterrupt, StorageError) as error:
            reduced.trouble = shown(str(error)) or "stopped"
        reduced.counts = write_tables(out, _row_names(inputs, config), spool)
        if reduced.counts.n_missing:
            reduced.exit_status = ExitStatus.MISSING_ROWS
        write_summary(out, _summary(reduced, started_at))
    return reduced


def _check_contents(inputs: Sequence[str]) -> int:
    """How many videos there are in all. Raises ConfigError if the inputs do not fit together."""
    fingerprints = {uri: read_config(uri).config_fingerprint for uri in inputs}
    n_videos, differing, alone = 0, [], set(inputs)
    for video_id, contents in _contents(inputs):
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
            f"the inputs scored different content of {counted(len(differing), 'video')} "
            f"({named(differing)}): run score.py again for the older ones"
        )
    return n_videos


def _contents(inputs: Sequence[str]) -> Iterator[tuple[str, list[Content | None]]]:
    return side_by_side([stream_contents(uri) for uri in inputs], attrgetter("video_id"))


def _row_names(inputs: Sequence[str], config: OutputConfig) -> Iterator[str]:
    for video_id, contents in _contents(inputs):
        etags = (content.etag for content in contents if content is not None)
        etag = next((etag for etag in etags if etag is not None), None)
        yield row_name(video_id, etag, config.config_fingerprint)


def _write_rows(inputs: Sequence[str], out: str, reduced: Reduced, spool: Spool) -> None:
    streams = [stream_rows(uri) for uri in inputs]
    with open_tables(out) as tables:
        streams.append(iter(()) if tables is None else stream_rows(out))
    with ThreadPoolExecutor(_WRITERS) as pool:
        under_way: deque[tuple[Future, dict]] = deque()
        for _, (*members, before) in side_by_side(streams, itemgetter("video_id")):
            if not any(members):
                continue  # it has left the inputs: it leaves the tables
            _note(members, reduced.notes)
            row = _formed(members, reduced.config)
            if before is not None and _same(row, before):
                reduced.unchanged += 1
                continue
            stale = [] if before is None else [_name(before)]
            row |= {"run_id": reduced.run_id}
            under_way.append((pool.submit(commit, out, row, stale=stale), row))
            reduced.written += 1
            if len(under_way) >= _UNDER_WAY:
                _finish(under_way, _UNDER_WAY // 2, spool)
        _finish(under_way, 0, spool)


def _finish(under_way: deque[tuple[Future, dict]], until: int, spool: Spool) -> None:
    """Waits for the oldest writes, until so many are left."""
    rows = []
    while len(under_way) > until:
        write, row = under_way.popleft()
        write.result()
        rows.append(row)
    spool.add(pa.Table.from_pylist(rows, schema=VERDICT))


def _formed(members: Sequence[dict | None], config: OutputConfig) -> dict:
    if config.members:
        return combined_row(members, config)
    return with_verdict(members[0], config.reduction)


def _same(row: dict, before: dict) -> bool:
    return {**row, "run_id": None} == {**before, "run_id": None}


def _name(row: dict) -> str:
    return row_name(row["video_id"], row["etag"], row["config_fingerprint"])


def _note(members: Sequence[dict | None], notes: Counter[str]) -> None:
    """Counts what an ensemble does without, so that it is said."""
    if len(members) == 1:
        return
    if None in members:
        notes["only in some inputs"] += 1
    for number, row in enumerate(members, start=1):
        if row is None:
            notes[f"not in input {number}"] += 1
        elif row["status"] == "failed":
            notes[f"failed in input {number}"] += 1


def _summary(reduced: Reduced, started_at: datetime) -> RunSummary:
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
        storage_retries=storage.retries(),
    )
