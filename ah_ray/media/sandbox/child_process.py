"""Run one program to its end, in a process group of its own, and trust nothing that it prints."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ah_ray.errors import ErrorKind, Interrupted, VideoError
from ah_ray.escaping import escape_text

_READ_BYTES = 1 << 16
_LAST_WORDS_BYTES = 1024
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended."""

    exit_status: int  # negative: the signal that ended it
    output: bytes  # all of stdout
    last_words: str  # the end of stderr, as one printable line: for people, not for decisions


def run_child(
    command: Sequence[str],
    *,
    descriptors: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    deadline: float,
    max_output_bytes: int = 0,
) -> Finished:
    """Run a command that inherits these descriptors, under the same numbers, and nothing else.

    `deadline` is of `time.monotonic()`. The whole process group is killed on every way out.
    Raise VideoError (`timeout`) at the deadline, VideoError (`decode`) if stdout gives more than
    `max_output_bytes`, and Interrupted if another process ended it.
    """
    with subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=descriptors,
        env=environment or {},
        start_new_session=True,
    ) as process:
        try:
            output, last_words = _read(process, deadline, max_output_bytes)
            exit_status = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise timeout_error() from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if exit_status == -signal.SIGXCPU:
        raise timeout_error()
    if -exit_status in _FROM_OUTSIDE:
        raise Interrupted(f"a process was ended from outside, by signal {-exit_status}")
    text = escape_text(" ".join(last_words.decode("utf-8", "replace").split()))
    return Finished(exit_status=exit_status, output=output, last_words=text)


def timeout_error() -> VideoError:
    """Return what to raise when a video has used up its time."""
    return VideoError(
        ErrorKind.TIMEOUT,
        "decoding took longer than --timeout-s and --timeout-s-per-mb allow a video of its size",
    )


def _read(
    process: subprocess.Popen[bytes], deadline: float, max_output_bytes: int
) -> tuple[bytes, bytes]:
    """Return all of stdout and the end of stderr, once both are closed."""
    output, last_words = bytearray(), b""
    with selectors.DefaultSelector() as pipes:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipes.register(pipe, selectors.EVENT_READ)
        while pipes.get_map():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise timeout_error()
            for key, _ in pipes.select(left_s):
                chunk = os.read(key.fd, _READ_BYTES)
                if not chunk:
                    pipes.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    last_words = (last_words + chunk)[-_LAST_WORDS_BYTES:]
                else:
                    output += chunk
                    if len(output) > max_output_bytes:
                        raise VideoError(
                            ErrorKind.DECODE, "reading it gave more output than any video gives"
                        )
    return bytes(output), last_words
