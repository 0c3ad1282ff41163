"""Runs the ffmpeg program, for what it is best at: cutting clips and drawing videos.

Commands are built with ffmpeg-python, and name no file: recordings and outputs are open files,
which ffmpeg reaches as `fd:` by their numbers. So no name of a recording, folder or output is on a
command line, where it could be taken for an option or a pattern. The program runs in a cage
(`cage.enter_cage_for_program`) in which it opens its own libraries and nothing else.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import ffmpeg

from ah_ray.config import Limits
from ah_ray.config.containers import DEMUXERS, FFMPEG_PROTOCOLS
from ah_ray.errors import ConfigError, ErrorKind, VideoError
from ah_ray.media.ffmpeg.program import ffmpeg_path
from ah_ray.media.sandbox.child_process import run_child
from ah_ray.media.sandbox.isolated_module import isolated_command
from ah_ray.media.sandbox.open_files import open_source

_QUIET = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-filter_threads", "1",
          "-max_error_rate", "1")  # fmt: skip
_LAUNCHER = "ah_ray.media.sandbox.program_launcher"
_LOADER_CACHE = Path("/etc/ld.so.cache")
_TRACE_TIMEOUT_S = 60
_LAST_WORDS = 300

Stream = Any
"""A stream of ffmpeg-python, which has no types."""


def recording_input(
    recording: BinaryIO,
    limits: Limits,
    *,
    start_s: float | None = None,
    seconds: float | None = None,
    **options: Any,
) -> Stream:
    """Return an open recording as an input of ffmpeg-python, decoded by one thread.

    With `start_s` and `seconds`, only that stretch of it, whose beginning then is time 0. Further
    options are ffmpeg's, by name.
    """
    os.lseek(recording.fileno(), 0, os.SEEK_SET)  # a buffered file may only think it is there
    stretch = {"ss": start_s, "t": seconds}
    return ffmpeg.input(
        "fd:",
        fd=recording.fileno(),
        protocol_whitelist=FFMPEG_PROTOCOLS,
        format_whitelist=DEMUXERS,
        threads=1,
        max_pixels=limits.max_pixels,
        **{name: f"{value:.6f}" for name, value in stretch.items() if value is not None},
        **options,
    )


def raw_input(file: BinaryIO, **options: Any) -> Stream:
    """Return an open file of our own as an input of ffmpeg-python; options are ffmpeg's."""
    return ffmpeg.input("fd:", fd=file.fileno(), protocol_whitelist=FFMPEG_PROTOCOLS, **options)


def file_output(*streams: Stream, file: BinaryIO, **options: Any) -> Stream:
    """Return an output of ffmpeg-python into an open file; options are ffmpeg's, by name."""
    return ffmpeg.output(*streams, "fd:", fd=file.fileno(), **options)


def run_ffmpeg(
    *outputs: Stream,
    files: Sequence[BinaryIO],
    limits: Limits,
    deadline: float,
    max_file_bytes: int,
    reread: BinaryIO | None = None,
) -> None:
    """Run ffmpeg until it has written these outputs.

    `files` are all that the outputs and their inputs name; no file may grow past `max_file_bytes`.
    `reread` is an output that ffmpeg reads again when it is written (`movflags="+faststart"`).

    Raise VideoError: `timeout` at the deadline, `refused` if it needs more memory than the limit,
    `decode` if ffmpeg fails otherwise. Raise Interrupted if somebody else ended it.
    """
    command = ffmpeg.merge_outputs(*outputs).global_args(*_QUIET).compile(ffmpeg_path())
    readable = _readable_files(ffmpeg_path())
    cpu_s = max(1, int(deadline - time.monotonic()) + 1)
    limited = (os.getpid(), limits.max_memory_bytes, cpu_s, max_file_bytes, len(readable))
    launched = isolated_command(_LAUNCHER, *map(str, limited), *readable, *command, packages=False)
    with _read_side(reread) as stdin:
        finished = run_child(
            launched,
            descriptors=[file.fileno() for file in files],
            stdin=stdin,
            deadline=deadline,
        )
    if finished.exit_status in (256 - errno.ENOMEM, 256 - errno.EAGAIN):
        raise VideoError(
            ErrorKind.REFUSED,
            f"cutting it needs more memory than --max-memory-bytes {limits.max_memory_bytes}",
        )
    if finished.exit_status:
        reason = re.sub(r" @ 0x[0-9a-f]+", "", finished.last_words)[-_LAST_WORDS:]
        raise VideoError(ErrorKind.DECODE, f"ffmpeg could not cut it: {reason}")


@contextmanager
def _read_side(file: BinaryIO | None) -> Iterator[int]:
    """Open a file again for reading, as stdin: ffmpeg opens an output again under the same name,
    and `fd:` without a number is stdin to a reader."""
    if file is None:
        yield subprocess.DEVNULL
    else:
        with open_source(file) as again:
            yield again.fileno()


@cache
def _readable_files(program: str) -> tuple[str, ...]:
    """Return what a program needs to start: itself, its libraries, and their loader.

    Raise ConfigError if it is not a program of this machine, or a script that would run another.
    """
    try:
        with Path(program).open("rb") as file:
            if file.read(4) != b"\x7fELF":
                raise ConfigError(f"{program} is a script: name the ffmpeg program itself")
        listed = subprocess.run(
            [program],
            env={"LD_TRACE_LOADED_OBJECTS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_TRACE_TIMEOUT_S,
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{program} does not start: {error}") from None
    libraries = re.findall(rb"^\s+(?:\S+ => )?(/.*) \(0x[0-9a-f]+\)$", listed, re.MULTILINE)
    cache_files = [str(_LOADER_CACHE)] if _LOADER_CACHE.exists() else []
    return (program, *cache_files, *map(os.fsdecode, libraries))
