"""moto's server with an empty bucket, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ports import free_port, wait_for_port


@contextmanager
def bucket_server() -> Iterator[dict[str, str]]:
    """moto's server with the bucket `study`; what a process needs to know of it."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, server)
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip
        client = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"],
                              aws_access_key_id="test", aws_secret_access_key="test",
                              region_name="us-east-1")  # fmt: skip
        client.create_bucket(Bucket="study")
        yield environment
    finally:
        server.terminate()
        server.wait(timeout=10)
