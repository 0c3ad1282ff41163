"""Free ports of this machine, and servers that come up on them."""

from __future__ import annotations

import socket
import subprocess
import time


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen, limit_s: float = 60) -> None:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        assert process.poll() is None, f"the server on port {port} ended with {process.returncode}"
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port} after {limit_s:.0f} s")
