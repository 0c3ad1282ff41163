"""One ffmpeg process under limits, and all its pipes read at once."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, Interrupted, VideoError

_READ_BYTES = 1 << 20
_PIPE_BYTES = 1 << 20
_TRICKLE_BYTES = 1 << 15
_NAP_S = 0.004
"""Waking for every line of the log would cost a tenth of the decoding."""

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C",
    "AV_LOG_FORCE_NOCOLOR": "1",
    "MALLOC_ARENA_MAX": "1",  # one thread decodes; an arena for each of the others is address space
}
"""All that the child is told: no credentials, no proxies."""

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_LEAVE_TAKEN = 255
_LAST_WORDS_BYTES = 1024

_UNDER_LIMITS = 'ulimit -c 0; ulimit -v "$1"; ulimit -S -t "$2"; ulimit -f "$3"; shift 3; exec "$@"'
"""Set in a shell: a Python function between fork and exec may deadlock a threaded parent."""

_BLOCK_BYTES = 512  # what POSIX counts files in


class Child:
    """A process with pipes of our choice, killed with its whole group on leaving `with`.

    `command` receives the descriptor numbers of the extra pipes that the child writes (`outputs`)
    and of the one that it reads (`script`), and returns the arguments. stdout and stderr are
    pipes too. Nothing but pipes is written: a file may be created, but hold no byte, unless
    `max_file_bytes` allows it some.
    """

    def __init__(
        self,
        command: Callable[[dict[str, int]], list[str]],
        *,
        limits: Limits,
        deadline: float,
        outputs: tuple[str, ...] = (),
        script: bytes | None = None,
        max_file_bytes: int = 0,
    ):
        self.cpu_s = 0.0
        self.exit_status: int | None = None  # negative: the signal that ended it
        self._deadline = deadline
        self._selector = selectors.DefaultSelector()
        self._script = memoryview(script or b"")
        theirs: dict[str, int] = {}
        for name in ("stdout", "stderr", *outputs):
            ours, theirs[name] = os.pipe()
            self._selector.register(ours, selectors.EVENT_READ, name)
        with contextlib.suppress(OSError, AttributeError):  # a larger pipe is only faster
            fcntl.fcntl(theirs["stdout"], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        if script is not None:
            theirs["script"], ours = os.pipe()
            os.set_blocking(ours, False)
            self._selector.register(ours, selectors.EVENT_WRITE, "script")
        seconds = max(1, int(deadline - time.monotonic()) + 1)
        allowed = (limits.max_memory_bytes // 1024, seconds, max_file_bytes // _BLOCK_BYTES)
        argv = ["/bin/sh", "-c", _UNDER_LIMITS, "sh", *map(str, allowed)]
        try:
            self._process = subprocess.Popen(
                [*argv, *command(theirs)],
                stdin=subprocess.DEVNULL,
                stdout=theirs["stdout"],
                stderr=theirs["stderr"],
                pass_fds=[fd for name, fd in theirs.items() if not name.startswith("std")],
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        except BaseException:
            self._close_pipes()
            raise
        finally:
            for fd in theirs.values():
                os.close(fd)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self.exit_status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._reap(0)
        self._close_pipes()

    def chunks(self) -> Iterator[tuple[str, bytes]]:
        """(pipe, bytes) as they come, until the child has ended; then `exit_status` is set.

        Raises VideoError (`timeout`) when the deadline has passed, and Interrupted if something
        else than itself or its limits ended the child.
        """
        last_words = b""
        while self._selector.get_map():
            n_read = 0
            for key, _ in self._selector.select(self._seconds_left()):
                if key.data == "script":
                    self._feed(key.fd)
                elif chunk := os.read(key.fd, _READ_BYTES):
                    n_read += len(chunk)
                    if key.data == "stderr":
                        last_words = (last_words + chunk)[-_LAST_WORDS_BYTES:]
                    yield key.data, chunk
                else:
                    self._close(key.fd)
            if n_read < _TRICKLE_BYTES:
                time.sleep(min(_NAP_S, self._seconds_left()))
        while not self._reap(os.WNOHANG):
            time.sleep(min(0.005, self._seconds_left()))
        if self.exit_status == -signal.SIGXCPU:
            raise _timed_out()
        if number := _signal_from_outside(self.exit_status, last_words):
            raise Interrupted(f"ffmpeg was ended from outside, by signal {number}")

    @property
    def met_memory_limit(self) -> bool:
        """True if it ended for want of memory, or of room for the stack of a thread."""
        return self.exit_status in (256 - errno.ENOMEM, 256 - errno.EAGAIN)

    def extend(self, seconds: float) -> float:
        """Moves the deadline, for time that was not the child's; returns the seconds."""
        self._deadline += seconds
        return seconds

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _timed_out()
        return left

    def _feed(self, fd: int) -> None:
        try:
            self._script = self._script[os.write(fd, self._script[: 1 << 16]) :]
        except BrokenPipeError:  # it died early; stderr says why
            self._script = self._script[:0]
        if not self._script:
            self._close(fd)

    def _reap(self, options: int) -> bool:
        pid, status, usage = os.wait4(self._process.pid, options)
        if not pid:
            return False
        self.exit_status = self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        return True

    def _close(self, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)

    def _close_pipes(self) -> None:
        for key in list(self._selector.get_map().values()):
            self._close(key.fd)
        self._selector.close()


def _signal_from_outside(exit_status: int, last_words: bytes) -> int | None:
    """SIGKILL ends it at once; of the others it takes leave, in words and with status 255."""
    if -exit_status in _FROM_OUTSIDE:
        return -exit_status
    said = re.search(rb"Exiting normally, received signal (\d+)", last_words)
    return int(said[1]) if exit_status == _LEAVE_TAKEN and said else None


def _timed_out() -> VideoError:
    return VideoError(
        ErrorKind.TIMEOUT,
        "decoding took longer than --timeout-s and --timeout-s-per-mb allow a video of its size",
    )
