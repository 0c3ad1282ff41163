"""What a process that reads recordings may use up. Standard library only."""

from __future__ import annotations

import mmap
import resource


def limit_resources(*, memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Limit this process and what it starts, for good.

    `memory_bytes` is address space. After `cpu_s` of processor time it gets SIGXCPU, and a moment
    later SIGKILL. No file grows past `file_bytes`, and none is dumped when it crashes.
    """
    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
    ):
        resource.setrlimit(which, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))


def has_room_for(n_bytes: int) -> bool:
    """Return whether this process may use that many bytes of address space more."""
    try:
        mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError):
        return False
    return True
