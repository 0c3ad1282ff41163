"""Wait until a cluster that is just being started has all its nodes: jobs/slurm.sbatch does.

python -m ah_ray.cluster.nodes 3
"""

from __future__ import annotations

import os
import socket
import sys
import time

import ray

from ah_ray.cluster import connected
from ah_ray.errors import ConfigError

LIMIT_S = 300.0
_PAUSE_S = 0.5


def wait_for_nodes(n_nodes: int, limit_s: float = LIMIT_S) -> None:
    """Return when `n_nodes` nodes have joined the cluster at RAY_ADDRESS.

    Raise ConfigError, in one sentence, if that takes longer than `limit_s`.
    """
    until = time.monotonic() + limit_s
    _wait_for_head(os.environ["RAY_ADDRESS"], until, limit_s)
    with connected():
        while (joined := sum(bool(node["Alive"]) for node in ray.nodes())) < n_nodes:
            if time.monotonic() > until:
                raise ConfigError(
                    f"nodes of the cluster that joined within {limit_s:.0f} s: {joined} of "
                    f"{n_nodes}; nodes must reach each other on all ports; see the lines above, too"
                )
            time.sleep(_PAUSE_S)


def _wait_for_head(address: str, until: float, limit_s: float) -> None:
    host, port = address.rsplit(":", 1)
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() > until:
                raise ConfigError(
                    f"the head of the cluster, {address}, does not answer within {limit_s:.0f} s "
                    f"({error}); see the lines above"
                ) from None
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    try:
        wait_for_nodes(int(sys.argv[1]))
    except ConfigError as wrong:
        sys.exit(f"error: {wrong}")
