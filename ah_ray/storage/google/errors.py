"""The errors of Google's client, translated to the project's errors or `Transient`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from google.api_core.exceptions import GoogleAPICallError
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import DataCorruption
from urllib3.exceptions import HTTPError

from ah_ray.errors import (
    ObjectChanged,
    ObjectDenied,
    ObjectMissing,
    PreconditionFailed,
    StorageError,
)
from ah_ray.escaping import escape_text
from ah_ray.naming import hide_paths, name_in_message
from ah_ray.storage.retry import Transient

_PASSING = (
    requests.RequestException,
    HTTPError,  # of urllib3, which reads the bodies
    DataCorruption,
    ConnectionError,
    TimeoutError,
)
_PASSING_STATUS = {408, 429}
_CREDENTIALS = (
    "give the machine a service account, run `gcloud auth application-default login`, or set "
    "GOOGLE_APPLICATION_CREDENTIALS to the file of a key"
)


@contextmanager
def translate_errors(doing: str, uri: str) -> Iterator[None]:
    """Translate errors within this block. `doing` and `uri` begin every message."""
    what = f"{doing} {name_in_message(uri)}"
    try:
        yield
    except GoogleAPICallError as error:
        raise _translate_response(what, error) from error
    except auth.DefaultCredentialsError as error:
        raise StorageError(f"{what}: no credentials were found; {_CREDENTIALS}") from error
    except auth.GoogleAuthError as error:
        if error.retryable or isinstance(error, auth.TransportError):
            raise Transient(_describe(error)) from error
        raise StorageError(f"{what}: {_describe(error)}; {_CREDENTIALS}") from error
    except _PASSING as error:
        raise Transient(_describe(error)) from error
    except UnicodeEncodeError as error:
        raise ObjectMissing(f"{what}: Google allows no such name") from error
    except (OSError, ValueError) as error:
        raise StorageError(f"{what}: {_describe(error)}") from error


def _translate_response(what: str, error: GoogleAPICallError) -> Exception:
    status = int(error.code or 0)
    text = f"{status} {_describe(error)}"
    if status in _PASSING_STATUS or (status >= 500 and status != 501):
        return Transient(text)
    if status == 401:
        return StorageError(f"{what}: {text}; {_CREDENTIALS}")
    if status == 403:
        return ObjectDenied(
            f"{what}: {text}; give the job's service account the role Storage Object User, or "
            "Viewer where it only reads"
        )
    if status == 404:
        return ObjectMissing(f"{what}: {text}")
    if status == 412 and what.startswith("reading"):
        return ObjectChanged(f"{what}: it is no longer the object that was listed")
    if status == 412:
        return PreconditionFailed(f"{what}: another writer was first")
    return StorageError(f"{what}: {text}")


def _describe(error: Exception) -> str:
    """Return the first line of a message, without the request that led to it."""
    text = getattr(error, "message", None) or str(error)
    first = str(text).strip().partition("\n")[0]
    return hide_paths(escape_text(first))[:300] or type(error).__name__
