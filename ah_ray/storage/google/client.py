"""Google's client: credentials and connections.

Google's default chain applies: GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default
login`, and the service account of the machine. STORAGE_EMULATOR_HOST names another server.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from google.cloud.storage import Blob, Bucket, Client
from requests.adapters import HTTPAdapter

from ah_ray.errors import ObjectMissing
from ah_ray.naming import name_in_message
from ah_ray.storage import retry
from ah_ray.storage.google.errors import translate_errors
from ah_ray.storage.uri import bucket_and_key

_CONNECTIONS = 32
_CONNECT_TIMEOUT_S = 3.0
_READ_TIMEOUT_S = 20.0
_SETTINGS = ("GOOGLE_", "STORAGE_EMULATOR_HOST", "API_ENDPOINT_OVERRIDE", "CLOUDSDK_")


def bucket_of(uri: str) -> tuple[Bucket, str]:
    """Return a URI's bucket, and the key. The key may be empty."""
    bucket, key = bucket_and_key(uri)
    settings = frozenset((k, v) for k, v in os.environ.items() if k.startswith(_SETTINGS))
    with translate_errors("opening", uri):
        return _connect(os.getpid(), settings).bucket(bucket), key


def object_at(uri: str) -> Blob:
    """Return Google's handle of one object. No request is sent yet."""
    bucket, key = bucket_of(uri)
    if not key:
        raise ObjectMissing(f"{name_in_message(uri)} is a bucket, not an object in it")
    return bucket.blob(key)


def one_request() -> dict[str, Any]:
    """Return the time limits of one request, as Google's client takes them, without retries."""
    limit_s = retry.current_patience().call_timeout_s  # retry.py retries and counts
    limit_s = _READ_TIMEOUT_S if limit_s is None else min(limit_s, _READ_TIMEOUT_S)
    return {"timeout": (_CONNECT_TIMEOUT_S, limit_s), "retry": None}


@functools.lru_cache(maxsize=8)
def _connect(_process: int, _settings: frozenset[tuple[str, str]]) -> Client:
    """Return a client for this process and these settings."""
    client = Client(project=None)  # only the creation of buckets needs a project
    for prefix in ("https://", "http://"):
        client._http.mount(prefix, HTTPAdapter(pool_maxsize=_CONNECTIONS))
    return client
