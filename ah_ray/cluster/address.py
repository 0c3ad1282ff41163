"""Whether a cluster answers at RAY_ADDRESS, asked within seconds: Ray itself waits for minutes."""

from __future__ import annotations

import os
import re
import socket

from ah_ray.errors import ConfigError
from ah_ray.escaping import escape_text

LIMIT_S = 10.0
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>\d{1,5})")
_OF_JOBS = 8265  # where a head's dashboard listens by default


def check_address(address: str) -> None:
    """Raise ConfigError, in one sentence, if no head of a Ray cluster answers at `address`.

    `auto`, `local` and ray:// are left to Ray.
    """
    if address in ("auto", "local") or address.startswith("ray://"):
        return
    if address.startswith(("http://", "https://")):
        raise ConfigError(
            f"RAY_ADDRESS {escape_text(address)} is the address of a dashboard, which is for "
            "`ray job submit` and nightly.py's --address; give HOST:6379, or auto on a machine "
            "of the cluster"
        )
    match = _HOST_PORT.fullmatch(address)
    if match is None:
        raise ConfigError(
            f"RAY_ADDRESS {escape_text(address)} is no address of a cluster; give HOST:6379, or "
            "auto on a machine of the cluster"
        )
    host, port = match["v6"] or match["host"], int(match["port"])
    try:
        socket.create_connection((host, port), timeout=LIMIT_S).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"RAY_ADDRESS {address}: nothing answers there ({error}); start the cluster, check "
            "the address and the firewall, or unset RAY_ADDRESS to score on this machine alone"
        ) from None
    if not os.environ.get("RAY_USE_TLS") and not _speaks_grpc(address):
        also = " (8265 is the dashboard's port)" if port == _OF_JOBS else ""
        raise ConfigError(
            f"RAY_ADDRESS {address}: what answers there is no head of a Ray cluster{also}; its "
            "port is 6379 by default"
        )


def _speaks_grpc(address: str) -> bool:
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=LIMIT_S)
        except grpc.FutureTimeoutError:
            return False
    return True
