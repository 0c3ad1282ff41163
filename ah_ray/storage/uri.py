"""URIs as users write them, names as they are: nothing is escaped, unescaped or expanded.

A URI is a local path (`file://` or no scheme at all), `s3://bucket/key`, or another scheme that
fsspec knows. So `a b%20#?.mp4` means those very characters, in a folder and in a bucket.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import fsspec

from ah_ray.errors import ConfigError, holds_secret, shown

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
"""Those whose URL says which host is asked; of others, the settings of the machine say so."""


def scheme(uri: str) -> str:
    """`file`, `s3`, or another that fsspec knows. Raises ConfigError for all else."""
    if _CHAIN.match(uri):
        raise ConfigError(f"'{shown(uri)}' chains URLs with '::'; give the plain URL of the folder")
    match = _SCHEME.match(uri)
    name = match[1].lower() if match else "file"
    if name in _LOCAL:
        return "file"
    if name in _S3:
        return "s3"
    if name in _NOT_STORES or name not in fsspec.available_protocols():
        raise ConfigError(f"'{shown(uri)}': no storage is known by {name}://; use s3:// or a path")
    return name


def normalise(uri: str) -> str:
    """The one way in which this project writes that place.

    A local path becomes absolute and loses its scheme; `s3a://` becomes `s3://`. Raises
    ConfigError if there is no such scheme, or no bucket, or if it holds a password or a signature:
    URIs stand in rows and summaries, for all who may read these.
    """
    kind = scheme(uri)
    if "\0" in uri or not uri:
        raise ConfigError(f"'{shown(uri)}' is empty or holds a NUL character")
    match = _SCHEME.match(uri)
    rest = uri[match.end() :] if match else uri
    if kind == "file":
        return os.path.abspath(rest)  # noqa: PTH100 (keeps links, resolves '..')
    store = rest.split("/", 1)[0]
    if kind == "s3" and not store:
        raise ConfigError(f"'{shown(uri)}' names no bucket; write s3://bucket/folder")
    # A key of S3 may look as it likes; elsewhere what follows '?' is for the server.
    if holds_secret(f"{kind}://{store}/" if kind == "s3" else uri):
        raise ConfigError(
            f"'{shown(uri)}' holds a password or a signature, which would be written into rows and "
            "summaries: give the store's credentials by its environment variables or files"
        )
    return f"{kind}://{rest}"


def host(uri: str) -> str | None:
    """`https://host:port` if the URI itself says which host is to be asked, else None."""
    name = scheme(uri)
    if name not in _OF_HOSTS:
        return None
    return f"{name}://{uri[_SCHEME.match(uri).end() :].partition('/')[0].lower()}"


def join(base: str, *parts: str) -> str:
    """The place `parts` further down from the folder `base`."""
    return "/".join([base.rstrip("/"), *parts])


def parent(uri: str) -> str:
    """The folder that holds this object: all before the last '/'."""
    folder = uri.rpartition("/")[0]
    return folder if folder or not uri.startswith("/") else "/"


def as_folder(uri: str) -> str:
    """With exactly one '/' at the end: what the URIs of all below it begin with."""
    return uri.rstrip("/") + "/"


def local_path(uri: str) -> Path | None:
    """Where to open it in place, or None if it is not a local file."""
    return Path(normalise(uri)) if scheme(uri) == "file" else None


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Of an S3 URI; the key may be empty."""
    bucket, _, key = normalise(uri).removeprefix("s3://").partition("/")
    return bucket, key
