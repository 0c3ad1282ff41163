"""What tests of several packages share: a real S3 protocol over HTTP, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import hypothesis
import pytest
from faulty_proxy import FaultyProxy, faulty_proxy
from ports import free_port, wait_for_port

pytest_plugins = ["pipeline_fixtures"]

# A shell that starts pytest in the background has it ignore Ctrl-C, and all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Ray's workers give way to all else on a machine (niceness 15), and tests would wait for them.
os.environ.setdefault("RAY_worker_niceness", "0")

# How long an example takes says more of the machine, and of who shares it, than of the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of moto's server. AWS_* name it, for this process and those it starts."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for_port(port, server)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", address)
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            patch.setenv("AWS_CONFIG_FILE", "/dev/null")
            patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            patch.delenv("AWS_SESSION_TOKEN", raising=False)
            patch.delenv("AWS_PROFILE", raising=False)
            yield address
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture(scope="session")
def s3_client(s3_server: str):
    """boto3's own client: what the tests themselves use, so that ours is checked by another."""
    return boto3.client("s3", endpoint_url=s3_server)


@pytest.fixture
def bucket(s3_client) -> str:
    """The name of a fresh, empty bucket."""
    name = f"test-{uuid.uuid4().hex[:20]}"
    s3_client.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def filled_bucket(s3_client) -> str:
    """The name of a bucket with more keys than one page of a listing holds: not to be changed.

    1,100 objects videos/00000.mp4 …, of 0 to 6 bytes, and what a console calls a folder.
    """
    name = "test-filled"
    s3_client.create_bucket(Bucket=name)
    s3_client.put_object(Bucket=name, Key="videos/", Body=b"")

    def put(n: int) -> None:
        s3_client.put_object(Bucket=name, Key=f"videos/{n:05}.mp4", Body=b"x" * (n % 7))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, range(1_100)))
    return name


@pytest.fixture
def proxy(s3_server: str, monkeypatch) -> Iterator[FaultyProxy]:
    """Between ah_ray and moto's server, for this test: passes all on until it is told otherwise."""
    with faulty_proxy(s3_server) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.address)
        yield running
