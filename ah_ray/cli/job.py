"""How a job ends: its exit status, and one line on stderr instead of a traceback.

A module of `ah_ray.commands` has a function that does the work, wrapped in `exits`, and one that
makes its command line, which `run_job` calls. Both import within themselves what takes time, so
that Ctrl-C is one line while that is loaded, too; this module itself imports little.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, NoReturn, Protocol

from ah_ray.errors import ConfigError, NoRay, OutputBusy, StorageError, TrainingStopped
from ah_ray.escaping import escape_text
from ah_ray.exit_status import ExitStatus
from ah_ray.installation import missing_package
from ah_ray.naming import hide_paths

Given = dict[str, Any]
"""Settings by name, as they were given in the file of `--config` or by flags."""

_STOPPED = "stopped. Run it again"
_INTERRUPTED = 130  # what typer makes of Ctrl-C that comes while it reads arguments


class CommandLine(Protocol):
    """What a job's `command` returns: see `ah_ray.cli.command.command_of`."""

    def __call__(self, *, standalone_mode: bool, prog_name: str | None) -> Any:
        """Read the arguments of this process and run the job."""

    def parse(self, arguments: Sequence[str]) -> Given:
        """Return the settings that these arguments give. Raise ConfigError if they are wrong."""


def run_job(command: Callable[[], Callable[..., Any]], program: str | None = None) -> NoReturn:
    """Make the command line of a job, run it with the arguments of this process, and exit.

    `program` is the name that its help shows; None: the file that runs.
    Wrong arguments are one line on stderr and exit 2. Ctrl-C is one line and exit 3.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal in ASCII knows no "…"
            stream.reconfigure(errors="replace")
    sys.excepthook = functools.partial(_exit_if_stopped, sys.excepthook)
    try:
        status = _status_of(command, program)
        sys.stdout.flush()
        sys.stderr.flush()
    except KeyboardInterrupt:
        status = _print_error(_STOPPED, ExitStatus.MISSING_ROWS)
    # At once: Arrow's threads may still drop Python objects, and abort a process whose
    # interpreter is being taken down. All that has to be closed has been.
    os._exit(status or 0)


def _status_of(command: Callable[[], Callable[..., Any]], program: str | None) -> int | None:
    try:
        import typer
    except ModuleNotFoundError as error:
        return _print_missing(error)
    try:
        status: int | None = command()(standalone_mode=False, prog_name=program)
    except typer.TyperException as error:
        return _print_error(f"{error.format_message()} (see --help)", ExitStatus.CONFIG)
    except ConfigError as error:  # of the file that --config names, which is read before the job
        return _print_error(error, ExitStatus.CONFIG)
    except ModuleNotFoundError as error:
        return _print_missing(error)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else ExitStatus.COMPLETE
    if status == _INTERRUPTED:
        raise KeyboardInterrupt
    return status


def _print_missing(error: ModuleNotFoundError) -> ExitStatus:
    """Print which package is missing. Raise the error if no installation would have brought it."""
    if (missing := missing_package(error)) is None:
        raise error
    return _print_error(missing, ExitStatus.CONFIG)


def _exit_if_stopped(
    before: Callable[..., Any],
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    """Exit after Ctrl-C that nothing else has handled. For sys.excepthook."""
    if issubclass(kind, KeyboardInterrupt):
        os._exit(_print_error(_STOPPED, ExitStatus.MISSING_ROWS))
    before(kind, error, traceback)


def exits(main: Callable[..., int] | None = None, *, goes_on: bool = False) -> Callable[..., Any]:
    """Make a job's function exit with the status that it returns, or that its error means.

    ConfigError is 2 and OutputBusy 4. Ctrl-C, SIGTERM, a store that does not answer, a full
    temporary disk, Ray that does not start, and a training that lost recordings or machines are 3.
    `goes_on`: the same command continues where it stopped.
    """
    if main is None:
        return functools.partial(exits, goes_on=goes_on)
    again = "Run it again to go on" if goes_on else "Run it again"

    @functools.wraps(main)
    def run(*args: Any, **kwargs: Any) -> NoReturn:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            status = main(*args, **kwargs)
        except ConfigError as error:
            status = _print_error(error, ExitStatus.CONFIG)
        except OutputBusy as error:
            status = _print_error(error, ExitStatus.BUSY)
        except (StorageError, NoRay, TrainingStopped) as error:
            status = _print_error(f"{error}. {again}", ExitStatus.MISSING_ROWS)
        except KeyboardInterrupt:
            status = _print_error(f"stopped. {again}", ExitStatus.MISSING_ROWS)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # Storage would have raised a StorageError: this is a file that is being made.
            folder = os.environ.get("TMPDIR", "/tmp")
            status = _print_error(
                f"{error.strerror}; make room on the disk of the temporary folder ({folder}), or "
                f"set TMPDIR to one on another disk. {again}",
                ExitStatus.MISSING_ROWS,
            )
        sys.exit(int(status))

    return run


def print_faults(faults: Iterable[object], before: str = "") -> None:
    """Print what is wrong with labels to stderr, one line each, after the text `before`."""
    for fault in faults:
        print(before + escape_text(str(fault)), file=sys.stderr)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _print_error(message: object, status: ExitStatus) -> ExitStatus:
    print("error: " + hide_paths(escape_text(" ".join(str(message).split()))), file=sys.stderr)
    return status
