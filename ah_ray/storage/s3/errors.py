"""The errors of botocore and aiohttp, translated to the project's errors or `Transient`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from fsspec.exceptions import FSTimeoutError

from ah_ray.errors import ObjectDenied, ObjectMissing, StorageError
from ah_ray.escaping import escape_text
from ah_ray.naming import hide_paths, name_in_message
from ah_ray.storage.responses import translate_status
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
def translate_errors(doing: str, uri: str) -> Iterator[None]:
    """Translate errors within this block. `doing` and `uri` begin every message."""
    what = f"{doing} {name_in_message(uri)}"
    try:
        yield
    except boto.ClientError as error:
        raise _translate_answer(what, error) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise StorageError(f"{what}: no credentials were found; {_CREDENTIALS}") from error
    except (boto.ParamValidationError, UnicodeEncodeError) as error:
        raise ObjectMissing(f"{what}: S3 allows no such name") from error
    except _PASSING as error:
        raise Transient(_describe_fault(error)) from error
    except (boto.BotoCoreError, OSError) as error:
        raise StorageError(f"{what}: {error}") from error


def _translate_answer(what: str, error: boto.ClientError) -> Exception:
    """Return the exception for a response with an error status."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(error.response.get("Error", {}).get("Code", status))
    text = f"{code} {error.response.get('Error', {}).get('Message', '')}".strip()
    if code in _PASSING_CODES or status == 429 or (status >= 500 and status != 501):
        return Transient(text)
    if code == "InvalidObjectState":
        return ObjectDenied(
            f"{what}: it is archived (Glacier or Deep Archive); restore it with "
            "`aws s3api restore-object`, which takes hours, or let the bucket's lifecycle keep "
            "recordings out of archives"
        )
    if code in _CREDENTIAL_CODES:
        return StorageError(f"{what}: {text}; {_CREDENTIALS}")
    if code in _REGION_CODES or status == 301:
        return StorageError(f"{what}: {text}; set AWS_REGION to the bucket's region")
    if status in (401, 403):
        return ObjectDenied(f"{what}: {text}; give the job's role access, or check AWS_PROFILE")
    if status == 501:
        return StorageError(f"{what}: {text}; this store lacks what S3 has had since 2024")
    return translate_status(what, status, text)


def _describe_fault(error: Exception) -> str:
    text = hide_paths(escape_text(str(error))) or "no answer in time"
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        text += " (check the network, and AWS_ENDPOINT_URL if it is set)"
    return text
