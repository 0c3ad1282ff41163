"""Connect to Ray: start one in this process, or join a running cluster."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ah_ray.ray_environment import prepare

prepare()

import ray  # noqa: E402 (reads its environment now)
import ray._private.worker  # noqa: E402
import ray.data  # noqa: E402
from ray.exceptions import RayError  # noqa: E402

from ah_ray.cluster.address import check_address  # noqa: E402
from ah_ray.errors import ConfigError, NoRay, get_first_line  # noqa: E402
from ah_ray.escaping import escape_text  # noqa: E402

OBJECT_STORE_SHARE = 0.2
JOB_COPIES = "/runtime_resources/working_dir_files/"
MAX_OBJECT_STORE_BYTES = 4 * 1024**3


def on_cluster() -> bool:
    """Return whether this process joins a cluster instead of starting a Ray of its own."""
    return "RAY_ADDRESS" in os.environ or ray.is_initialized()


def is_permanent(path: str) -> bool:
    """Return False within the copy of the working directory that Ray makes for a submitted job.

    Ray deletes such a copy, and what was written there, when it makes it again (for another raylet
    of the machine, or after its agent was started again), and some time after the job has ended.
    """
    return JOB_COPIES not in f"{path}/"


def local_gpus() -> int:
    """Return how many GPUs this machine has, without CUDA, which would take memory on one."""
    return sum(path.name.removeprefix("nvidia").isdigit() for path in Path("/dev").glob("nvidia*"))


@contextmanager
def connected() -> Iterator[None]:
    """Join or start Ray. A Ray that was started here is stopped at the end."""
    if ray.is_initialized():
        _silence_ray()
        yield
        return
    with _keep_handlers():
        if on_cluster():
            _join()
        else:
            _start()
    _silence_ray()
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def join_cluster() -> Iterator[None]:
    """Join a running cluster. If there is none, start nothing yet."""
    if on_cluster():
        with connected():
            yield
    else:
        yield


def _join() -> None:
    address = os.environ["RAY_ADDRESS"]
    check_address(address)
    try:
        with _mute_stderr():
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        said = " ".join(str(error).split())
        if versions := _VERSIONS.findall(said):
            described = _describe_versions(versions)
            remedy = f"{described}: install the cluster's versions of Ray and Python here"
        else:
            remedy = (
                f"{said[:200] or type(error).__name__}; check that it is up and, if it asks for a "
                "token, RAY_AUTH_MODE and the token itself"
            )
        raise ConfigError(
            f"RAY_ADDRESS {escape_text(address)}: this cluster cannot be joined: {remedy}"
        ) from None


_VERSIONS = re.compile(r"Ray: (\S+) Python: (\S+)")


def _describe_versions(versions: list[tuple[str, str]]) -> str:
    """Describe the versions in Ray's message, which names the cluster's first and ours second."""
    named = [f"Ray {ray_version} on Python {python}" for ray_version, python in versions]
    return f"it runs {named[0]}, and this process {named[-1]}"


def _start() -> None:
    """Start a Ray in this process and its children. Raise ConfigError or NoRay if it fails."""
    memory = psutil.virtual_memory().available
    try:
        with _mute_stderr():
            ray.init(
                address="local",  # not one that happens to run on this machine
                num_cpus=max(2, len(os.sched_getaffinity(0))),  # a decoder and a replica at least
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=int(min(OBJECT_STORE_SHARE * memory, MAX_OBJECT_STORE_BYTES)),
            )
    except Exception as error:  # Ray passes on what it met: OSError, ValueError, Exception, …
        ray.shutdown()
        folder = _find_unwritable_folder()
        if folder is not None:
            raise ConfigError(
                f"Ray does not start on this machine: it writes to {folder}, which this user may "
                "not; set RAY_TMPDIR to a folder of this machine that the user may write to, with "
                "a short path"
            ) from error
        raise NoRay(
            f"Ray does not start on this machine ({get_first_line(error)}); look whether its "
            "processors are busy, or its memory or the disk of RAY_TMPDIR (/tmp) full"
        ) from error


def _find_unwritable_folder() -> Path | None:
    """Return the folder that Ray needs and may not write to, if that is so."""
    place = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")
    for folder in (place / "ray", place):
        if folder.exists():
            return None if os.access(folder, os.W_OK | os.X_OK) else folder
    return place if not os.access(place.parent, os.W_OK) else None


@contextmanager
def _keep_handlers() -> Iterator[None]:
    """Restore our signal handlers: `ray.init` installs one for SIGTERM that exits."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit:  # Ray's answer to a SIGTERM that came meanwhile
        raise KeyboardInterrupt from None
    if threading.current_thread() is threading.main_thread():
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def _mute_stderr() -> Iterator[None]:
    """Within it, nothing reaches descriptor 2, where Ray's C++ part announces its log level.

    What goes wrong in `ray.init` is raised as an exception all the same.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _silence_ray() -> None:
    """Keep Ray's messages off the terminal, where the progress display is.

    Its log files are written as before, in the session's folder.
    """
    logger = logging.getLogger("ray.data")
    for handler in list(logger.handlers):
        if isinstance(handler, logging.StreamHandler):
            logger.removeHandler(handler)
    if hasattr(ray._private.worker, "print_to_stdstream"):
        # "(raylet) A worker died …": it is retried, and counted in the summary if it stays dead.
        ray._private.worker.print_to_stdstream = lambda *_args, **_kwargs: None
