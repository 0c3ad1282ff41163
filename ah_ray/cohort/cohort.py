"""A cohort: all videos below a prefix, or of a manifest, held in about 200 bytes each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.cohort.identity import video_id_of
from ah_ray.cohort.listing import Ignored, list_videos
from ah_ray.cohort.lookup import look_up
from ah_ray.cohort.manifest import MANIFEST_ENDINGS, read_manifest
from ah_ray.config import VIDEO_ENDINGS
from ah_ray.errors import ConfigError, ErrorKind, ObjectDenied, ObjectMissing
from ah_ray.records import VERDICT, Video

_COLUMNS = ("video_id", "uri", "etag", "size_bytes", "last_modified", "problem_kind", "problem")
_SCHEMA = pa.schema(
    [VERDICT.field(name) for name in _COLUMNS[:5]]
    + [pa.field(name, pa.string()) for name in _COLUMNS[5:]]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """All videos that OUT shall have a row for. Iterating makes each `Video` anew."""

    source: str  # the prefix or manifest, normalised
    ignored: Ignored
    batches: tuple[pa.RecordBatch, ...]

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self.batches)

    def __iter__(self) -> Iterator[Video]:
        for batch in self.batches:
            yield from map(_video, batch.to_pylist())

    @property
    def size_bytes(self) -> int:
        """Of all videos together, as far as it is known."""
        return sum(pc.sum(batch.column("size_bytes")).as_py() or 0 for batch in self.batches)


def _batch(videos: Sequence[Video]) -> pa.RecordBatch:
    columns = [[getattr(video, name) for video in videos] for name in _COLUMNS]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)],
        schema=_SCHEMA,
    )


def _video(row: dict) -> Video:
    kind = row.pop("problem_kind")
    return Video(**row, problem_kind=ErrorKind(kind) if kind else None)


def open_cohort(
    videos: str,
    *,
    endings: Sequence[str] = VIDEO_ENDINGS,
    id_key: bytes | None = None,
    exclude: str | None = None,
) -> Cohort:
    """Lists a prefix, or reads a manifest (`.csv`, `.parquet`) and looks up what it names.

    `endings` says which names below a prefix are videos; `exclude` is a folder within it that is
    not looked at (OUT). Raises ConfigError if there is nothing to score, or if the manifest is
    wrong; StorageError if storage fails.
    """
    source = storage.normalise(videos)
    identify = partial(video_id_of, id_key=id_key)
    ignored = Ignored()
    try:
        if _is_manifest(source):
            pages: Iterable[list[Video]] = look_up(read_manifest(source, identify))
        else:
            pages = list_videos(
                source, endings=endings, identify=identify, ignored=ignored, exclude=exclude
            )
        batches = tuple(_batch(page) for page in pages)
    except (ObjectMissing, ObjectDenied) as error:
        raise ConfigError(f"--videos {videos} cannot be read: {error}") from error
    if not batches:
        raise ConfigError(_nothing_there(videos, ignored))
    return Cohort(source=source, ignored=ignored, batches=batches)


def _is_manifest(uri: str) -> bool:
    path = storage.local_path(uri)
    return uri.lower().endswith(MANIFEST_ENDINGS) and not (path and path.is_dir())


def _nothing_there(videos: str, ignored: Ignored) -> str:
    if not ignored:
        return f"--videos {videos} is empty"
    endings = ", ".join(f"{n} {ending}" for ending, n in ignored.count.most_common(5))
    return f"--videos {videos} holds no video, only {endings}; --endings says what counts as video"
