"""Which system calls each kind of caged process keeps. Everything that is not here is denied."""

from __future__ import annotations

import fcntl
import os
import signal
import termios

from ah_ray.media.sandbox.seccomp_filter import Allowed, Condition

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_SECCOMP = 1, 15, 22
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 38, 39
_PROT_EXEC = 0x4
_CLONE_NEW = 0x7E020080  # every kind of namespace
_CLONE_THREAD, _CLONE_VM, _CLONE_PTRACE = 0x00010000, 0x00000100, 0x00002000
_ANY_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_AT_EMPTY_PATH = 0x1000
_OF_LIBC = (32, 33)  # real-time signals that libc keeps for itself
_FORK_FLAGS = 0x01300000 | 0xFF  # CHILD_SETTID, CHILD_CLEARTID, PARENT_SETTID; the exit signal

COMPUTING: tuple[str | Allowed, ...] = (
    *("read", "lseek", "write", "pread64", "readv", "writev", "pwrite64", "preadv", "close"),
    *("fstat", "dup", "futex", "munmap", "mremap", "brk", "madvise", "poll", "ppoll"),
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("getrandom", "getrusage", "getpid", "getppid", "gettid", "getcpu"),
    *("sched_getaffinity", "sched_yield", "set_robust_list", "rseq", "exit", "exit_group"),
    Allowed("mmap", (Condition(argument=2, without=_PROT_EXEC),)),
    Allowed("mprotect", (Condition(argument=2, without=_PROT_EXEC),)),
    Allowed(
        "fcntl",  # not F_SETOWN, which has the kernel send signals
        (
            Condition(
                argument=1,
                one_of=(
                    *(fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD),
                    *(fcntl.F_GETFL, fcntl.F_SETFL),
                ),
            ),
        ),
    ),
    Allowed("ioctl", (Condition(argument=1, one_of=(termios.FIOCLEX, termios.FIONCLEX)),)),
)
"""What every caged process may do: compute, and use the descriptors that it has."""

OWN_LIMITS = Condition(argument=0, one_of=(0,))

FORKING: tuple[str | Allowed, ...] = (
    Allowed("clone", (Condition(argument=0, without=0xFFFFFFFF & ~_FORK_FLAGS),)),
    *("wait4", "waitid", "kill", "tgkill", "pidfd_open", "pidfd_send_signal"),
    *("recvmsg", "recvfrom", "sendmsg", "shutdown", "dup2", "dup3"),
    Allowed("sendto", null=(4,)),  # to the other end of a connected socket only
    *("select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait"),
    Allowed("prlimit64", (OWN_LIMITS,)),
    Allowed(
        "prctl",
        (
            Condition(
                argument=0,
                one_of=(
                    *(PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_SECCOMP),
                    *(PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS),
                ),
            ),
        ),
    ),
)
"""What the warm parent may do besides. It includes all that a child needs to cage itself further:
a child's filter can only take away."""

PROGRAM: tuple[str | Allowed, ...] = (
    *("execve", "set_tid_address", "arch_prctl"),
    Allowed(
        "clone",  # threads, and nothing else
        (
            Condition(
                argument=0,
                has_all=_CLONE_THREAD | _CLONE_VM,
                without=_CLONE_NEW | _CLONE_PTRACE,
            ),
        ),
    ),
    Allowed("openat", (Condition(argument=2, without=_ANY_WRITING),)),  # its libraries
    Allowed("newfstatat", (Condition(argument=3, one_of=(_AT_EMPTY_PATH,)),)),  # libc's fstat
    *("mmap", "mprotect"),  # its libraries are mapped to be run
    # Not SIGTERM and the like: that it was ended from outside is then seen by how it ended, and
    # need not be read from what it says.
    Allowed("rt_sigaction", (Condition(argument=0, one_of=(signal.SIGPIPE, *_OF_LIBC)),)),
)
"""What a program may do besides that starts in the cage, in place of the same calls above."""


def own_process() -> tuple[Allowed, ...]:
    """Return what this process may do to itself: abort, name its threads, read its limits."""
    return (
        Allowed("tgkill", (Condition(argument=0, one_of=(os.getpid(),)),)),
        Allowed("prctl", (Condition(argument=0, one_of=(PR_SET_NAME,)),)),
        Allowed("prlimit64", (OWN_LIMITS,), null=(2,)),
    )


def program_calls() -> tuple[str | Allowed, ...]:
    """Return what a process may do that becomes a program, such as ffmpeg."""
    replaced = {_name(one) for one in PROGRAM}
    kept = [one for one in (*COMPUTING, *own_process()) if _name(one) not in replaced]
    return (*PROGRAM, *kept)


def _name(call: str | Allowed) -> str:
    return call if isinstance(call, str) else call.name
