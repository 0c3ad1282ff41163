"""A RAY_ADDRESS that is dead or wrong is one sentence within seconds."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ports import free_port

from ah_ray import cluster
from ah_ray.cluster import _describe_versions, _find_unwritable_folder, address
from ah_ray.cluster.address import check_address
from ah_ray.errors import ConfigError


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://head:8265", "is the address of a dashboard.*give HOST:6379"),
        ("head", "is no address of a cluster; give HOST:6379, or auto"),
        ("head:port", "is no address of a cluster"),
        ("nowhere.invalid:6379", "nothing answers there"),
        ("127.0.0.1:99999", "nothing answers there"),
    ],
)
def test_a_wrong_address(address, message):
    began = time.monotonic()
    with pytest.raises(ConfigError, match=message):
        check_address(address)
    assert time.monotonic() - began < 30


def test_a_dead_address_ends_a_run(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match=r"nothing answers there .*or unset RAY_ADDRESS"):
        cluster.connected().__enter__()


def test_what_answers_is_no_cluster(monkeypatch):
    monkeypatch.setattr(address, "LIMIT_S", 2.0)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        with pytest.raises(ConfigError, match="what answers there is no head of a Ray cluster"):
            check_address(f"127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ConfigError, match="is no head of a Ray cluster"),
    ):
        check_address(f"127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize("address", ["auto", "local", "ray://head:10001"])
def test_what_is_left_to_ray(address):
    check_address(address)


def test_both_versions_are_named():
    said = (
        "Version mismatch: The cluster was started with: Ray: 2.59.0 Python: 3.12.1 "
        "This process on node 10.0.0.1 was started with: Ray: 2.60.0 Python: 3.11.7"
    )
    told = _describe_versions(cluster._VERSIONS.findall(said))
    assert (
        told == "it runs Ray 2.59.0 on Python 3.12.1, and this process Ray 2.60.0 on Python 3.11.7"
    )


def test_a_folder_that_ray_may_not_write_to_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert _find_unwritable_folder() is None
    (tmp_path / "ray").mkdir()
    monkeypatch.setattr("ah_ray.cluster.os.access", lambda *_: False)
    assert _find_unwritable_folder() == tmp_path / "ray"
