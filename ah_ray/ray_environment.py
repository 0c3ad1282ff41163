"""What has to stand in the environment before Ray is imported, which reads it only then.

Whoever imports Ray calls `prepare` first: cluster.py, and the packages `pipeline` and `training`
in their `__init__`. A job that only submits others calls `offer_token` before that.
"""

from __future__ import annotations

import os
from pathlib import Path

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Its C++ part has advice about constructor arguments at each start; what ends it is raised as
    # an exception all the same.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


def prepare() -> None:
    """Set what is not set, so that Ray is quiet."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def offer_token() -> None:
    """Have Ray ask with the cluster's token, where there is one and no mode is set.

    For clients that submit jobs. A process that joins a cluster takes its mode from the cluster's
    environment: with a token, one that asks for none cancels its actors without a word.
    """
    if has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def has_token() -> bool:
    """Return whether a cluster's token is at hand: named in the environment, or in its file."""
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return True
    try:
        return (Path.home() / ".ray" / "auth_token").is_file()
    except (OSError, RuntimeError):  # no home, or one that may not be looked into
        return False
