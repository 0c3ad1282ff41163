"""Stores that are known only through their fsspec driver: how their errors are reported."""

from __future__ import annotations

from typing import ClassVar

import aiohttp
import fsspec
import pytest
from fsspec.registry import known_implementations

from ah_ray import storage
from ah_ray.errors import (
    ConfigError,
    ObjectDenied,
    ObjectMissing,
    PreconditionFailed,
    StorageError,
)
from ah_ray.storage import retry


class CloudError(Exception):
    """An error as the clouds' libraries raise it: no OSError, with an HTTP status."""

    def __init__(self, name: str, status: int):
        super().__init__(f"the cloud says\n{status}")
        setattr(self, name, status)


class Failing(fsspec.AbstractFileSystem):
    """A driver that raises the next of `errors` at each call, and then answers."""

    protocol = "failing"
    cachable = False
    errors: ClassVar[list[Exception]] = []

    def info(self, path, **_):
        if self.errors:
            raise self.errors.pop(0)
        return {"name": path, "type": "file", "size": 3}


@pytest.fixture(autouse=True)
def failing(monkeypatch):
    monkeypatch.setitem(known_implementations, "failing", {"class": "its.own"})
    fsspec.register_implementation("failing", Failing, clobber=True)
    yield
    Failing.errors = []


@pytest.mark.parametrize("name", ["status_code", "code", "status"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, ObjectDenied),
        (403, ObjectDenied),
        (404, ObjectMissing),
        (409, PreconditionFailed),
        (412, PreconditionFailed),
        (400, StorageError),
    ],
)
def test_errors_of_a_clouds_library_are_errors_of_storage(name, status, kind):
    Failing.errors = [CloudError(name, status)]
    with pytest.raises(StorageError, match="the cloud says") as caught:
        storage.stat("failing://bucket/a.mp4")
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [CloudError("code", 503), CloudError("status", 429), aiohttp.ClientPayloadError("cut")]
)
def test_errors_that_may_pass_are_tried_again(error):
    Failing.errors = [error, error]
    assert storage.stat("failing://bucket/a.mp4").size_bytes == 3


def test_errors_that_do_not_pass_end_in_time():
    Failing.errors = [CloudError("code", 503)] * 100
    with retry.patience(retry.HASTY), pytest.raises(StorageError, match="503"):
        storage.stat("failing://bucket/a.mp4")


def test_an_unknown_error_names_itself():
    Failing.errors = [RuntimeError("no credential in the chain")]
    with pytest.raises(StorageError, match="RuntimeError: no credential in the chain"):
        storage.stat("failing://bucket/a.mp4")


@pytest.mark.parametrize("scheme", ["ftp", "sftp", "ssh", "smb"])
def test_servers_of_files_are_refused_in_one_sentence(scheme):
    with pytest.raises(ConfigError, match=rf"{scheme}:// is not read; mount the folder, .* sshfs"):
        storage.check_readable(f"{scheme}://host/recordings")


def test_an_output_that_a_driver_cannot_guard_is_refused_before_any_request():
    Failing.errors = [RuntimeError("no request is expected")]
    with pytest.raises(ConfigError, match=r"failing://bucket/out \(its driver looks first.*--no-"):
        storage.check_conditions("failing://bucket/out")
    assert Failing.errors
