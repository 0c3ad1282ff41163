"""A cohort: all videos below a prefix or in a manifest, in about 200 bytes of memory each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.cohort.identity import video_id_of
from ah_ray.cohort.listing import Ignored, list_videos
from ah_ray.cohort.lookup import look_up_videos
from ah_ray.cohort.manifest import MANIFEST_ENDINGS, read_manifest
from ah_ray.cohort.manifest_columns import check_group_columns, hide_participants
from ah_ray.config.containers import VIDEO_ENDINGS
from ah_ray.errors import ConfigError, ErrorKind, ObjectDenied, ObjectMissing
from ah_ray.records import FROM_MANIFEST, VERDICT, Video

_OF_ROWS = ("video_id", "uri", "etag", "size_bytes", "last_modified", *FROM_MANIFEST)
_COLUMNS = (*_OF_ROWS, "problem_kind", "problem")
_SCHEMA = pa.schema(
    [VERDICT.field(name) for name in _OF_ROWS]
    + [pa.field(name, pa.string()) for name in _COLUMNS[len(_OF_ROWS) :]]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """All videos that get a row in OUT. Iterating creates each `Video` when it is needed."""

    source: str  # the prefix or manifest, normalised
    ignored: Ignored
    batches: tuple[pa.RecordBatch, ...]

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self.batches)

    def __iter__(self) -> Iterator[Video]:
        for batch in self.batches:
            yield from map(_make_video, batch.to_pylist())

    @property
    def size_bytes(self) -> int:
        """Return the size of all videos together, as far as it is known."""
        return sum(pc.sum(batch.column("size_bytes")).as_py() or 0 for batch in self.batches)

    @property
    def from_manifest(self) -> pa.Table:
        """Return video_id and FROM_MANIFEST of all videos, as the manifest has them now."""
        return pa.Table.from_batches(self.batches, _SCHEMA).select(["video_id", *FROM_MANIFEST])


def _make_batch(videos: Sequence[Video]) -> pa.RecordBatch:
    columns = [[getattr(video, name) for video in videos] for name in _COLUMNS]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)],
        schema=_SCHEMA,
    )


def _make_video(row: dict[str, Any]) -> Video:
    kind, groups = row.pop("problem_kind"), row.pop("groups")
    row["groups"] = tuple(groups) if groups else None
    return Video(**row, problem_kind=ErrorKind(kind) if kind else None)


def open_cohort(
    videos: str,
    *,
    endings: Sequence[str] = VIDEO_ENDINGS,
    id_key: bytes | None = None,
    exclude: str | None = None,
    keep: Sequence[str] = (),
    hide_names: bool = False,
) -> Cohort:
    """List a prefix, or read a manifest (`.csv`, `.parquet`) and look up its entries.

    `endings` are those of videos below a prefix; `exclude` is a folder within it to skip (OUT);
    `keep` are further columns of a manifest to read, and `hide_names` puts pseudonyms in
    place of people's names there.
    Raise ConfigError if there is nothing to score or the manifest is wrong, StorageError if storage
    fails.
    """
    source = storage.normalise(videos)
    identify = partial(video_id_of, id_key=id_key)
    ignored = Ignored()
    try:
        if _is_manifest(source):
            pages: Iterable[list[Video]] = look_up_videos(read_manifest(source, identify, keep))
            if hide_names:
                pages = (hide_participants(page, source, id_key) for page in pages)
        else:
            check_group_columns(f"--videos {videos} is no manifest and", (), keep)
            pages = list_videos(
                source, endings=endings, identify=identify, ignored=ignored, exclude=exclude
            )
        batches = tuple(_make_batch(page) for page in pages)
    except (ObjectMissing, ObjectDenied) as error:
        raise ConfigError(f"--videos {videos} cannot be read: {error}") from error
    if not batches:
        raise ConfigError(_empty_message(videos, ignored))
    return Cohort(source=source, ignored=ignored, batches=batches)


def _is_manifest(uri: str) -> bool:
    path = storage.local_path(uri)
    return uri.lower().endswith(MANIFEST_ENDINGS) and not (path and path.is_dir())


def _empty_message(videos: str, ignored: Ignored) -> str:
    if not ignored:
        return f"--videos {videos} is empty"
    endings = ", ".join(f"{n} {ending}" for ending, n in ignored.count.most_common(5))
    return f"--videos {videos} holds no video, only {endings}; --endings says what counts as video"
