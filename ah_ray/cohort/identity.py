"""Who a video is, and which file holds its row. Pure.

Names are hashed by their UTF-8 bytes, as they are: a bucket and a copy of it on disk agree.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re

VIDEO_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_ROW_NAME = re.compile(rf"({VIDEO_ID.pattern})-([0-9a-f]{{8}})\.parquet", re.ASCII)


def video_id_of(key: str, id_key: bytes | None = None) -> str:
    """16 hex digits for the key relative to `--videos`, '/' between its parts.

    With `id_key` it is an HMAC: without that key nobody can tell, by trying likely names, whose
    video it is.
    """
    name = key.encode()
    if id_key is None:
        return hashlib.sha256(name).hexdigest()[:16]
    return hmac.digest(id_key, name, "sha256").hex()[:16]


def hash8(etag: str | None, config_fingerprint: str) -> str:
    """8 hex digits for the content of a video and what scores it."""
    pair = json.dumps([etag or "", config_fingerprint])
    return hashlib.sha256(pair.encode()).hexdigest()[:8]


def row_name(video_id: str, etag: str | None, config_fingerprint: str) -> str:
    """The name, below OUT/videos, of the row for this content and configuration."""
    return f"{video_id}-{hash8(etag, config_fingerprint)}.parquet"


def video_id_in(name: str) -> str | None:
    """Whose row this is, by its name below OUT/videos; None if it is not a row."""
    match = _ROW_NAME.fullmatch(name)
    return match[1] if match else None
