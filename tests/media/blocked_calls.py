"""Makes a real kernel answer as one that lacks a guard, by a filter on the call that asks."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_LANDLOCK_CREATE_RULESET = 444
_PRCTL = {"x86_64": 157, "aarch64": 167}
_PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 38, 39, 22
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def pretend_to_lack(guard: str) -> None:
    """Have this process, and all that it starts, be answered as by a kernel without `guard`."""
    prctl = _PRCTL[platform.machine()]
    program = {
        "landlock": _fail(_LANDLOCK_CREATE_RULESET, errno.ENOSYS),
        "seccomp": _fail(prctl, errno.EINVAL, first_argument=_PR_SET_SECCOMP),
        "no_new_privs": _fail(prctl, errno.EINVAL, first_argument=_PR_GET_NO_NEW_PRIVS),
    }[guard]
    libc = ctypes.CDLL(None, use_errno=True)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    assert libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    sent = Program(len(program) // 8, program)
    assert libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(sent), 0, 0) == 0


def _fail(number: int, error: int, first_argument: int | None = None) -> bytes:
    load, if_equal, give = 0x20, 0x15, 0x06
    argument = (
        [] if first_argument is None else [(load, 0, 0, 16), (if_equal, 0, 1, first_argument)]
    )
    program = [
        (load, 0, 0, 0),
        (if_equal, 0, len(argument) + 1, number),
        *argument,
        (give, 0, 0, _ERRNO | error),
        (give, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *one) for one in program)
