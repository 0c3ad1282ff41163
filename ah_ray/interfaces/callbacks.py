"""Types of the functions that callers pass in to follow long work."""

from __future__ import annotations

from collections.abc import Callable

MessageCallback = Callable[[str], None]
"""Receives one line of text for the user, such as which model is loaded and at what rate."""

BytesCallback = Callable[[int], None]
"""Receives the number of bytes that were written since the last call."""


def ignore_message(text: str) -> None:
    """Do nothing: the `MessageCallback` of callers that show no messages."""


def ignore_bytes(n_bytes: int) -> None:
    """Do nothing: the `BytesCallback` of callers that show no progress."""
