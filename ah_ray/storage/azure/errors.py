"""The errors of Azure's client, translated to the project's errors or `Transient`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from azure.core import exceptions as azure
from urllib3.exceptions import HTTPError

from ah_ray.errors import ObjectDenied, ObjectMissing, StorageError
from ah_ray.naming import name_in_message
from ah_ray.storage.responses import describe_error, may_pass, translate_status
from ah_ray.storage.retry import Transient

_LOST_CODES = {"BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet"}
_CREDENTIAL_CODES = {
    "AuthenticationFailed",
    "InvalidAuthenticationInfo",
    "NoAuthenticationInformation",
}
_CREDENTIALS = (
    "give the machine a managed identity, run `az login`, or set AZURE_STORAGE_ACCOUNT_KEY, "
    "AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING"
)


@contextmanager
def translate_errors(doing: str, uri: str) -> Iterator[None]:
    """Translate errors within this block. `doing` and `uri` begin every message."""
    what = f"{doing} {name_in_message(uri)}"
    try:
        yield
    except azure.HttpResponseError as error:
        raise _translate_response(what, error) from error
    except (azure.ServiceRequestError, azure.ServiceResponseError) as error:
        raise Transient(
            f"{describe_error(error)} (check the network, and the account's name)"
        ) from error
    except (requests.RequestException, HTTPError, ConnectionError, TimeoutError) as error:
        raise Transient(describe_error(error)) from error
    except UnicodeEncodeError as error:
        raise ObjectMissing(f"{what}: Azure allows no such name") from error
    except (azure.AzureError, OSError, ValueError) as error:
        raise StorageError(f"{what}: {describe_error(error)}") from error


def _translate_response(what: str, error: azure.HttpResponseError) -> Exception:
    status = error.status_code
    code = getattr(error, "error_code", None)  # text, or a value of Azure's list of these
    code = str(getattr(code, "value", code) or status or "")
    text = f"{code} {describe_error(error)}".strip()
    if isinstance(error, azure.DecodeError):  # of a body that was cut short, for one
        return Transient(text)
    if status is None and isinstance(error, azure.ClientAuthenticationError):  # no store was asked
        return StorageError(f"{what}: no credentials were found; {_CREDENTIALS}")
    if status is None:
        return StorageError(f"{what}: {text}")
    if may_pass(status):
        return Transient(text)
    if code in ("BlobArchived", "BlobBeingRehydrated"):
        return ObjectDenied(
            f"{what}: it is archived; bring it back with `az storage blob set-tier --tier Hot`, "
            "which takes hours, or let the account's rules keep recordings out of the archive tier"
        )
    if code in _CREDENTIAL_CODES or status == 401:
        return StorageError(f"{what}: {text}; {_CREDENTIALS}")
    if status == 403:
        return ObjectDenied(
            f"{what}: {text}; give the job's identity the role Storage Blob Data Contributor, or "
            "Reader where it only reads"
        )
    if code in _LOST_CODES:  # 409, if there is a blob that was not to be there
        status = 412
    elif status == 412 and "Lease" in code:
        return StorageError(f"{what}: {text}")
    if status == 400 and code in ("InvalidResourceName", "InvalidUri", "OutOfRangeInput"):
        return ObjectMissing(f"{what}: Azure allows no such name")
    return translate_status(what, status, text)
