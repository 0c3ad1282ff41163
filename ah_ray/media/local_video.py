"""A video as an open file of this node: where it lies, or an unnamed copy for as long as needed.

A copy of a recording has no name on the disk, so nothing can leave a participant's face behind: not
even `kill -9`. What must see it by a path gets `open_files.name_of`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ah_ray import storage
from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, ObjectChanged, ObjectDenied, ObjectMissing, VideoError
from ah_ray.media.file_check import make_read_error
from ah_ray.media.sandbox.open_files import name_of, open_recording
from ah_ray.records import Video


@contextmanager
def open_video(video: Video, limits: Limits) -> Iterator[BinaryIO]:
    """Give the video as a file that is open for reading: in place if it is local, else a copy.

    Raises:
        VideoError: `refused` if it is too large, `missing`, `denied`, or `unreadable`.
        ObjectChanged: It is not, or at the end no longer, the content that was listed.
        StorageError: The file system fails: that is no fault of the video.
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
            with _open(path) as file:
                yield file
            _check_unchanged(video)
            return
        with tempfile.TemporaryFile(prefix="ah_ray-") as file:
            storage.download(video.uri, name_of(file), etag=video.etag, size_bytes=video.size_bytes)
            yield file
    except ObjectMissing:
        raise VideoError(ErrorKind.MISSING, "the object vanished after it was listed") from None
    except ObjectDenied:
        raise VideoError(ErrorKind.DENIED, "reading the object is not permitted") from None


def _open(path: Path) -> BinaryIO:
    try:
        return open_recording(path)
    except PermissionError:
        raise VideoError(
            ErrorKind.DENIED, "the job's user may not read the file: change its permissions"
        ) from None
    except OSError as error:
        raise make_read_error(error) from None


def _check_unchanged(video: Video) -> None:
    if storage.stat(video.uri).etag != video.etag:
        raise ObjectChanged(f"{video.uri} changed since it was listed, or while it was read")
