"""Temporary folders that the next run on this machine removes, if their process was killed.

Each holds a file `.owner` that its process keeps locked. The system releases the lock when the
process ends in any way, so a folder whose lock can be taken belongs to nobody. Temporary files
without a name (rows, unfinished tables) need none of this.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PREFIX = "ah_ray-"
_OWNER, _CONTENT = ".owner", "content"


@contextmanager
def nameless_file() -> Iterator[BinaryIO]:
    """Create a file without a name in the system's temporary folder, so that none can be left.

    Flush it before its content is read: what is still buffered at the end is discarded, also when
    the disk is too full to take it. Raise OSError if no file can be created.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
    try:
        yield file
    finally:
        with suppress(OSError):  # of the bytes that could not be written; it is closed regardless
            file.close()


@contextmanager
def temporary_folder(label: str = "") -> Iterator[Path]:
    """Create a folder for this process alone in the system's temporary folder.

    It is removed at the end of the block; folders of processes that were killed are removed first.
    `label` becomes part of its name.
    """
    remove_abandoned_folders()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{label}"))
    try:
        unlocked = folder / f"{_OWNER}.new"  # nobody sees the file `.owner` before it is locked
        with unlocked.open("w") as owner:
            owner.write(f"process {os.getpid()}\n")
            owner.flush()
            fcntl.flock(owner, fcntl.LOCK_EX)
            unlocked.rename(folder / _OWNER)
            content = folder / _CONTENT
            content.mkdir()
            yield content
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned_folders() -> None:
    """Remove the temporary folders of this user's processes that no longer exist."""
    for owner in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{_OWNER}"):
        with suppress(OSError), owner.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(owner.parent, ignore_errors=True)
