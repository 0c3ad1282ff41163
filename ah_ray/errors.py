"""All errors of ah_ray, and what becomes of each.

    AhRayError
    ├── ConfigError          the user's settings: before any replica starts, exit 2
    ├── OutputBusy           another run holds this output: exit 4
    ├── VideoError(kind)     one video: becomes a row with a status, never ends the run
    ├── NoRay                Ray does not start here: exit 3
    ├── TrainingStopped      a training that cannot go on as it is: exit 3
    ├── Interrupted          decoding was ended from outside: infrastructure, not its video's fault
    └── StorageError         infrastructure: retried inside storage/, then by the healing loop
        ├── ObjectMissing    the object is not there        (as a row: `missing`)
        ├── ObjectDenied     we may not read or write it    (as a row: `denied`)
        ├── ObjectChanged    it changed while it was read   (read again)
        ├── PreconditionFailed   a conditional write lost against another writer
        └── LeaseLost        this run no longer holds its output, and may not write to it

Every message is one or two sentences that a person can act on.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ErrorKind(StrEnum):
    """Why a video, or one of its clips, was not scored."""

    MISSING = "missing"
    DENIED = "denied"
    UNREADABLE = "unreadable"
    NO_VIDEO = "no_video"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    DECODE = "decode"
    SCORING = "scoring"
    CRASH = "crash"

    @property
    def may_pass(self) -> bool:
        """Return whether later runs try the video again; cohort/pending.py says how often."""
        return self in {self.MISSING, self.DENIED, self.TIMEOUT, self.CRASH}

    @property
    def remedy(self) -> str:
        """Return what the owner of the cohort can do about it, as half a sentence."""
        return _REMEDIES[self]


_REMEDIES = {
    ErrorKind.MISSING: "upload the object, or take it out of the manifest",
    ErrorKind.DENIED: "give the job's role read access to the object",
    ErrorKind.UNREADABLE: "upload the recording again: this is not a whole media file",
    ErrorKind.NO_VIDEO: "take it out of the cohort: it has no moving picture",
    ErrorKind.REFUSED: "replace it by a plain recording, or raise the limit that the error names",
    ErrorKind.TIMEOUT: "tried again by the next runs; raise --timeout-s if the recording is sound",
    ErrorKind.DECODE: "upload the recording again: parts of it are damaged",
    ErrorKind.SCORING: "check the checkpoint: it gave no finite probability",
    ErrorKind.CRASH: "tried again by the next runs; keep the recording for a bug report",
}


class AhRayError(Exception):
    """The base of all errors that ah_ray raises."""


class ConfigError(AhRayError):
    """A setting is wrong. The message says which one, and what to give instead."""


class OutputBusy(AhRayError):
    """Another run holds the lease of this output. The message names the holder."""


class VideoError(AhRayError):
    """One video cannot be scored, or not beyond some point."""

    def __init__(self, kind: ErrorKind, message: str):
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[Self], tuple[ErrorKind, str]]:
        return type(self), (self.kind, str(self))


class NoRay(AhRayError):
    """Ray could not be started on this machine: too little is free, or it is too busy."""


class TrainingStopped(AhRayError):
    """A training lost recordings or machines. The message says what brings them back."""


class Interrupted(AhRayError):
    """A machine that shut down, or ran out of memory, ended one of our processes.

    This says nothing about the video. It is tried again, as if the whole process had died.
    """


class StorageError(AhRayError):
    """A storage operation failed after all retries."""


class ObjectMissing(StorageError):
    """The object does not exist."""

    kind = ErrorKind.MISSING  # of a video that is this object


class ObjectDenied(StorageError):
    """The object exists, or may exist, but these credentials may not touch it."""

    kind = ErrorKind.DENIED


class ObjectChanged(StorageError):
    """The object is no longer the one that was listed."""


class PreconditionFailed(StorageError):
    """The object was created or changed by another writer first."""


class LeaseLost(StorageError):
    """The run no longer holds the lease of its output, and writes nothing more there."""


def get_first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if it has no message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
