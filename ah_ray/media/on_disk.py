"""A video as a file that ffmpeg can open: where it lies, or copied from storage for as long."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ah_ray import storage
from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, ObjectChanged, ObjectDenied, ObjectMissing, VideoError
from ah_ray.records import Video


@contextmanager
def on_disk(video: Video, limits: Limits) -> Iterator[Path]:
    """In place if it is local, else a copy on this node's disk.

    Raises VideoError (`refused`, `missing`, `denied`), and ObjectChanged if it is not, or at the
    end no longer, the content that was listed.
    """
    if video.size_bytes is not None and video.size_bytes > limits.max_bytes:
        raise VideoError(
            ErrorKind.REFUSED,
            f"{video.size_bytes:,} bytes are over --max-bytes {limits.max_bytes:,}",
        )
    try:
        path = storage.local_path(video.uri)
        if path is not None:
            _check_unchanged(video)
            yield path
            _check_unchanged(video)
            return
        with tempfile.TemporaryDirectory(prefix="ah_ray-") as folder:
            # With its ending, which ffmpeg weighs too: a bucket and a folder give the same rows.
            path = Path(folder) / f"video{PurePosixPath(video.uri).suffix[:16]}"
            storage.download(video.uri, path, etag=video.etag, size_bytes=video.size_bytes)
            yield path
    except ObjectMissing:
        raise VideoError(ErrorKind.MISSING, "the object vanished after it was listed") from None
    except ObjectDenied:
        raise VideoError(ErrorKind.DENIED, "reading the object is not permitted") from None


def _check_unchanged(video: Video) -> None:
    if storage.stat(video.uri).etag != video.etag:
        raise ObjectChanged(f"{video.uri} changed since it was listed, or while it was read")
