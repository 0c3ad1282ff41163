"""The errors of Google's client, translated to the project's errors or `Transient`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from google.api_core.exceptions import GoogleAPICallError
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import DataCorruption
from urllib3.exceptions import HTTPError

from ah_ray.errors import ObjectDenied, ObjectMissing, StorageError
from ah_ray.naming import name_in_message
from ah_ray.storage.responses import describe_error, may_pass, translate_status
from ah_ray.storage.retry import Transient

_PASSING = (
    requests.RequestException,
    HTTPError,  # of urllib3, which reads the bodies
    DataCorruption,
    ConnectionError,
    TimeoutError,
)
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
            raise Transient(describe_error(error)) from error
        raise StorageError(f"{what}: {describe_error(error)}; {_CREDENTIALS}") from error
    except _PASSING as error:
        raise Transient(describe_error(error)) from error
    except UnicodeEncodeError as error:
        raise ObjectMissing(f"{what}: Google allows no such name") from error
    except (OSError, ValueError) as error:
        raise StorageError(f"{what}: {describe_error(error)}") from error


def _translate_response(what: str, error: GoogleAPICallError) -> Exception:
    status = int(error.code or 0)
    text = f"{status} {describe_error(error, error.message)}"
    if may_pass(status):
        return Transient(text)
    if status == 401:
        return StorageError(f"{what}: {text}; {_CREDENTIALS}")
    if status == 403:
        return ObjectDenied(
            f"{what}: {text}; give the job's service account the role Storage Object User, or "
            "Viewer where it only reads"
        )
    return translate_status(what, status, text)
