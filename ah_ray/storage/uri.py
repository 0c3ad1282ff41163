"""URIs as users write them. Names are used as they are: never escaped, unescaped or expanded.

A URI is a local path (`file://` or no scheme at all), `s3://bucket/key`, `gs://bucket/key`,
`az://container/key`, or another scheme that fsspec knows. So `a b%20#?.mp4` means exactly these
characters, in a folder and in a bucket.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import fsspec

from ah_ray.errors import ConfigError
from ah_ray.escaping import escape_text, holds_secret

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
_CHAIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::.*[A-Za-z0-9]://", re.ASCII | re.DOTALL)
_ONE_NAME = {
    "local": "file", "file": "file", "s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs",
    "az": "az", "abfs": "az", "abfss": "az",
}  # fmt: skip
"""Scheme → the one that this project uses for the same store."""

_OF_KEYS = {
    "s3": ("bucket", r"X-Amz-Signature|X-Amz-Security-Token|AWSAccessKeyId"),
    "gs": ("bucket", r"X-Goog-Signature|X-Goog-Credential|GoogleAccessId"),
    "az": ("container", r"sig"),
}
"""Stores of objects with keys → what holds the objects, and the parameters that sign a URL.

`?` and `#` are ordinary characters of their keys.
"""

_NOT_STORES = {
    "asynclocal", "asyncwrapper", "blockcache", "cached", "dask", "data", "dir", "dirfs",
    "filecache", "generic", "jlab", "jupyter", "libarchive", "reference", "simplecache", "tar",
    "zip",
}  # fmt: skip
"""fsspec protocols that open other URLs or archives, or hold content in the URL itself."""

_TO_MOUNT = {"ftp", "sftp", "smb", "ssh"}
"""Servers of files that tell no version of a file, and that a machine can mount as a folder."""

_OF_HOSTS = {
    "arrow_hdfs", "gist", "git", "github", "hdfs", "http", "https", "root", "webdav", "webhdfs",
}  # fmt: skip
"""Protocols whose URL names the host. For others, the machine's settings name it."""


def scheme(uri: str) -> str:
    """Return `file`, `s3`, `gs`, `az`, or another scheme that fsspec knows.

    Raise ConfigError for others.
    """
    if _CHAIN.match(uri):
        raise ConfigError(
            f"'{escape_text(uri)}' chains URLs with '::'; give the plain URL of the folder"
        )
    match = _SCHEME.match(uri)
    name = match[1].lower() if match else "file"
    if name in _ONE_NAME:
        return _ONE_NAME[name]
    if name in _TO_MOUNT:
        raise ConfigError(
            f"'{escape_text(uri)}': {name}:// is not read; mount the folder, for example with "
            "sshfs or `rclone mount`, and give its path, or copy it into a bucket"
        )
    if name in _NOT_STORES or name not in fsspec.available_protocols():
        raise ConfigError(
            f"'{escape_text(uri)}': no storage is known by {name}://; use a path, s3://, gs:// "
            "or az://"
        )
    return name


def normalise(uri: str) -> str:
    """Return the URI in the one form that this project uses.

    A local path becomes absolute and loses its scheme; `s3a://` becomes `s3://`, `gcs://` `gs://`,
    and `abfs://container@account.dfs.core.windows.net/key` the same blob's `az://`. Raise
    ConfigError if the scheme is unknown, the bucket is missing, or the URI holds a password or a
    signature: rows and summaries hold URIs, and others may read these.
    """
    kind = scheme(uri)
    if "\0" in uri or not uri:
        raise ConfigError(f"'{escape_text(uri)}' is empty or holds a NUL character")
    match = _SCHEME.match(uri)
    rest = uri[match.end() :] if match else uri
    if kind == "file":
        return os.path.abspath(rest)  # noqa: PTH100 (keeps links, resolves '..')
    store = rest.split("/", 1)[0]
    if kind in _OF_KEYS and not store:
        place = _OF_KEYS[kind][0]
        raise ConfigError(f"'{escape_text(uri)}' names no {place}; write {kind}://{place}/folder")
    if _holds_secret(kind, store, rest, uri):
        raise ConfigError(
            f"'{escape_text(uri)}' holds a password or a signature, which would be written into "
            "rows and summaries: give the store's credentials by its environment variables or "
            "files, and the plain URI here"
        )
    if kind == "az":
        rest = _azure_store(store) + rest[len(store) :]
    return f"{kind}://{rest}"


def _azure_store(store: str) -> str:
    """Return `container` or `container@host` with the host of the account's blobs."""
    container, at, address = store.partition("@")
    return container + at + address.lower().replace(".dfs.", ".blob.", 1)


def _holds_secret(kind: str, store: str, rest: str, uri: str) -> bool:
    """Return whether a URI holds a secret."""
    if kind not in _OF_KEYS:
        return holds_secret(uri)
    # A bucket has no colon but in an ARN, so this is a key and its secret, which may hold slashes.
    key_and_secret = ":" in store and not store.startswith("arn:") and "@" in rest
    signed = re.search(rf"[?&](?:{_OF_KEYS[kind][1]})=", rest, re.IGNORECASE)
    return key_and_secret or holds_secret(f"{kind}://{store}/") or signed is not None


def host(uri: str) -> str | None:
    """Return `https://host:port` if the URI itself names a host, else None.

    A blob's URI may name the host of its account, to which credentials are sent.
    """
    name = scheme(uri)
    if name == "az":
        address = normalise(uri).removeprefix("az://").partition("/")[0].partition("@")[2]
        return f"az://{address}" if address else None
    if name not in _OF_HOSTS:
        return None
    return f"{name}://{uri.partition('://')[2].partition('/')[0].lower()}"


def join(base: str, *parts: str) -> str:
    """Return the URI of `parts` below the folder `base`."""
    return "/".join([base.rstrip("/"), *parts])


def parent(uri: str) -> str:
    """Return the folder of this object: everything before the last `/`."""
    folder = uri.rpartition("/")[0]
    return folder if folder or not uri.startswith("/") else "/"


def as_folder(uri: str) -> str:
    """Return the URI with exactly one `/` at its end: the prefix of everything below it."""
    return uri.rstrip("/") + "/"


def local_path(uri: str) -> Path | None:
    """Return the path of a local file or folder, or None for other stores."""
    return Path(normalise(uri)) if scheme(uri) == "file" else None


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3, Google or Azure URI. The key may be empty."""
    bucket, _, key = normalise(uri).partition("://")[2].partition("/")
    return bucket, key
