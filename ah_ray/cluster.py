"""Where the run takes place: a Ray of its own in this process, or a cluster that is there."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# Its C++ part has advice about constructor arguments at each start; what ends it is told all the
# same, as an exception.
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")

import ray
import ray._private.worker
import ray.data
from ray.exceptions import RayError

from ah_ray.errors import ConfigError, NoRay

OBJECT_STORE_SHARE = 0.2
RAYS_COPIES = "/runtime_resources/working_dir_files/"
MAX_OBJECT_STORE_BYTES = 4 * 1024**3


def on_cluster() -> bool:
    """True if this process is to join a cluster rather than to start a Ray of its own."""
    return "RAY_ADDRESS" in os.environ or ray.is_initialized()


def lasts(path: str) -> bool:
    """False within the copy of its working directory that Ray makes for a submitted job.

    Ray deletes such a copy, and what was written there, when it makes it anew (for another raylet
    of the machine, or after its agent was started again), and some time after the job has ended.
    """
    return RAYS_COPIES not in f"{path}/"


def local_gpus() -> int:
    """How many GPUs this machine has; asks no CUDA, which would take memory on one."""
    return sum(path.name.removeprefix("nvidia").isdigit() for path in Path("/dev").glob("nvidia*"))


@contextmanager
def connected() -> Iterator[None]:
    """Ray, joined or started; one that was started here is stopped at the end."""
    if ray.is_initialized():
        _hush()
        yield
        return
    with _handlers_kept():
        if on_cluster():
            _join()
        else:
            _start()
    _hush()
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def joined() -> Iterator[None]:
    """A cluster that there is, joined; without one, nothing is started yet."""
    if on_cluster():
        with connected():
            yield
    else:
        yield


def _join() -> None:
    try:
        with _stderr_muted():
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, RayError) as error:
        raise ConfigError(
            f"RAY_ADDRESS {os.environ['RAY_ADDRESS']}: this cluster cannot be joined "
            f"({_first_line(error)}); check that it is up and, if it asks for a token, "
            "RAY_AUTH_MODE and the token itself"
        ) from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _start() -> None:
    """A Ray in this process and its children."""
    memory = psutil.virtual_memory().available
    try:
        with _stderr_muted():
            ray.init(
                address="local",  # not one that happens to run on this machine
                num_cpus=max(2, len(os.sched_getaffinity(0))),  # a decoder and a replica at least
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=int(min(OBJECT_STORE_SHARE * memory, MAX_OBJECT_STORE_BYTES)),
            )
    except Exception as error:  # Ray raises whatever it met: OSError, ValueError, Exception, …
        ray.shutdown()
        raise NoRay(
            f"Ray does not start on this machine ({_first_line(error)}); look whether its "
            "processors are busy, or its memory or the disk of RAY_TMPDIR (/tmp) full"
        ) from error


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """`ray.init` takes SIGTERM for itself, and exits; our handlers come back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit:  # Ray's answer to a SIGTERM that came meanwhile
        raise KeyboardInterrupt from None
    if threading.current_thread() is threading.main_thread():
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def _stderr_muted() -> Iterator[None]:
    """Nothing reaches descriptor 2: Ray's C++ part announces there how loud it is told to be.

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


def _hush() -> None:
    """Keeps Ray's own words off the terminal: the progress display says what is to be said.

    Its logs stay where they are, under the session's folder.
    """
    logger = logging.getLogger("ray.data")
    for handler in list(logger.handlers):
        if isinstance(handler, logging.StreamHandler):
            logger.removeHandler(handler)
    if hasattr(ray._private.worker, "print_to_stdstream"):
        # "(raylet) A worker died …": it is retried, and counted in the summary if it stays dead.
        ray._private.worker.print_to_stdstream = lambda *_args, **_kwargs: None
