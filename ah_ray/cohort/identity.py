"""The id of a video, and the name of the file that holds its row. Pure.

Names are hashed as UTF-8 bytes without changes, so a bucket and its copy on disk give equal ids.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re

VIDEO_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_ROW_NAME = re.compile(rf"({VIDEO_ID.pattern})-([0-9a-f]{{8}})\.parquet", re.ASCII)


def video_id_of(key: str, id_key: bytes | None = None) -> str:
    """Return 16 hex digits for a key relative to `--videos`, with '/' between its parts.

    With `id_key` they are an HMAC: without that key, nobody can find out by trying likely names
    whose video it is.
    """
    name = key.encode()
    if id_key is None:
        return hashlib.sha256(name).hexdigest()[:16]
    return hmac.digest(id_key, name, "sha256").hex()[:16]


def hash8(etag: str | None, config_fingerprint: str) -> str:
    """Return 8 hex digits for the content of a video and the configuration that scores it."""
    pair = json.dumps([etag or "", config_fingerprint])
    return hashlib.sha256(pair.encode()).hexdigest()[:8]


def row_name(video_id: str, etag: str | None, config_fingerprint: str) -> str:
    """Return the name, in OUT/videos, of the row for this content and configuration."""
    return f"{video_id}-{hash8(etag, config_fingerprint)}.parquet"


def video_id_in(name: str) -> str | None:
    """Return the video_id in the name of a row in OUT/videos; None if it is not a row."""
    match = _ROW_NAME.fullmatch(name)
    return match[1] if match else None
