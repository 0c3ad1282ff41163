"""Landlock: a domain in which no file is opened but named ones, and no address is connected to."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every architecture
_ASK_VERSION = 1
_RULE_PATH = 1
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights over files that each version knows, from that version on."""
_EXECUTE, _READ_FILE = 1 << 0, 1 << 2
_TCP_RIGHTS, _TCP_SINCE = 0b11, 4  # bind, connect
_SCOPES, _SCOPES_SINCE = 0b11, 6  # abstract Unix sockets, signals


def landlock_version() -> int:
    """Return the version (ABI) of Landlock that this kernel offers, or -1."""
    return _syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)


def enter_domain(executable: Iterable[Path] = ()) -> None:
    """Allow this thread, and what it starts, to open or execute these files only.

    All rights that the kernel's version knows are taken: from version 4 on also TCP, from 6 on
    abstract Unix sockets and signals to processes outside the domain. What is open stays open.
    Raise OSError if the kernel refuses; `no_new_privs` must be set.
    """
    version = landlock_version()
    attributes = (ctypes.c_uint64 * 3)(
        max(mask for since, mask in _FILE_RIGHTS.items() if since <= version),
        _TCP_RIGHTS if version >= _TCP_SINCE else 0,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )
    ruleset = _call_checked(_CREATE_RULESET, attributes, ctypes.sizeof(attributes), 0)
    try:
        for path in executable:
            _allow(ruleset, path)
        _call_checked(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path) -> None:
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _EXECUTE | _READ_FILE
        rule = rights.to_bytes(8, "little") + file.to_bytes(4, "little")
        _call_checked(_ADD_RULE, ruleset, _RULE_PATH, rule, 0)
    finally:
        os.close(file)


def _call_checked(number: int, *arguments: object) -> int:
    answer = _syscall(number, *arguments)
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer


def _syscall(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(libc.syscall(ctypes.c_long(number), *wide))
