"""Filters, run by a small interpreter of BPF: for machines that are not at hand, too."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.media.sandbox.allowed_calls import COMPUTING, FORKING, own_process, program_calls
from ah_ray.media.sandbox.seccomp_filter import NUMBERS, Allowed, Condition, build_filter

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMNS = {"x86_64": 0, "aarch64": 1}
machines = pytest.mark.parametrize("machine", ARCHITECTURES)
words = st.integers(0, 2**64 - 1) | st.integers(0, 64) | st.sampled_from([2**32, 2**32 + 1, 2**63])


def answer(program: bytes, architecture: int, number: int, arguments: list[int]) -> int:
    """What the kernel would answer; only the instructions that filters are made of."""
    arguments = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number - 2**32 if number >= 2**31 else number, architecture, 0,
                       *arguments)  # fmt: skip
    value, place = 0, 0
    while True:
        code, if_true, if_false, constant = struct.unpack_from("=HBBI", program, 8 * place)
        place += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, constant)
        elif code == 0x54:
            value &= constant
        else:
            test = {0x15: value == constant, 0x35: value >= constant, 0x45: value & constant}[code]
            place += if_true if test else if_false


def holds(rule: Allowed, arguments: list[int]) -> bool:
    """The meaning of a rule, said in another way."""
    for condition in rule.conditions:
        low = arguments[condition.argument] % 2**32
        if condition.one_of and low not in condition.one_of:
            return False
        if low & condition.without or low & condition.has_all != condition.has_all:
            return False
    return all(arguments[argument] == 0 for argument in rule.null)


bits = st.integers(0, 2**32 - 1) | st.integers(0, 15)
conditions = st.builds(
    Condition,
    argument=st.integers(0, 5),
    one_of=st.lists(st.integers(0, 6), max_size=4).map(tuple),
    without=bits,
    has_all=bits | st.just(0),
)
rules = st.builds(
    Allowed,
    st.sampled_from(sorted(NUMBERS)),
    st.lists(conditions, max_size=2).map(tuple),
    st.lists(st.integers(0, 5), max_size=2).map(tuple),
)


@machines
@given(data=st.data())
def test_a_filter_allows_what_its_rules_say_and_nothing_else(machine, data):
    found = data.draw(st.lists(rules, max_size=5, unique_by=lambda rule: rule.name))
    program = build_filter(found, machine)
    numbers = {NUMBERS[rule.name][COLUMNS[machine]]: rule for rule in found}
    number = data.draw(st.sampled_from(sorted(filter(None, numbers)) or [0]) | st.integers(0, 600))
    arguments = data.draw(st.lists(words, min_size=6, max_size=6))
    allowed = number in numbers and holds(numbers[number], arguments)
    refusal = ENOSYS if number == 435 and number not in numbers else EPERM
    expected = ALLOW if allowed else refusal
    assert answer(program, ARCHITECTURES[machine], number, arguments) == expected


@machines
@given(number=st.integers(0, 2**32 - 1), other=st.integers(0, 2**32 - 1))
def test_every_call_of_another_numbering_is_denied(machine, number, other):
    program = build_filter([*COMPUTING, *FORKING], machine)
    if other != ARCHITECTURES[machine]:
        assert answer(program, other, number, []) == EPERM
    x32 = number | 0x40000000
    assert answer(program, ARCHITECTURES[machine], x32, []) == EPERM


DENIED = {  # x86_64, aarch64
    "socket": (41, 198), "connect": (42, 203), "ptrace": (101, 117), "unshare": (272, 97),
    "setns": (308, 268), "mount": (165, 40), "memfd_create": (319, 279), "bpf": (321, 280),
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "setsid": (112, 157),
    "fchmodat": (268, 53), "unlinkat": (263, 35), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "openat2": (437, 437), "execveat": (322, 281),
    "kexec_load": (246, 104), "perf_event_open": (298, 241), "setuid": (105, 146),
}  # fmt: skip


@machines
@pytest.mark.parametrize("call", DENIED)
def test_no_kind_of_process_keeps_what_leads_out(machine, call):
    number = DENIED[call][COLUMNS[machine]]
    for kind in ([*COMPUTING, *FORKING], [*COMPUTING, *own_process()], program_calls()):
        assert answer(build_filter(kind, machine), ARCHITECTURES[machine], number, []) == EPERM


@machines
def test_a_child_keeps_no_more_than_its_parent(machine):
    """Filters add up, so what a child needs its parent must have."""
    parent = {NUMBERS[one if isinstance(one, str) else one.name] for one in (*COMPUTING, *FORKING)}
    assert {NUMBERS[one.name] for one in own_process()} <= parent
