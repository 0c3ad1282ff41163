"""The caller's side of the decoding process: start it, hand recordings over, check its answers.

A process that decodes has one warm parent (`caged.server`), started with the first recording, and
for each recording a child that the parent forks. The child may have been taken over by the file it
reads, so no length, time or shape in its messages is trusted. A message that does not fit the
request ends the child, and counts as damage of that recording.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, BinaryIO

import numpy as np

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, Interrupted, VideoError
from ah_ray.media.messages import LENGTH, MOST_HEADER_BYTES, REPORT
from ah_ray.media.sandbox.child_process import timeout_error

_START_S = 60.0
_END_S = 10.0
_LAST_MOMENT_S = 2.0
"""How long the end of a killed child, or of its parent, may take to be reported."""

_SOCKET_BYTES = 1 << 20
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1000000",
    "MALLOC_TRIM_THRESHOLD_": "1000000",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""Settings of glibc's allocator for a decoding process. Large blocks, such as the list of packets
of a long recording, go back to the system when they are freed. Huge pages, where the system has
them, spare a child many page faults."""

_START = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from ah_ray.media.caged.server import main; main(int(sys.argv[1]))"
)


class _Server:
    """The warm parent of this process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            keep = {name: os.environ[name] for name in _KEPT if name in os.environ}
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), *sys.path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if "AH_RAY_DECODER_TRACEBACKS" in keep else subprocess.DEVNULL,
                env={
                    "LC_ALL": "C.UTF-8",
                    **ALLOCATOR,
                    "OPENBLAS_NUM_THREADS": "1",
                    **keep,
                },
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._control = ours
        ours.settimeout(_START_S)
        try:
            if ours.recv(1) != b"\0":
                raise Interrupted("the decoding process ended while it started")
        except TimeoutError:
            self.close()
            raise Interrupted(f"the decoding process did not start in {_START_S:.0f} s") from None
        ours.settimeout(None)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_for_end(self) -> None:
        """Wait a moment for a parent that is ending: its sockets close before it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_MOMENT_S)

    def request(self, recording: int, talk: socket.socket, report: socket.socket) -> None:
        socket.send_fds(self._control, [b"\0"], [recording, talk.fileno(), report.fileno()])

    def close(self) -> None:
        """End the parent and all its children."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
            return
        self._process.kill()
        self._process.wait()


_KEPT = ("LD_LIBRARY_PATH", "AH_RAY_DECODER_TRACEBACKS")
_lock = threading.Lock()
_servers: dict[int, _Server] = {}
"""By process id: a forked process does not share its parent's."""


def _server() -> _Server:
    server = _servers.get(os.getpid())
    if server is None or not server.is_alive:
        _servers.clear()
        server = _servers[os.getpid()] = _Server()
    return server


