"""What botocore and aiohttp raise, as the project's errors: may it pass, and what is the mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from fsspec.exceptions import FSTimeoutError

from ah_ray.errors import (
    ObjectChanged,
    ObjectDenied,
    ObjectMissing,
    PreconditionFailed,
    StorageError,
    shown,
)
from ah_ray.storage.retry import Transient

_PASSING = (
    boto.ConnectionError,  # not reached
    boto.HTTPClientError,  # reset, timed out, cut short
    boto.IncompleteReadError,
    boto.FlexibleChecksumError,
    ResponseParserError,  # some stores answer SlowDown with broken XML
    boto.CredentialRetrievalError,
    aiohttp.ClientError,
    FSTimeoutError,
    ConnectionError,
    TimeoutError,
)
_PASSING_CODES = {
    "ConditionalRequestConflict", "InternalError", "OperationAborted", "RequestTimeout",
    "RequestTimeTooSkewed", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException",
    "TooManyRequests",
}  # fmt: skip
_CREDENTIAL_CODES = {
    "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}  # fmt: skip
_REGION_CODES = {"301", "PermanentRedirect", "AuthorizationHeaderMalformed"}
_CREDENTIALS = (
    "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role; "
    "for a store that is not AWS, set AWS_ENDPOINT_URL too"
)


@contextmanager
def told(doing: str, uri: str) -> Iterator[None]:
    """Translates what happens within; `doing` and `uri` begin every message."""
    what = f"{doing} {shown(uri)}"
    try:
        yield
    except boto.ClientError as error:
        raise _of_answer(what, error) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise StorageError(f"{what}: no credentials were found; {_CREDENTIALS}") from error
    except (boto.ParamValidationError, UnicodeEncodeError) as error:
        raise ObjectMissing(f"{what}: S3 allows no such name") from error
    except _PASSING as error:
        raise Transient(_endpoint(error)) from error
    except (boto.BotoCoreError, OSError) as error:
        raise StorageError(f"{what}: {error}") from error


def _of_answer(what: str, error: boto.ClientError) -> Exception:
    """The exception for an answer with an error status."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(error.response.get("Error", {}).get("Code", status))
    said = f"{code} {error.response.get('Error', {}).get('Message', '')}".strip()
    if code in _PASSING_CODES or status == 429 or (status >= 500 and status != 501):
        return Transient(said)
    if code in _CREDENTIAL_CODES:
        return StorageError(f"{what}: {said}; {_CREDENTIALS}")
    if code in _REGION_CODES or status == 301:
        return StorageError(f"{what}: {said}; set AWS_REGION to the bucket's region")
    if status in (401, 403):
        return ObjectDenied(f"{what}: {said}; give the job's role access, or check AWS_PROFILE")
    if status == 404:
        return ObjectMissing(f"{what}: {said}")
    if status == 412 and what.startswith("reading"):
        return ObjectChanged(f"{what}: it is no longer the object that was listed")
    if status == 412:
        return PreconditionFailed(f"{what}: another writer was first")
    if status == 501:
        return StorageError(f"{what}: {said}; this store lacks what S3 has had since 2024")
    return StorageError(f"{what}: {said}")


def _endpoint(error: Exception) -> str:
    text = shown(str(error)) or "no answer in time"
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        text += " (check the network, and AWS_ENDPOINT_URL if it is set)"
    return text
