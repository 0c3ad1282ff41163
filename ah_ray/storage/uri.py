"""URIs as users write them. Names are used as they are: never escaped, unescaped or expanded.

A URI is a local path (`file://` or no scheme at all), `s3://bucket/key`, or another scheme that
fsspec knows. So `a b%20#?.mp4` means exactly these characters, in a folder and in a bucket.
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
_S3 = {"s3", "s3a"}
_LOCAL = {"file", "local"}
_NOT_STORES = {
    "asynclocal", "asyncwrapper", "blockcache", "cached", "dask", "data", "dir", "dirfs",
    "filecache", "generic", "jlab", "jupyter", "libarchive", "reference", "simplecache", "tar",
    "zip",
}  # fmt: skip
"""fsspec protocols that open other URLs or archives, or hold content in the URL itself."""

_OF_HOSTS = {
    "arrow_hdfs", "ftp", "gist", "git", "github", "hdfs", "http", "https", "root", "sftp", "smb",
    "ssh", "webdav", "webhdfs",
}  # fmt: skip
"""Protocols whose URL names the host. For others, the machine's settings name it."""


def scheme(uri: str) -> str:
    """Return `file`, `s3`, or another scheme that fsspec knows. Raise ConfigError for others."""
    if _CHAIN.match(uri):
        raise ConfigError(
            f"'{escape_text(uri)}' chains URLs with '::'; give the plain URL of the folder"
        )
    match = _SCHEME.match(uri)
    name = match[1].lower() if match else "file"
    if name in _LOCAL:
        return "file"
    if name in _S3:
        return "s3"
    if name in _NOT_STORES or name not in fsspec.available_protocols():
        raise ConfigError(
            f"'{escape_text(uri)}': no storage is known by {name}://; use s3:// or a path"
        )
    return name


def normalise(uri: str) -> str:
    """Return the URI in the one form that this project uses.

    A local path becomes absolute and loses its scheme; `s3a://` becomes `s3://`. Raise ConfigError
    if the scheme is unknown, the bucket is missing, or the URI holds a password or a signature:
    rows and summaries hold URIs, and others may read these.
    """
    kind = scheme(uri)
    if "\0" in uri or not uri:
        raise ConfigError(f"'{escape_text(uri)}' is empty or holds a NUL character")
    match = _SCHEME.match(uri)
    rest = uri[match.end() :] if match else uri
    if kind == "file":
        return os.path.abspath(rest)  # noqa: PTH100 (keeps links, resolves '..')
    store = rest.split("/", 1)[0]
    if kind == "s3" and not store:
        raise ConfigError(f"'{escape_text(uri)}' names no bucket; write s3://bucket/folder")
    if _holds_secret(kind, store, rest, uri):
        raise ConfigError(
            f"'{escape_text(uri)}' holds a password or a signature, which would be written into "
            "rows and summaries: give the store's credentials by its environment variables or "
            "files, and the plain URI here"
        )
    return f"{kind}://{rest}"


def _holds_secret(kind: str, store: str, rest: str, uri: str) -> bool:
    """Return whether a URI holds a secret. In S3 keys, `?` and `#` are ordinary characters."""
    if kind != "s3":
        return holds_secret(uri)
    # A bucket has no colon but in an ARN, so this is a key and its secret, which may hold slashes.
    key_and_secret = ":" in store and not store.startswith("arn:") and "@" in rest
    return key_and_secret or holds_secret(f"s3://{store}/") or bool(_SIGNED.search(rest))


_SIGNED = re.compile(r"[?&](?:X-Amz-Signature|X-Amz-Security-Token|AWSAccessKeyId)=", re.IGNORECASE)


def host(uri: str) -> str | None:
    """Return `https://host:port` if the URI itself names a host, else None."""
    name = scheme(uri)
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
    """Return bucket and key of an S3 URI. The key may be empty."""
    bucket, _, key = normalise(uri).removeprefix("s3://").partition("/")
    return bucket, key
