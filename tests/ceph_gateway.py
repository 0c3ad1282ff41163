"""Ceph's gateway with a cluster of one monitor and one store in memory, from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ports import free_port, wait_for_port

PROGRAMS = ("ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
FSID = "11111111-2222-3333-4444-555555555555"
KEY, SECRET = "test", "secret"
SETTINGS = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{monitor_port}
public network = 127.0.0.0/8
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file =
keyring = {folder}/keyring
osd objectstore = memstore
memstore device bytes = 1073741824
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon data avail crit = 1
rgw dynamic resharding = false
rgw gc max objs = 3
rgw lc max objs = 3
rgw data log num shards = 1
rgw md log max shards = 1
rgw usage max shards = 1
rgw override bucket index max shards = 1
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
"""


@contextmanager
def run_ceph() -> Iterator[tuple[str, str, str]]:
    """Yield the gateway's address, and a user's key and secret. Takes about 15 s."""
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        pytest.skip(f"{missing[0]} is not installed: run `bash .ci/servers` as root, on Debian")
    folder = Path(tempfile.mkdtemp(prefix="ceph-"))  # a short path: it names sockets
    started: list[subprocess.Popen] = []
    monitor_port, port = free_port(), free_port()
    settings = SETTINGS.format(fsid=FSID, folder=folder, monitor_port=monitor_port, port=port)
    (folder / "ceph.conf").write_text(settings)
    options = {"env": os.environ | {"CEPH_CONF": str(folder / "ceph.conf")}}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=200, **options)

    try:
        for name in ("mon", "osd"):
            (folder / name).mkdir()
        monitors = str(folder / "monitors")
        place = f"[v1:127.0.0.1:{monitor_port}]"
        run("monmaptool", "--create", "--fsid", FSID, "--addv", "a", place, monitors)
        run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors, "--keyring", "/dev/null")
        started.append(subprocess.Popen(["ceph-mon", "-i", "a", "-f"], **quiet))
        wait_for_port(monitor_port, started[-1])
        run("ceph-osd", "-i", "0", "--mkfs")
        started.append(_start_store(quiet))
        user = ("user", "create", "--uid=test", "--display-name=test")
        run("radosgw-admin", *user, f"--access-key={KEY}", f"--secret-key={SECRET}")
        started.append(subprocess.Popen(["radosgw", "-n", "client.rgw", "-f"], **quiet))
        wait_for_port(port, started[-1])
        yield f"http://127.0.0.1:{port}", KEY, SECRET
    finally:
        for process in reversed(started):
            process.kill()  # its data are of no use to anybody
            process.wait(timeout=30)
        shutil.rmtree(folder)


def _start_store(options: dict) -> subprocess.Popen:
    """It ends at once if it asks the monitor for its number before it knows the cluster's."""
    for _ in range(20):
        store = subprocess.Popen(["ceph-osd", "-i", "0", "-f"], **options)
        try:
            store.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return store
    raise RuntimeError("ceph-osd does not stay up")
