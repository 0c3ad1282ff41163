"""Runs in a process of its own (`isolated_module`): limits itself, enters the cage, and becomes a
program, such as ffmpeg.

Arguments: PARENT MEMORY_BYTES CPU_S FILE_BYTES N FILE… PROGRAM ARGUMENT…. PARENT is the process
that waits for it; the N files are what the program may read, itself included. A function between
fork and exec would do the same, but may deadlock where the parent has threads.
"""

from __future__ import annotations

import os
from pathlib import Path

from ah_ray.media.sandbox.cage import end_with_parent, enter_cage_for_program
from ah_ray.media.sandbox.resource_limits import limit_resources

ENVIRONMENT = {
    "AV_LOG_FORCE_NOCOLOR": "1",
    "MALLOC_ARENA_MAX": "1",  # one thread computes; an arena for each other is address space
}
"""The whole environment of the program: no credentials, no proxies, not even a path."""


def main(arguments: list[str]) -> None:
    """Become the program. Raise OSError if it cannot be started."""
    parent, memory_bytes, cpu_s, file_bytes, n_files = map(int, arguments[:5])
    files, program = arguments[5 : 5 + n_files], arguments[5 + n_files :]
    end_with_parent(parent)
    limit_resources(memory_bytes=memory_bytes, cpu_s=cpu_s, file_bytes=file_bytes)
    enter_cage_for_program(map(Path, files))
    os.execve(program[0], program, ENVIRONMENT)
