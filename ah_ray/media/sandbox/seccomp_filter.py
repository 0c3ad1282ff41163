"""Seccomp filters: lists of allowed system calls, assembled into classic BPF. Pure.

A filter allows what its rules name and answers EPERM to every other call, so a library that can do
without the call goes on. The kernel takes such a program with `prctl(PR_SET_SECCOMP)`; `cage.py`
says which calls a process keeps.
"""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

# number on x86_64, number on aarch64 (None: that architecture has no such call)
NUMBERS: dict[str, tuple[int, int | None]] = {
    "arch_prctl": (158, None),
    "brk": (12, 214), "clock_getres": (229, 114), "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115), "clone": (56, 220), "clone3": (435, 435), "close": (3, 57),
    "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21), "epoll_pwait": (281, 22), "epoll_wait": (232, None),
    "execve": (59, 221), "exit": (60, 93), "exit_group": (231, 94), "fcntl": (72, 25),
    "fstat": (5, 80), "futex": (202, 98), "getcpu": (309, 168),
    "getpid": (39, 172), "getppid": (110, 173), "getrandom": (318, 278), "getrusage": (98, 165),
    "gettid": (186, 178), "gettimeofday": (96, 169), "ioctl": (16, 29), "kill": (62, 129),
    "lseek": (8, 62), "madvise": (28, 233), "mmap": (9, 222), "mprotect": (10, 226),
    "mremap": (25, 216), "munmap": (11, 215), "nanosleep": (35, 101), "newfstatat": (262, 79),
    "openat": (257, 56), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "poll": (7, None), "ppoll": (271, 73), "prctl": (157, 167), "pread64": (17, 67),
    "preadv": (295, 69), "prlimit64": (302, 261), "pselect6": (270, 72), "pwrite64": (18, 68),
    "read": (0, 63), "readv": (19, 65), "recvfrom": (45, 207), "recvmsg": (47, 212),
    "restart_syscall": (219, 128), "rseq": (334, 293), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124), "select": (23, None), "sendmsg": (46, 211), "sendto": (44, 206),
    "set_robust_list": (273, 99), "set_tid_address": (218, 96), "shutdown": (48, 210),
    "sigaltstack": (131, 132), "tgkill": (234, 131), "time": (201, None), "wait4": (61, 260),
    "waitid": (247, 95), "write": (1, 64), "writev": (20, 66),
}  # fmt: skip

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000  # x86_64's other set of calls, with numbers of its own

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_DENY = _ERRNO | errno.EPERM
_NOT_THERE = _ERRNO | errno.ENOSYS

_LOAD, _RETURN = 0x20, 0x06
_IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _AND = 0x15, 0x35, 0x45, 0x54
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant
_DENIAL: Instruction = (_RETURN, 0, 0, _DENY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What the low 32 bits of one argument must be; the kernel ignores the rest of such arguments.

    `one_of`: equal to one of these. `without`: none of these bits. `has_all`: all of these bits.
    """

    argument: int
    one_of: tuple[int, ...] = ()
    without: int = 0
    has_all: int = 0


@dataclass(frozen=True, slots=True)
class Allowed:
    """A system call that a filter lets through where all conditions hold.

    `null` names arguments that are pointers and must be null: all 64 bits are compared.
    """

    name: str
    conditions: tuple[Condition, ...] = ()
    null: tuple[int, ...] = ()


def is_known_machine(machine: str) -> bool:
    """Return whether filters can be built for a `platform.machine()`, in 64-bit processes."""
    return machine in _AUDIT_ARCH and sys.byteorder == "little" and sys.maxsize > 2**32


def build_filter(allowed: Iterable[str | Allowed], machine: str) -> bytes:
    """Return the BPF program that allows these calls on `machine` and denies all others.

    Every call by another architecture's numbers is denied. `clone3` is answered with
    ENOSYS, because its flags lie in memory that a filter cannot see: libc then uses `clone`.
    Raise KeyError for a call whose number is not in the table.
    """
    column = list(_AUDIT_ARCH).index(machine)
    program = _assemble(
        [
            (_LOAD, 0, 0, _ARCH_AT),
            (_IF_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
            _DENIAL,
            (_LOAD, 0, 0, _NUMBER_AT),
            (_IF_AT_LEAST, 0, 1, _X32_BIT),
            _DENIAL,
        ]
    )
    for call in allowed:
        rule = call if isinstance(call, Allowed) else Allowed(call)
        number = NUMBERS[rule.name][column]
        if number is not None:
            program += _block(number, rule)
    clone3 = NUMBERS["clone3"][column]
    assert clone3 is not None
    return program + _assemble([(_IF_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _NOT_THERE), _DENIAL])


def _assemble(instructions: Iterable[Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


@cache
def _block(number: int, rule: Allowed) -> bytes:
    """Return the instructions of one call: they end the filter if the number is this one.

    They are kept: a child is caged with those that its warm parent assembled for itself.

    A block may overwrite the loaded number, since every way through it returns.
    """
    checks: list[Instruction] = []
    for condition in rule.conditions:
        low = (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * condition.argument)
        if condition.one_of:
            n_values = len(condition.one_of)
            tests = [(_IF_EQUAL, n_values - n, 0, one) for n, one in enumerate(condition.one_of)]
            checks += [low, *tests, _DENIAL]
        if condition.without:
            checks += [low, (_IF_ANY_BIT, 0, 1, condition.without), _DENIAL]
        if condition.has_all:
            wanted = condition.has_all
            checks += [low, (_AND, 0, 0, wanted), (_IF_EQUAL, 1, 0, wanted), _DENIAL]
    for argument in rule.null:
        for offset in (0, 4):
            half = (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument + offset)
            checks += [half, (_IF_EQUAL, 1, 0, 0), _DENIAL]
    end = (_RETURN, 0, 0, _ALLOW)
    return _assemble([(_IF_EQUAL, 0, len(checks) + 1, number), *checks, end])
