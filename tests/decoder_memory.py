"""Measure the memory of a process that decodes, together with its decoding processes.

It is their proportional set size (PSS) without shared memory: a page that a warm parent and its
child still share counts once, a page of a library that n processes map counts as an n-th for each,
and the object store, which has a limit of its own, does not count. Resident memory (RSS) would
count shared pages again for each process.
"""

from __future__ import annotations

from pathlib import Path

import psutil

_SERVER = "ah_ray.media.caged.server"
_COUNTED = ("Pss_Anon:", "Pss_File:")


def decoding_processes(process: psutil.Process) -> list[psutil.Process]:
    """Return the warm parents of a process and their children.

    A process that is being started has the memory of the one that starts it until it has become
    another program. It would count that memory twice, so it is not one of these.
    """
    found = []
    for child in process.children(recursive=True):
        try:
            if any(_SERVER in argument for argument in child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


def decoder_bytes(process: psutil.Process) -> int:
    """Return the memory of a process and of those that decode for it, in bytes."""
    return sum(_pss_bytes(one.pid) for one in (process, *decoding_processes(process)))


def _pss_bytes(pid: int) -> int:
    """Return the proportional set size of a process without shared memory; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_COUNTED))
