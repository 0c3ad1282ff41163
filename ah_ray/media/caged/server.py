"""The warm parent: it forks a caged child for every recording that it is handed.

It is started once by each process that decodes (`media.decode_process`). It imports and warms all
that decoding needs, enters the cage, and then waits for requests on the socket that it was given.
A request is one message with three descriptors: the recording, the socket on which the child talks
(media.messages), and one on which the parent reports on the child: its process descriptor, and at
the end its exit status and CPU time.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ah_ray.media import messages
from ah_ray.media.messages import REPORT, Failure, receive, write_all
from ah_ray.media.sandbox.av_loading import load_all_of_av
from ah_ray.media.sandbox.cage import enter_cage, forbid_forking
from ah_ray.media.sandbox.resource_limits import limit_resources

_PR_SET_PDEATHSIG = 1

_warm_bytes = 1 << 29
"""Address space that the warm parent has before any recording is read, which is not counted."""

Work = Callable[[int, int, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    report: int


def serve(control: socket.socket, work: Work) -> None:
    """Fork a child for every request until the process that asks is gone.

    Args:
        control: Where requests come from.
        work: What a child does: called with the recording's descriptor, the socket on which it
            talks, and the plan.
    """
    children: dict[int, _Child] = {}  # by process descriptor
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != control.fileno():
                poll.unregister(descriptor)
                _report(descriptor, children.pop(descriptor))
                continue
            message, handed, *_ = socket.recv_fds(control, 1, 3)
            if not message:
                for child in children.values():
                    os.kill(child.pid, signal.SIGKILL)
                return
            if len(handed) == 3:
                descriptor, child = _fork(handed, control, children, work)
                children[descriptor] = child
                poll.register(descriptor, select.POLLIN)


def _fork(
    handed: list[int], control: socket.socket, children: dict[int, _Child], work: Work
) -> tuple[int, _Child]:
    recording, talk, reports = handed
    pid = os.fork()
    if pid == 0:
        try:
            control.close()
            for descriptor, other in children.items():
                os.close(descriptor)
                os.close(other.report)
            os.close(reports)
            _be_child(recording, talk, work)
        finally:
            os._exit(1)
    os.close(recording)
    os.close(talk)
    descriptor = os.pidfd_open(pid)
    # With all of its kind given, no system call is made to find it out: the cage has none of them.
    report = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=reports)
    try:
        socket.send_fds(report, [b"\0"], [descriptor])
    except OSError:  # whoever asked is gone already
        os.kill(pid, signal.SIGKILL)
    return descriptor, _Child(pid, report.detach())


def _report(descriptor: int, child: _Child) -> None:
    _, status, usage = os.wait4(child.pid, 0)
    os.close(descriptor)
    try:
        code = os.waitstatus_to_exitcode(status)
        write_all(child.report, REPORT.pack(code, usage.ru_utime + usage.ru_stime))
    except OSError:
        pass  # nobody waits for it any more
    os.close(child.report)


def _be_child(recording: int, talk: int, work: Work) -> None:
    """Decode one recording, under limits and in the inner cage; does not return."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    status = 1
    gc.enable()
    try:
        plan = receive(talk)
        most_bytes = plan["limits"]["max_memory_bytes"]
        limit_resources(memory_bytes=_warm_bytes + most_bytes, cpu_s=plan["cpu_s"], file_bytes=0)
        forbid_forking()
        try:
            work(recording, talk, plan)
        except Failure as failure:
            reason = {"reason": failure.code, "numbers": failure.numbers}
            messages.send(talk, {"kind": "failed", **reason})
        except MemoryError:
            numbers = {"most": most_bytes}
            messages.send(talk, {"kind": "failed", "reason": "out_of_memory", "numbers": numbers})
        status = 0
    except (EOFError, BrokenPipeError, ConnectionResetError):
        status = 0  # enough was sent: the other end is closed
    except Exception as error:
        _explain(error)
        messages.send(talk, {"kind": "failed", "reason": "internal", "numbers": {}})
    finally:
        os._exit(status)


def _address_space_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _explain(error: Exception) -> None:
    """Write to stderr where an error that nobody foresaw came from, for whoever develops this."""
    if "AH_RAY_DECODER_TRACEBACKS" in os.environ:
        place, lines = error.__traceback__, [repr(error)]
        while place is not None:
            lines.append(f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}")
            place = place.tb_next
        os.write(2, "\n  ".join(lines).encode() + b"\n")


def main(control_descriptor: int, work: Work | None = None) -> None:
    """Run the warm parent: warm up, enter the cage, and serve.

    `work` is what children do; the default is to decode.

    Tests have children do what a file that took one over would have it do.
    """
    from ah_ray.media.caged.warm_up import warm_up
    from ah_ray.media.caged.work import do_work

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=control_descriptor)
    load_all_of_av()
    warm_up()
    gc.collect()
    gc.freeze()
    gc.disable()
    global _warm_bytes
    _warm_bytes = _address_space_bytes()
    enter_cage(may_fork=True)
    os.write(control_descriptor, b"\0")
    serve(control, work or do_work)