class DecodeProcess:
    """A child that reads one recording. Leaving `with` ends it, wherever it is.

    Args:
        recording: The recording, open for reading.
        plan: What is wanted of it (`caged.work`).
        limits: What it may cost.
        deadline: When it must be done, by `time.monotonic`.
    """

    def __init__(
        self, recording: BinaryIO, plan: dict[str, Any], *, limits: Limits, deadline: float
    ) -> None:
        self.cpu_s = 0.0
        self._limits, self._deadline = limits, deadline
        self._process: int | None = None
        try:
            self._ask(recording)
        except (OSError, Interrupted):  # the parent has just died: it is started once more
            with _lock:
                if (server := _servers.get(os.getpid())) is not None:
                    server.wait_for_end()
            self._ask(recording)
        seconds = max(1, int(deadline - time.monotonic()) + 1)
        content = json.dumps(
            {
                **plan,
                "limits": limits.model_dump(),
                "cpu_s": seconds,
            }
        ).encode()
        self._send(LENGTH.pack(len(content)) + content)

    def _ask(self, recording: BinaryIO) -> None:
        """Have the warm parent fork a child for the recording."""
        self._talk, talk = socket.socketpair()
        self._report, report = socket.socketpair()
        for one in (self._talk, talk):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        self._talk.setblocking(False)
        self._report.setblocking(False)
        with talk, report, _lock:
            _server().request(recording.fileno(), talk, report)
        try:
            self._learn_process(self._deadline)
        except BaseException:
            self._talk.close()
            self._report.close()
            raise

    def __enter__(self) -> DecodeProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._talk.close()
        if self._process is None:
            with contextlib.suppress(OSError, VideoError, Interrupted):
                self._learn_process(time.monotonic() + _END_S)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
            with contextlib.suppress(OSError, VideoError):
                self._wait(time.monotonic() + _END_S)
            os.close(self._process)
        self._report.close()

    def message(self) -> dict[str, Any] | None:
        """Return the next header; None when the child has ended well.

        Raises:
            VideoError: It failed, was too slow, crashed, or what it sent is no message.
            Interrupted: Something from outside ended it.
        """
        prefix = bytearray(LENGTH.size)
        if not self._fill(memoryview(prefix), may_end=True):
            self._check_exit()
            return None
        (n_bytes,) = LENGTH.unpack(prefix)
        if n_bytes > MOST_HEADER_BYTES:
            raise broken_promise_error()
        try:
            header = json.loads(self._read(n_bytes))
        except (ValueError, RecursionError):
            raise broken_promise_error() from None
        if not isinstance(header, dict):
            raise broken_promise_error()
        return header

    def array(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Return the array that follows a header; its shape was checked by the caller."""
        found: np.ndarray = np.empty(shape, dtype)
        if found.nbytes:
            self._fill(found.data.cast("B"))
        return found

    def extend(self, seconds: float) -> None:
        """Move the deadline, for time in which the caller kept the child waiting."""
        self._deadline += seconds

    def _read(self, n_bytes: int) -> bytearray:
        content = bytearray(n_bytes)
        self._fill(memoryview(content))
        return content

    def _fill(self, target: memoryview, *, may_end: bool = False) -> bool:
        filled = 0
        while filled < len(target):
            try:
                n_read = self._talk.recv_into(target[filled:])
            except BlockingIOError:
                _await(self._talk, select.POLLIN, self._deadline)
                continue
            except ConnectionResetError:
                n_read = 0
            if not n_read:
                if may_end and not filled:
                    return False
                self._check_exit()
                raise broken_promise_error()
            filled += n_read
        return True

    def _send(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[self._talk.send(rest) :]
            except BlockingIOError:
                _await(self._talk, select.POLLOUT, self._deadline)
            except OSError:  # it is gone: what it has to say is read next
                return

    def _learn_process(self, deadline: float) -> None:
        """Receive the child's process descriptor, which the parent sends once it has forked."""
        if self._process is not None:
            return
        _await(self._report, select.POLLIN, deadline)
        message, descriptors, *_ = socket.recv_fds(self._report, 1, 1)
        if not message or not descriptors:
            raise Interrupted("the decoding process was ended from outside")
        self._process = descriptors[0]

    def _check_exit(self) -> None:
        """Raise what the child's end means, if it did not end well."""
        self._learn_process(self._deadline)
        status = self._wait(self._deadline)
        if status is None:
            raise Interrupted("the decoding process was ended from outside")
        if status == -signal.SIGXCPU:
            raise timeout_error()
        if -status in _FROM_OUTSIDE:
            raise Interrupted(f"decoding was ended from outside, by signal {-status}")
        if status < 0:
            raise VideoError(ErrorKind.DECODE, f"the decoder was ended by signal {-status}")
        if status:
            raise broken_promise_error()

    def _wait(self, deadline: float) -> int | None:
        """Return the child's exit status; None if its parent died.

        Raises:
            VideoError: `timeout` at the deadline: it is still there.
        """
        content = b""
        while len(content) < REPORT.size:
            _await(self._report, select.POLLIN, deadline)
            try:
                part = self._report.recv(REPORT.size - len(content))
            except OSError:
                return None
            if not part:
                return None
            content += part
        status: int
        status, self.cpu_s = REPORT.unpack(content)
        return status


def _await(connection: socket.socket, events: int, deadline: float) -> None:
    """Wait until a connection is ready. Raise VideoError (`timeout`) at the deadline."""
    poll = select.poll()
    poll.register(connection, events)
    left_s = deadline - time.monotonic()
    if not poll.poll(max(0.0, left_s) * 1000) or left_s <= 0:
        raise timeout_error()


def broken_promise_error() -> VideoError:
    """Return the error for a child that sends what was not asked for."""
    return VideoError(ErrorKind.DECODE, "the decoder failed on it: its structure is damaged")


def check_number(value: Any, least: float, most: float) -> Any:
    """Return a number of a message.

    Raises:
        VideoError: It is not a number, or not between these two.
    """
    if type(value) not in (int, float) or not least <= value <= most:
        raise broken_promise_error()
    return value
