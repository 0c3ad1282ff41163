"""Runs in a process of its own: a forked, caged child decodes a recording, then tries to get out.

    python caged_child.py REPOSITORY RECORDING SETTINGS

SETTINGS is JSON: what is there to be reached (`tcp_port`, `unix_socket`, `secret`, `folder`), the
`user` to become, which `guards` the kernel must seem to lack, and what to try (`child`, `warm`,
`program`: names of attempts by the child, by its parent, and by a process that is about to become a
program; all unless named). Prints JSON: what
was decoded outside and inside of the cage, and what became of each attempt (an error's name, or
"allowed").
"""

# Plain system calls, whose errors are looked at:
# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH116, PTH208, PTH211
from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import mmap
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import av
from blocked_calls import pretend_to_lack

from ah_ray.media.sandbox import cage

LIBC = ctypes.CDLL(None, use_errno=True)
X86_64 = os.uname().machine == "x86_64"
NUMBERS = {  # x86_64, aarch64
    "memfd_create": (319, 279),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "keyctl": (250, 219),
    "shmget": (29, 194),
    "personality": (135, 92),
    "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "rt_sigqueueinfo": (129, 138),
    "tgkill": (234, 131),
    "clone": (56, 220),
    "clone3": (435, 435),
    "statx": (332, 291),
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
    "name_to_handle_at": (303, 264),
    "mlockall": (151, 230),
    "capset": (126, 91),
}


def decoded(file: int) -> str:
    """A digest of all pictures, scaled by a filter graph, and of all sound, resampled."""
    digest = hashlib.sha256()
    os.lseek(file, 0, os.SEEK_SET)
    with av.open(os.fdopen(os.dup(file), "rb")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        video.thread_count = audio.thread_count = 1  # threads cannot be started in the cage
        graph = av.filter.Graph()
        graph.threads = 1
        source = graph.add_buffer(template=video)
        scale = graph.add("scale", "96:64:flags=bicubic+full_chroma_int")
        pixels = graph.add("format", "rgb24")
        graph.link_nodes(source, scale, pixels, graph.add("buffersink")).configure()
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        for frame in container.decode(video, audio):
            if isinstance(frame, av.VideoFrame):
                graph.push(frame)
                digest.update(graph.pull().to_ndarray().tobytes())
            else:
                for block in resampler.resample(frame):
                    digest.update(block.to_ndarray().tobytes())
    return digest.hexdigest()


def raw(name: str, *arguments: int) -> None:
    """Make a system call by number. Raise OSError if it fails."""
    call(NUMBERS[name][0 if X86_64 else 1], *arguments)


def call(number: int, *arguments: int) -> None:
    ctypes.set_errno(0)
    if LIBC.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), "")


