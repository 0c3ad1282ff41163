"""Recordings and outputs given as a path or as an open file, which need not have a name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def open_source(source: Path | BinaryIO) -> BinaryIO:
    """Return the file, open for reading from its beginning, with a position of its own.

    The caller closes it. Several threads may read one recording at the same time.
    """
    return open_recording(name_of(source))


def open_recording(path: Path) -> BinaryIO:
    """Return a file that is open for reading. Opening a pipe does not wait for a writer.

    Raises:
        OSError: There is no such file, or it may not be read.
    """
    return open(path, "rb", opener=_open_at_once)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


@contextmanager
def overwrite(target: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open a file for writing from its beginning, without its old content.

    A file that was given open stays open.
    """
    if isinstance(target, Path):
        with target.open("w+b") as file:
            yield file
    else:
        target.seek(0)
        target.truncate()
        yield target
        target.seek(0)


def name_of(file: Path | BinaryIO) -> Path:
    """Return a path by which this process, and those that see its /proc, can open the file."""
    if isinstance(file, Path):
        return file
    return Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
