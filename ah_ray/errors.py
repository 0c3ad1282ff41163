"""What can go wrong, and whose fate it is.

    AhRayError
    ├── ConfigError          the user's settings: before any replica starts, exit 2
    ├── OutputBusy           another run holds this output: exit 4
    ├── VideoError(kind)     one video: becomes a row with a status, never ends the run
    ├── NoRay                Ray does not start here: exit 3
    ├── Interrupted          ffmpeg was killed from outside: infrastructure, no fault of its video
    └── StorageError         infrastructure: retried inside storage/, then by the healing loop
        ├── ObjectMissing    the object is not there        (as a row: `missing`)
        ├── ObjectDenied     we may not read or write it    (as a row: `denied`)
        ├── ObjectChanged    it changed while it was read   (read again)
        └── PreconditionFailed   a conditional write lost against another writer

Every message is one sentence or two that a person can act on.
"""

from __future__ import annotations

import re
from enum import StrEnum


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
        """True if a later run tries it again by itself (up to `MAX_ATTEMPTS`)."""
        return self in {self.MISSING, self.DENIED, self.TIMEOUT, self.CRASH}

    @property
    def mend(self) -> str:
        """What the owner of the cohort can do about it."""
        return _MENDS[self]


MAX_ATTEMPTS = 3

_MENDS = {
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


_SECRETS = re.compile(
    r"(?<=://)[^/\s@:]*:[^/\s@]+(?=@)"  # user:password@
    r"|(?<=http://)[^/\s@]+(?=@)|(?<=https://)[^/\s@]+(?=@)"  # token@
    r"|(?<=[?&])((?:X-Amz-(?:Signature|Security-Token|Credential)|X-Goog-Signature|Signature|sig"
    r"|(?:access_)?token|AWSAccessKeyId)=)[^&\s'\"]+",
    re.IGNORECASE,
)


def shown(text: str) -> str:
    """`text` as a row, a log and a terminal may hold it, whatever a name in it is made of.

    One line; what a terminal would obey is escaped, and what opens a store is left out.
    """
    return without_secrets("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def without_secrets(text: str) -> str:
    """`text` without the passwords and signatures that URIs may hold."""
    return _SECRETS.sub(lambda found: (found[1] or "") + "…", text)


def holds_secret(text: str) -> bool:
    return _SECRETS.search(text) is not None


class AhRayError(Exception):
    """Root of the tree."""


class ConfigError(AhRayError):
    """A setting is wrong; the message says which, and what to give instead."""


class OutputBusy(AhRayError):
    """Another run holds the lease of this output; the message names the holder."""


class VideoError(AhRayError):
    """One video cannot be scored, wholly or from here on."""

    def __init__(self, kind: ErrorKind, message: str):
        super().__init__(message)
        self.kind = kind

    def __reduce__(self):
        return type(self), (self.kind, str(self))


class NoRay(AhRayError):
    """Ray could not be started on this machine: too little is free, or it is too busy."""


class Interrupted(AhRayError):
    """A machine that goes down, or is short of memory, ended a process of ours.

    It says nothing of the video, which is tried again, as if the whole process had died.
    """


class StorageError(AhRayError):
    """Storage did not do what was asked, after all retries."""


class ObjectMissing(StorageError):
    """The object does not exist."""


class ObjectDenied(StorageError):
    """The object exists, or may exist, but these credentials may not touch it."""


class ObjectChanged(StorageError):
    """The object is no longer the one that was listed."""


class PreconditionFailed(StorageError):
    """The object was created or changed by another writer first."""