def attempts(settings: dict, parent: int, inherited: socket.socket) -> dict[str, Callable]:
    """Everything that a recording's code might try, by name."""
    secret, folder = settings["secret"], settings["folder"]

    def connect(family: int, kind: int, address: object) -> None:
        with socket.socket(family, kind) as one:
            one.connect(address)

    def start_thread() -> None:
        threading.Thread(target=lambda: Path(secret).read_text()).start()

    return {
        "read a file": lambda: os.open(secret, os.O_RDONLY),
        "write a file": lambda: os.open(f"{folder}/new", os.O_WRONLY | os.O_CREAT),
        "look at a file": lambda: os.stat(secret),
        "list a folder": lambda: os.listdir(folder),
        "remove a file": lambda: os.unlink(secret),
        "rename a file": lambda: os.rename(secret, f"{folder}/other"),
        "make a folder": lambda: os.mkdir(f"{folder}/d"),
        "make a link": lambda: os.symlink("/", f"{folder}/link"),
        "change a mode": lambda: os.chmod(secret, 0o777),
        "truncate a file": lambda: os.truncate(secret, 0),
        "change folder": lambda: os.chdir("/"),
        "connect by TCP": lambda: connect(
            socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", settings["tcp_port"])
        ),
        "connect by UDP": lambda: connect(
            socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", settings["tcp_port"])
        ),
        "connect to a Unix socket": lambda: connect(
            socket.AF_UNIX, socket.SOCK_STREAM, settings["unix_socket"]
        ),
        "connect to an abstract Unix socket": lambda: connect(
            socket.AF_UNIX, socket.SOCK_STREAM, "\0" + settings["unix_socket"]
        ),
        "make a pair of sockets": socket.socketpair,
        "ask for a name": lambda: socket.getaddrinfo(b"example.org", 443),
        "send on an inherited socket": lambda: inherited.send(b"x"),
        "send a descriptor": lambda: socket.send_fds(inherited, [b"x"], [1]),
        "receive from an inherited socket": lambda: inherited.recv(1),
        "fork": os.fork,
        "fork into other namespaces": lambda: raw("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0),
        "fork with shared memory": lambda: raw("clone", 0x4100 | signal.SIGCHLD, 0, 0, 0, 0),
        "run a program": lambda: subprocess.run(["/bin/true"], check=True),
        "become a program": lambda: os.execv("/bin/true", ["true"]),
        "start a thread": start_thread,
        "clone3": lambda: raw("clone3", 0, 0),
        "trace the parent": lambda: raw("ptrace", 16, parent, 0, 0),
        "be traced": lambda: raw("ptrace", 0, 0, 0, 0),
        "read the parent's memory": lambda: raw("process_vm_readv", parent, 0, 0, 0, 0, 0),
        "signal the parent": lambda: os.kill(parent, 0),
        "kill the parent": lambda: os.kill(parent, signal.SIGKILL),
        "signal every process": lambda: os.kill(-1, 0),
        "signal a thread of the parent": lambda: raw("tgkill", parent, parent, 9),
        "queue a signal": lambda: raw("rt_sigqueueinfo", parent, 9, 0),
        "open the parent by its id": lambda: raw("pidfd_open", parent, 0),
        "take a descriptor of another": lambda: raw("pidfd_getfd", 0, 0, 0),
        "wait for a process": lambda: os.waitpid(-1, os.WNOHANG),
        "read /proc of the parent": lambda: os.open(f"/proc/{parent}/environ", os.O_RDONLY),
        "read /proc of the first process": lambda: os.open("/proc/1/cmdline", os.O_RDONLY),
        "read its own environment": lambda: os.open("/proc/self/environ", os.O_RDONLY),
        "read its own memory by name": lambda: os.open("/proc/self/mem", os.O_RDWR),
        "open a descriptor by name": lambda: os.open("/dev/fd/0", os.O_RDONLY),
        "list /proc": lambda: os.listdir("/proc"),
        "memfd_create": lambda: raw("memfd_create", id(b"name") + 32, 0),
        "io_uring_setup": lambda: raw("io_uring_setup", 1, 0),
        "bpf": lambda: raw("bpf", 0, 0, 0),
        "userfaultfd": lambda: raw("userfaultfd", 0),
        "unshare": lambda: raw("unshare", 0x10000000),
        "setns": lambda: raw("setns", 0, 0),
        "mount": lambda: raw("mount", 0, 0, 0, 0, 0),
        "keyctl": lambda: raw("keyctl", 0, 0),
        "shmget": lambda: raw("shmget", 0, 4096, 0o1600),
        "personality": lambda: raw("personality", 0xFFFFFFFF),
        "perf_event_open": lambda: raw("perf_event_open", 0, 0, -1, -1, 0),
        "open_by_handle_at": lambda: raw("open_by_handle_at", 0, 0, 0),
        "statx": lambda: raw("statx", -100, 0, 0, 0, 0),
        "mlockall": lambda: raw("mlockall", 1),
        "another filter": lambda: raw("seccomp", 1, 0, 0),
        "capset": lambda: raw("capset", 0, 0),
        "setsid": os.setsid,
        "setuid": lambda: os.setuid(0),
        "be nice": lambda: os.nice(1),
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
        "read a limit of another": lambda: resource.prlimit(parent, resource.RLIMIT_AS),
        "own signals of a descriptor": lambda: fcntl.fcntl(0, 8, parent),
        "write to a terminal's input": lambda: fcntl.ioctl(0, 0x5412, b"x"),
        "outlive the parent": lambda: cage.end_with_parent(parent),
        "10 GB": lambda: mmap.mmap(-1, 10 << 30),
        "memory that runs": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_EXEC | mmap.PROT_READ),
        **({"a call of x32": lambda: call(0x40000000 + 39)} if X86_64 else {}),
    }


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except socket.gaierror as error:
        return f"gaierror {error.errno}"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except (RuntimeError, ValueError) as error:
        return str(error)
    return "allowed"


def in_a_fork(work: Callable[[], object]) -> tuple[object, int]:
    """What `work` returns in a forked child, and how the child ended."""
    ours, theirs = PIPES.pop()
    pid = os.fork()
    if not pid:
        os.write(theirs, json.dumps(work()).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        text = answer.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return json.loads(text) if text else None, status


STARTER = os.getppid()
PIPES: list[tuple[int, int]] = []


def main() -> None:
    recording, settings = os.open(sys.argv[2], os.O_RDONLY), json.loads(sys.argv[3])
    outside = decoded(recording)  # which loads what is loaded lazily, too
    PIPES.extend(os.pipe() for _ in range(3))
    inherited, other_end = socket.socketpair()
    if settings.get("user"):
        os.setgroups([])
        os.setresgid(*[settings["user"]] * 3)
        os.setresuid(*[settings["user"]] * 3)
    for guard in settings.get("guards", ()):
        pretend_to_lack(guard)
    parent = os.getpid()

    def try_out(who: str, parent: int) -> dict[str, str]:
        known = attempts(settings, parent, inherited)
        names = settings.get(who)
        return {name: outcome(known[name]) for name in (known if names is None else names)}

    def try_all() -> dict:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        cage.end_with_parent(parent)
        cage.forbid_forking()
        inside = decoded(received)
        return {"inside": inside, "tried": try_out("child", parent)}

    def try_as_a_program() -> dict:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        cage.enter_cage_for_program([Path("/bin/cat")])
        return try_out("program", parent)

    def abort() -> None:
        cage.forbid_forking()
        os.abort()

    def hang() -> None:
        cage.forbid_forking()
        while True:
            time.sleep(60)

    program, _ = in_a_fork(try_as_a_program)
    cage.enter_cage(may_fork=True)
    # What a warm parent needs: it receives recordings, and ends a child that hangs.
    socket.send_fds(other_end, [b"x"], [recording])
    (received,) = socket.recv_fds(inherited, 1, 1)[1]
    found, status = in_a_fork(try_all)
    _, aborted = in_a_fork(abort)
    pid = os.fork()
    if not pid:
        hang()
    child = os.pidfd_open(pid)
    signal.pidfd_send_signal(child, signal.SIGKILL)
    ended = select.poll()
    ended.register(child, select.POLLIN)
    assert ended.poll(10_000)
    killed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    report = {
        "missing": cage.missing_guards(),
        "outside": outside,
        "ends": [status, aborted, killed],
        "warm": try_out("warm", STARTER),
        "program": program,
        **(found or {}),
    }
    os.write(1, json.dumps(report).encode())


if __name__ == "__main__":
    main()
