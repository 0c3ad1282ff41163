"""A Ray head of its own for a test, in a process that is stopped with all that it started."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from ports import free_port, wait_for_port

BIN = Path(sys.executable).parent
OBJECT_STORE_BYTES = 200 * 1024**2
_FAKE_HEAD = "f" * 51 + "00000"  # by this Ray knows the head among faked nodes


_OTHER_PORTS = ("ray-client-server", "dashboard-agent-listen", "runtime-env-agent")


@dataclass(frozen=True, slots=True)
class Head:
    """What a client needs to know."""

    gcs: str
    dashboard: str
    metrics: str
    environment: dict[str, str]  # for clients: the address, and the token
    pid: int
    folder: Path


@contextmanager
def ray_head(
    *, cpus: float = 2, node_types: Mapping[str, dict] | None = None, **env: str
) -> Iterator[Head]:
    """`ray start --head` with a token, a dashboard, and faked node types that it may bring."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets' names must be short
    gcs_port, dashboard_port, metrics_port = free_port(), free_port(), free_port()
    token = secrets.token_hex(32)
    client = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [
        str(BIN / "ray"), "start", "--head", "--block", f"--port={gcs_port}",
        "--node-ip-address=127.0.0.1", f"--dashboard-port={dashboard_port}",
        f"--num-cpus={cpus}", f"--object-store-memory={OBJECT_STORE_BYTES}",
        f"--metrics-export-port={metrics_port}", f"--temp-dir={folder}", "--disable-usage-stats",
        *(f"--{name}-port={free_port()}" for name in _OTHER_PORTS),
    ]  # fmt: skip
    if node_types is not None:
        config = folder / "autoscaling.json"
        config.write_text(json.dumps(_autoscaling(f"127.0.0.1:{gcs_port}", cpus, node_types)))
        command.append(f"--autoscaling-config={config}")
        env |= {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    with (folder / "head.log").open("w") as log:
        head = subprocess.Popen(
            command,
            env=os.environ | client | env | {"PATH": path},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_port(gcs_port, head)
        wait_for_port(dashboard_port, head)
        address = f"127.0.0.1:{gcs_port}"
        yield Head(
            gcs=address,
            dashboard=f"http://127.0.0.1:{dashboard_port}",
            metrics=f"http://127.0.0.1:{metrics_port}/metrics",
            environment=client | {"RAY_ADDRESS": address},
            pid=head.pid,
            folder=folder,
        )
    finally:
        stop(head)
        shutil.rmtree(folder, ignore_errors=True)


def stop(head: subprocess.Popen) -> None:
    """Ends it and all that it started, by their own process ids."""
    family = psutil.Process(head.pid).children(recursive=True) if head.poll() is None else []
    head.send_signal(signal.SIGTERM)
    try:
        head.wait(timeout=3)  # it would drain its node for half a minute
    except subprocess.TimeoutExpired:
        head.kill()
    _, alive = psutil.wait_procs(family, timeout=5)
    for process in alive:
        process.kill()


def _autoscaling(gcs: str, cpus: float, node_types: Mapping[str, dict]) -> dict:
    """For Ray's provider of faked nodes: raylets of this machine."""
    types = {name: {"node_config": {}, "min_workers": 0, **one} for name, one in node_types.items()}
    for one in types.values():
        one["resources"] = {"object_store_memory": OBJECT_STORE_BYTES} | one["resources"]
    head = {"resources": {"CPU": cpus}, "node_config": {}, "max_workers": 0}
    empty_lists = (
        "head_start_ray_commands", "worker_start_ray_commands", "setup_commands",
        "initialization_commands", "head_setup_commands", "worker_setup_commands",
        "cluster_synced_files", "rsync_exclude", "rsync_filter",
    )  # fmt: skip
    return {
        "cluster_name": "faked",
        "provider": {
            "type": "fake_multinode",
            "head_node_id": _FAKE_HEAD,
            "use_node_id_as_ip": True,
            "gcs_address": gcs,
        },
        "available_node_types": {"ray.head.default": head, **types},
        "head_node_type": "ray.head.default",
        "max_workers": sum(one["max_workers"] for one in types.values()),
        "idle_timeout_minutes": 0.1,
        "upscaling_speed": 1.0,
        "file_mounts_sync_continuously": False,
        **{name: {} for name in ("auth", "docker", "file_mounts")},
        **{name: [] for name in empty_lists},
    }


def until(condition, limit_s: float, what: str):
    """The first true value of `condition()`, asked often."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {limit_s:.0f} s")
