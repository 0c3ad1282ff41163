"""What tests of several packages share: a real S3 protocol over HTTP, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import boto3
import hypothesis
import pytest
from faulty_proxy import FaultyProxy, faulty_proxy
from ports import free_port, run_server

pytest_plugins = ["pipeline_fixtures", "store_servers"]

# A shell that starts pytest in the background has it ignore Ctrl-C, and all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Ray's workers run at niceness 15, and tests would wait for them behind everything else.
os.environ.setdefault("RAY_worker_niceness", "0")

# Without a GPU Triton interprets its kernels. It must know before anything imports it.
if not Path("/proc/driver/nvidia").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")

# How long an example takes says more of the machine, and of who shares it, than of the code.
ANY_MACHINE = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
# The default suite tries the same examples every time, so that only a change can fail it. The
# nightly suite looks for new ones.
hypothesis.settings.register_profile(
    "quick", max_examples=25, derandomize=True, database=None, **ANY_MACHINE
)
hypothesis.settings.register_profile("nightly", max_examples=300, **ANY_MACHINE)
hypothesis.settings.load_profile("quick")  # `--hypothesis-profile nightly` wins


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _keep_together(items)
    _skip_without_gpu(items)


def _keep_together(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that use Ray in one, so that one Ray is enough.

    pytest-xdist splits the tests by these groups, in this order. The tests with Ray, which take
    longest, come first.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if _needs_ray(item) else item.path.stem))
    items.sort(key=lambda item: not _needs_ray(item))


def _needs_ray(item: pytest.Item) -> bool:
    return "ray_session" in getattr(item, "fixturenames", ())


def _skip_without_gpu(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none. torch is asked only if there are such tests."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu:
        return
    import torch

    if not torch.cuda.is_available():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A real disk of one megabyte that nothing else is on."""
    place = tmp_path / "small disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "small", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here: run the tests as root with the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def full_disk(small_disk) -> Path:
    """The same, with nothing left on it."""
    with suppress(OSError), (small_disk / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return small_disk


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of moto's server. AWS_* name it, for this process and those it starts."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    address = f"http://127.0.0.1:{port}"
    with run_server(command, port), pytest.MonkeyPatch.context() as patch:
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
    """A proxy between ah_ray and moto's server, which passes everything on unless the test asks."""
    with faulty_proxy(s3_server) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.address)
        yield running
