"""The cage, tried from within: a caged child decodes as ever, and can do nothing else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from guards import needs_guards

import ah_ray
from ah_ray.media.sandbox.cage import Guard, enter_cage, missing_guards

REPOSITORY = Path(ah_ray.__file__).parents[1]
NOBODY = 65534
ANSWERS = {  # of attempts that do not simply meet EPERM
    "ask for a name": "gaierror -3",  # no socket to ask with
    "start a thread": "can't start new thread",
    "clone3": "ENOSYS",  # so that libc takes clone, which a filter can judge
    "raise a limit": "not allowed to raise maximum limit",  # what Python makes of EPERM
    "10 GB": "ENOMEM",  # the address space that it was left
}
ANSWERS_TO_A_PROGRAM = {  # whose libraries are opened and mapped, so Landlock judges instead
    "read a file": "EACCES",
    "list a folder": "EACCES",
    "list /proc": "EACCES",
    "read /proc of the parent": "EACCES",
    "read /proc of the first process": "EACCES",
    "read its own environment": "EACCES",
    "open a descriptor by name": "EACCES",
    "become a program": "EACCES",  # another than its own
    "start a thread": "allowed",
    "memory that runs": "allowed",
}
FILES = [
    "read a file",
    "write a file",
    "list a folder",
    "read /proc of the parent",
    "read /proc of the first process",
    "read its own environment",
    "open a descriptor by name",
]
WARM = [*FILES, "connect by TCP", "connect to a Unix socket", "make a pair of sockets",
        "run a program", "become a program", "start a thread", "fork into other namespaces",
        "fork with shared memory", "trace the parent", "memfd_create", "unshare", "setsid",
        "signal the parent", "change a mode", "statx"]  # fmt: skip


class Reachable:
    """What there is to be reached: a file, its folder, and three servers that count who came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret = folder / "secret"
        self.secret.write_text("secret")
        self.secret.chmod(0o666)
        folder.chmod(0o777)
        path = str(folder / "socket")
        self._servers = [socket.create_server(("127.0.0.1", 0))]
        for address in (path, "\0" + path):
            server = socket.socket(socket.AF_UNIX)
            server.bind(address)
            server.listen()
            self._servers.append(server)
        Path(path).chmod(0o777)
        self.settings = {
            "tcp_port": self._servers[0].getsockname()[1],
            "unix_socket": path,
            "secret": str(self.secret),
            "folder": str(folder),
        }

    def check_untouched(self) -> None:
        """No server was called, and the folder holds what it held."""
        for server in self._servers:
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.accept()
        assert sorted(path.name for path in self.folder.iterdir()) == ["secret", "socket"]
        assert self.secret.read_text() == "secret"
        assert self.secret.stat().st_mode & 0o777 == 0o666

    def close(self) -> None:
        for server in self._servers:
            server.close()


@pytest.fixture
def reachable(tmp_path_factory) -> Iterator[Reachable]:
    found = Reachable(tmp_path_factory.mktemp("reachable"))
    yield found
    found.close()


def run_caged(recording: Path, reachable: Reachable, **settings: object) -> dict:
    """Run `caged_child.py` with an empty environment; return its report."""
    script = Path(__file__).parents[1] / "caged_child.py"
    given = json.dumps({"warm": [], "program": [], **reachable.settings, **settings})
    done = subprocess.run(
        [sys.executable, script, REPOSITORY, recording, given],
        env={"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def users() -> list[int | None]:
    return [None, NOBODY] if os.geteuid() == 0 else [None]


@needs_guards
@pytest.mark.parametrize("user", users())
def test_a_caged_child_decodes_the_same_and_reaches_nothing(numbered, reachable, user):
    report = run_caged(numbered, reachable, user=user)
    assert report["inside"] == report["outside"]
    allowed = {
        name: answer
        for name, answer in report["tried"].items()
        if answer != ANSWERS.get(name, "EPERM")
    }
    assert not allowed and len(report["tried"]) > 60
    assert report["ends"] == [0, -6, -9], "it ends well, aborts when it must, and can be killed"
    reachable.check_untouched()


@needs_guards
@pytest.mark.parametrize("user", users())
def test_its_warm_parent_reaches_nothing_either(numbered, reachable, user):
    report = run_caged(numbered, reachable, user=user, child=[], warm=WARM)
    assert report["warm"] == {name: ANSWERS.get(name, "EPERM") for name in WARM}
    reachable.check_untouched()


@needs_guards
@pytest.mark.parametrize("user", users())
def test_a_program_in_the_cage_reads_its_own_files_and_has_threads_and_no_more(
    numbered, reachable, user
):
    report = run_caged(numbered, reachable, user=user, child=[], program=None)
    answers = {name: ANSWERS.get(name, "EPERM") for name in report["program"]}
    assert report["program"] == answers | ANSWERS_TO_A_PROGRAM
    reachable.check_untouched()


@needs_guards
def test_a_kernel_without_landlock_is_reported_and_the_filter_alone_holds(numbered, reachable):
    report = run_caged(numbered, reachable, guards=["landlock"])
    assert report["missing"] == [Guard.LANDLOCK]
    assert report["inside"] == report["outside"]
    assert {name for name, one in report["tried"].items() if one == "allowed"} == set()
    reachable.check_untouched()


@needs_guards
def test_a_kernel_without_seccomp_is_reported_and_landlock_still_closes_files(numbered, reachable):
    report = run_caged(numbered, reachable, guards=["seccomp"], child=FILES)
    assert report["missing"] == [Guard.SECCOMP]
    assert report["inside"] == report["outside"]
    assert set(report["tried"].values()) == {"EACCES"}
    reachable.check_untouched()


def test_a_kernel_without_any_guard_is_reported_and_decodes_all_the_same(numbered, reachable):
    guards = ["no_new_privs", "landlock", "seccomp"]  # the last ends the setting of filters
    report = run_caged(numbered, reachable, guards=guards, child=[])
    assert report["missing"] == [Guard.NO_NEW_PRIVS, Guard.LANDLOCK, Guard.SECCOMP]
    assert report["inside"] == report["outside"]


def test_asking_cages_nobody():
    before = Path("/proc/self/status").read_text().split("NoNewPrivs:")[1].split("Spec")[0]
    missing_guards.cache_clear()
    missing_guards()
    after = Path("/proc/self/status").read_text().split("NoNewPrivs:")[1].split("Spec")[0]
    assert before == after


def test_a_process_with_threads_is_not_caged_by_half():
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="before threads are started"):
            enter_cage(may_fork=True)
    finally:
        over.set()
        thread.join()
