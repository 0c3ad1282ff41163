"""Azure's client: the account, its credentials, and connections.

The account's name is in the URI (`az://container@account.blob.core.windows.net/key`) or in the
environment, where the names are those of Azure's own tools. The first of these credentials is used:
AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT_KEY or _KEY, AZURE_STORAGE_SAS_TOKEN, and
Azure's default chain: a service principal in AZURE_*, a workload or managed identity, `az login`.
"""

from __future__ import annotations

import functools
import logging
import os
from typing import Any

import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient
from requests.adapters import HTTPAdapter

from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.naming import name_in_message
from ah_ray.storage import retry
from ah_ray.storage.uri import bucket_and_key

# Where no credentials are found it logs a page of advice, which errors.py puts into one sentence.
logging.getLogger("azure").setLevel(logging.ERROR)

_CONNECTIONS = 32
_READ_TIMEOUT_S = 20.0
_SINGLE_PUT_BYTES = 64 << 20
_BLOCK_BYTES = 16 << 20  # an upload has at most 50,000 blocks: 800 GB


def container_and_key(uri: str) -> tuple[ContainerClient, str]:
    """Return the client of a URI's container, and the key. The key may be empty."""
    store, key = bucket_and_key(uri)
    container, _, address = store.partition("@")
    return _service(uri, address).get_container_client(container), key


def blob(uri: str) -> BlobClient:
    """Return the client of one blob. Raise ObjectMissing where no blob can have such a name."""
    container, key = container_and_key(uri)
    if not key:
        raise ObjectMissing(f"{name_in_message(uri)} is a container, not a blob in it")
    if "\\" in key or {".", ".."} & set(key.split("/")):
        raise ObjectMissing(
            f"{name_in_message(uri)}: Azure has no such name, since it reads '\\' as '/', "
            "and '.' and '..' as folders; rename the recording"
        )
    return container.get_blob_client(key)


def time_limits() -> dict[str, Any]:
    """Return the time limits of one request, as Azure's client takes them."""
    limit_s = retry.current_patience().call_timeout_s
    return {"read_timeout": _READ_TIMEOUT_S if limit_s is None else min(limit_s, _READ_TIMEOUT_S)}


def _service(uri: str, address: str) -> BlobServiceClient:
    settings = frozenset((k, v) for k, v in os.environ.items() if k.startswith("AZURE_"))
    try:
        return _connect(os.getpid(), address, settings)
    except ValueError as error:
        raise ConfigError(f"{name_in_message(uri)} cannot be opened: {error}") from None


@functools.lru_cache(maxsize=8)
def _connect(
    _process: int, address: str, settings: frozenset[tuple[str, str]]
) -> BlobServiceClient:
    """Return a client for this process and these settings. Raise ValueError without an account."""
    given = dict(settings)
    options: dict[str, Any] = {
        "transport": _transport(),
        "retry_total": 0,  # retry.py retries and counts
        "connection_timeout": 3,
        "max_single_put_size": _SINGLE_PUT_BYTES,
        "max_block_size": _BLOCK_BYTES,
    }
    connection = given.get("AZURE_STORAGE_CONNECTION_STRING")
    if connection:
        service = BlobServiceClient.from_connection_string(connection, **options)
        if not address or address.split(".")[0] == service.account_name:
            return service
    account = given.get("AZURE_STORAGE_ACCOUNT_NAME") or given.get("AZURE_STORAGE_ACCOUNT")
    if not address and not account:
        raise ValueError(
            "no storage account is named; set AZURE_STORAGE_ACCOUNT_NAME, or write "
            "az://container@account.blob.core.windows.net/folder"
        )
    address = address or f"{account}.blob.core.windows.net"
    return BlobServiceClient(f"https://{address}", _credential(given), **options)


def _credential(given: dict[str, str]) -> Any:
    return (
        given.get("AZURE_STORAGE_ACCOUNT_KEY")
        or given.get("AZURE_STORAGE_KEY")
        or given.get("AZURE_STORAGE_SAS_TOKEN")
        or DefaultAzureCredential(exclude_powershell_credential=True)
    )


def _transport() -> RequestsTransport:
    session = requests.Session()
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(pool_maxsize=_CONNECTIONS))
    return RequestsTransport(session=session, session_owner=False)
