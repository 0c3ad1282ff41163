"""Azure and Google over HTTP, from servers that fail: what is retried, and what is reported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient
from faulty_proxy import FaultyProxy, faulty_proxy
from store_servers import AZURE_ACCOUNT

from ah_ray import storage
from ah_ray.errors import (
    ConfigError,
    ObjectChanged,
    ObjectDenied,
    ObjectMissing,
    PreconditionFailed,
    StorageError,
)
from ah_ray.storage import join, retry

NO_CREDENTIALS = {
    "az": ("az://box@nobody.blob.core.windows.net/x", "run `az login`, or set AZURE_STORAGE"),
    "gs": ("gs://nobody-has-this/x", "run `gcloud auth application-default login`, or set GOOGLE"),
}


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.servers) for name in ("az", "gs")])
def cloud(request, make_bucket, monkeypatch) -> Iterator[tuple[str, FaultyProxy]]:
    """The URI of a folder, and the proxy between it and its server."""
    folder = join(make_bucket({"az": "azurite", "gs": "fake-gcs"}[request.param]), "folder")
    setting = {"az": "AZURE_STORAGE_CONNECTION_STRING", "gs": "STORAGE_EMULATOR_HOST"}
    given = os.environ[setting[request.param]]
    upstream = given if request.param == "gs" else given.split("BlobEndpoint=")[1].strip(";")
    upstream = upstream.removesuffix(f"/{AZURE_ACCOUNT}")
    with faulty_proxy(upstream) as proxy:
        monkeypatch.setenv(setting[request.param], given.replace(upstream, proxy.address))
        yield folder, proxy


@pytest.mark.parametrize("fault", [503, 429, "reset", "short"])
def test_faults_that_may_pass_are_retried(cloud, fault, tmp_path):
    folder, proxy = cloud
    uri = join(folder, "a.mp4")
    storage.write_whole(uri, b"0123456789")
    found = storage.stat(uri)
    for read in (
        lambda: storage.read_bytes(uri),
        lambda: storage.read_range(uri, 0, 10, etag=found.etag),
        lambda: next(iter(storage.list_pages(folder)))[0].key.encode(),
    ):
        proxy.fail(2, fault, "GET")
        assert read() in (b"0123456789", b"a.mp4")
    proxy.fail(1, fault, "GET")
    storage.download(uri, tmp_path / "copy", etag=found.etag, size_bytes=10)
    assert (tmp_path / "copy").read_bytes() == b"0123456789"


def test_a_fault_that_does_not_pass_ends_in_time(cloud):
    folder, proxy = cloud
    proxy.rule = lambda *_: 503
    with retry.patience(retry.HASTY), pytest.raises(StorageError, match=r"failed \d times in"):
        storage.read_bytes(join(folder, "a.mp4"))


def test_a_write_whose_response_was_lost_is_recognised(cloud):
    folder, proxy = cloud
    uri = join(folder, "lease.json")
    method = "PUT" if uri.startswith("az:") else "POST"
    proxy.fail(1, "lost", method)
    etag = storage.create_exclusive(uri, b"mine")
    assert storage.read_versioned(uri) == (b"mine", etag)
    proxy.fail(1, "lost", method)
    etag = storage.replace_if(uri, b"mine again", etag)
    assert storage.read_versioned(uri) == (b"mine again", etag)
    proxy.fail(1, "lost", method)
    with pytest.raises(PreconditionFailed, match=r"lease\.json"):
        storage.create_exclusive(uri, b"of another")


def test_a_recording_that_changes_while_it_is_read(cloud):
    folder, _ = cloud
    uri = join(folder, "a.mp4")
    storage.write_whole(uri, b"first version")
    file = storage.open_read(uri)
    etag = storage.stat(uri).etag
    storage.write_whole(uri, b"other version")
    with pytest.raises(ObjectChanged, match=r"a\.mp4: it is no longer the object"):
        file.read()
    with pytest.raises(ObjectChanged, match=r"a\.mp4"):
        storage.read_range(uri, 0, 5, etag=etag)
    assert storage.read_range(uri, 0, 5) == b"other"


def test_a_large_file_is_written_in_blocks_and_read_in_ranges(cloud, tmp_path, monkeypatch):
    folder, _ = cloud
    if folder.startswith("az:"):
        monkeypatch.setattr("ah_ray.storage.azure.client._SINGLE_PUT_BYTES", 1 << 20)
        monkeypatch.setattr("ah_ray.storage.azure.client._BLOCK_BYTES", 1 << 20)
    content = bytes(range(256)) * 4096 * 9 + b"odd end"
    (tmp_path / "file").write_bytes(content)
    storage.replace_file(join(folder, "large"), tmp_path / "file", None)
    found = storage.stat(join(folder, "large"))
    storage.download(found.uri, tmp_path / "copy", etag=found.etag, size_bytes=len(content))
    assert (tmp_path / "copy").read_bytes() == content
    with pytest.raises(PreconditionFailed):
        storage.replace_file(found.uri, tmp_path / "file", None)


def test_keys_that_drivers_lose_and_more_of_them_than_a_page_holds(cloud, monkeypatch):
    folder, _ = cloud
    package = {"az": "azure", "gs": "google"}[folder.partition(":")[0]]
    monkeypatch.setattr(f"ah_ray.storage.{package}.store._PAGE", 50)
    keys = {f"many/{n:03}.mp4" for n in range(110)} | {"a//b.mp4", "/lead.mp4", "z/%2F?#.mp4"}
    storage.write_whole(join(folder, "console's folder/"), b"")
    for key in sorted(keys):
        storage.write_whole(f"{folder}/{key}", b"x")
    pages = list(storage.list_pages(folder))
    assert {entry.key for page in pages for entry in page} == keys
    assert len(pages) == 3
    storage.remove([f"{folder}/{key}" for key in keys])
    with pytest.raises(ObjectMissing):
        [entry for page in storage.list_pages(join(folder, "many")) for entry in page]


@pytest.mark.servers
def test_an_archived_blob_is_denied_with_what_brings_it_back(make_bucket):
    container = make_bucket("azurite")
    uri = join(container, "a.mp4")
    storage.write_whole(uri, b"content")
    service = BlobServiceClient.from_connection_string(
        os.environ["AZURE_STORAGE_CONNECTION_STRING"]
    )
    blob = service.get_blob_client(container.removeprefix("az://"), "a.mp4")
    blob.set_standard_blob_tier("Archive")
    with pytest.raises(ObjectDenied, match=r"a\.mp4: it is archived; bring it back with `az stor"):
        storage.read_range(uri, 0, 7, etag=storage.stat(uri).etag)


@pytest.mark.servers
def test_a_name_that_azure_does_not_have_is_refused_with_the_name(make_bucket):
    container = make_bucket("azurite")
    for key in ("back\\slash.mp4", "a/../b.mp4", "./b.mp4"):
        with pytest.raises(ObjectMissing, match=r"Azure has no such name.*rename the recording"):
            storage.write_whole(f"{container}/{key}", b"x")


@pytest.mark.parametrize("scheme", ["az", "gs"])
def test_missing_credentials_are_one_sentence(scheme, monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("AZURE_", "GOOGLE_", "STORAGE_", "CLOUDSDK")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # asks nobody
    uri, advice = NO_CREDENTIALS[scheme]
    with pytest.raises(ConfigError, match=rf"{uri} cannot be read: .*no credentials.*{advice}"):
        storage.check_readable(uri)


def test_a_container_without_an_account_is_one_sentence(monkeypatch):
    for name in list(os.environ):
        if name.startswith("AZURE_"):
            monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match="no storage account is named; set AZURE_STORAGE_ACCOUNT"):
        storage.check_readable("az://box/x")


@pytest.mark.parametrize(("uri", "extra"), [("az://box/x", "azure"), ("gs://box/x", "gcs")])
def test_a_missing_package_is_one_sentence(uri, extra, monkeypatch):
    missing = {"azure": "azure.core", "gcs": "google.cloud.storage"}[extra]
    monkeypatch.setitem(sys.modules, missing, None)
    for name in list(sys.modules):
        if name.startswith(("ah_ray.storage.azure", "ah_ray.storage.google")):
            monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigError, match=rf"is missing: pip install 'ah-ray\[{extra}\]'"):
        storage.check_readable(uri)
