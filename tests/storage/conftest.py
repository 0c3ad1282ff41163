"""A folder of each kind of store, so that one test speaks for all that promise the same."""

from __future__ import annotations

import uuid

import pytest
from store_servers import AT_SERVERS


@pytest.fixture(params=["local", "s3", "memory", *AT_SERVERS])
def folder(request, tmp_path, make_bucket) -> str:
    """An empty place to write below, in a local folder, a bucket, and a store known to fsspec."""
    if request.param == "local":
        return str(tmp_path / "folder")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}/folder"
    return f"{make_bucket(request.param)}/folder"
