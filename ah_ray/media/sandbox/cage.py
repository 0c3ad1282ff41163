"""The cage: what a process that reads recordings may still ask of the kernel.

    enter_cage(may_fork=True)       the warm parent: forks, waits, passes descriptors on
      └─ forbid_forking()           its child, which reads one recording: computes, reads, writes
    enter_cage_for_program(files)   a process that becomes a program, such as ffmpeg

Three guards stand one behind the other. `no_new_privs`: no program gives more rights than there
are. Landlock: no file is opened, no address connected to, no process outside signalled. A seccomp
filter: system calls that are not on a list fail with EPERM. Capabilities are dropped as well, so a
cage holds root too. What is open stays open: descriptors are all that a caged process has, and
its own memory, so start it with an empty environment.

Everything here binds the calling thread and what it starts, and cannot be undone. It needs nothing
but the standard library, and the kernel: Linux 5.13 for Landlock, x86_64 or aarch64 for seccomp.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

from ah_ray.media.sandbox.allowed_calls import (
    COMPUTING,
    FORKING,
    PR_GET_NO_NEW_PRIVS,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_SECCOMP,
    own_process,
    program_calls,
)
from ah_ray.media.sandbox.landlock import enter_domain, landlock_version
from ah_ray.media.sandbox.seccomp_filter import Allowed, build_filter, is_known_machine

_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION = 0x20080522


class Guard(StrEnum):
    """A part of the cage that a kernel, a container runtime or an architecture may lack."""

    NO_NEW_PRIVS = "no_new_privs"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"


@cache
def missing_guards() -> tuple[Guard, ...]:
    """Return the guards that are not to be had here. This asks only, and cages nobody."""
    missing = []
    if _libc().prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0:
        missing.append(Guard.NO_NEW_PRIVS)
    if landlock_version() < 1:
        missing.append(Guard.LANDLOCK)
    if not (is_known_machine(platform.machine()) and _takes_filters()):
        missing.append(Guard.SECCOMP)
    return tuple(missing)


def describe_missing(guards: Sequence[Guard]) -> str:
    """Return a sentence about guards that this machine lacks, and what would bring them."""
    names = ", ".join(_NAMES[guard] for guard in guards)
    return (
        f"The cage of the decoder lacks {names} on this machine: a recording made to take the "
        "decoder over could reach more than it should. Use Linux 5.13 or newer on x86_64 or "
        "aarch64, with Landlock enabled and a container runtime that allows its system calls; "
        "--require-cage decodes nothing without."
    )


_NAMES = {
    Guard.NO_NEW_PRIVS: "no_new_privs",
    Guard.LANDLOCK: "Landlock",
    Guard.SECCOMP: "seccomp filters",
}


def enter_cage(*, may_fork: bool) -> None:
    """Cage this process, which has one thread and holds every descriptor that it needs.

    From now on it opens nothing: import, and use once, all that loads parts of itself lazily. With
    `may_fork` it may fork, wait for and signal the processes it forked, and exchange messages and
    descriptors over sockets that it has; without, it is caged as `forbid_forking` leaves a child.
    A guard that `missing_guards` names is passed over.

    Raise RuntimeError if there is more than one thread, and OSError if the kernel refuses.
    """
    _give_up_rights()
    if Guard.LANDLOCK not in missing_guards():
        enter_domain()
    if may_fork:
        _allow_only((*COMPUTING, *FORKING))
    else:
        forbid_forking()


def forbid_forking() -> None:
    """Leave a forked child of a caged process nothing but computing, reading and writing.

    It starts no process and no thread, signals nobody but itself (so that it can abort), waits for
    nobody, sends and receives no message, and changes no limit. Set its limits, and what becomes
    of it when its parent dies, before.
    """
    _allow_only((*COMPUTING, *own_process()))


def enter_cage_for_program(readable: Iterable[Path]) -> None:
    """Cage this process, which has one thread, before it becomes a program by `execve`.

    `readable` are the program, its shared libraries and their loader: nothing else is opened or
    executed, and these are not written. The program may start threads, but no process. Only with
    Landlock is the choice of files enforced; without it, files that this user may read can be read,
    and no more. Raise as `enter_cage` does.
    """
    _give_up_rights()
    if Guard.LANDLOCK not in missing_guards():
        enter_domain(readable)
    _allow_only(program_calls())


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    `parent` is that process's id, as it knows it itself: if it has ended already, so does this one.
    """
    _check(_libc().prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
    if os.getppid() != parent:
        os._exit(1)


def _give_up_rights() -> None:
    """Check that there is one thread; give up capabilities, and the means to get any."""
    n_threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    if n_threads != 1:
        raise RuntimeError(
            f"a cage binds one thread and this process has {n_threads}: enter it before threads "
            "are started, with OPENBLAS_NUM_THREADS=1 in the environment"
        )
    if Guard.NO_NEW_PRIVS not in missing_guards():
        _check(_libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc().capset(header, nothing))


def _allow_only(allowed: Sequence[str | Allowed]) -> None:
    """Add a seccomp filter; where there are several, a call needs the leave of all."""
    if Guard.SECCOMP in missing_guards():
        return
    program = build_filter(allowed, platform.machine())

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    sent = Program(len(program) // 8, program)
    _check(_libc().prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(sent), 0, 0))


def _takes_filters() -> bool:
    """Return whether seccomp filters are there: then a missing program is a bad address."""
    answer = _libc().prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, None, 0, 0)
    return answer < 0 and ctypes.get_errno() == errno.EFAULT


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
