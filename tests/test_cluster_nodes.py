"""Waiting for the nodes of a cluster that is being started."""

from __future__ import annotations

import pytest
import ray
from ports import free_port

from ah_ray.cluster.nodes import wait_for_nodes
from ah_ray.errors import ConfigError


def test_a_head_that_never_answers(monkeypatch):
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match=f"the head of the cluster, {address}, does not answer"):
        wait_for_nodes(1, limit_s=0.1)


def test_nodes_that_join(ray_session, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
    wait_for_nodes(1)
    with pytest.raises(ConfigError, match=r"joined within 0 s: 1 of 2; nodes must reach each"):
        wait_for_nodes(2, limit_s=0.1)
