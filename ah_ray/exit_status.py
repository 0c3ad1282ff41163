"""How a job ends: its exit status, and one line on stderr instead of a traceback.

A jobs/*.py is a `Job` with one command, which is wrapped in `exits`. It imports what takes time
within the command, so that Ctrl-C is one line while that is loaded, too; and so this module itself
imports little.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import typer

from ah_ray.errors import ConfigError, NoRay, OutputBusy, StorageError, shown


class ExitStatus(IntEnum):
    """What the shell, cron and Ray's job driver see. Where several apply: 2, 4, 3, 5, 0."""

    COMPLETE = 0
    CONFIG = 2  # found before any replica starts
    MISSING_ROWS = 3  # stopped, or lost to infrastructure: the same command goes on from there
    BUSY = 4  # another run holds the output
    TOO_MANY_FAILED = 5  # rows are complete, but too large a share of them are failed


def final_status(*, n_videos: int, n_rows: int, n_failed: int, max_failed: float) -> ExitStatus:
    """Of a run that came to its end: over the whole cohort, scored now or earlier."""
    if n_rows < n_videos:
        return ExitStatus.MISSING_ROWS
    if n_failed > max_failed * n_videos:
        return ExitStatus.TOO_MANY_FAILED
    return ExitStatus.COMPLETE


_STOPPED = "stopped. Run it again"
_INTERRUPTED = 130  # what typer makes of Ctrl-C that comes while it reads arguments


class Job(typer.Typer):
    """A command line of one command, whose wrong arguments are one line on stderr and exit 2.

    From when it is made, Ctrl-C is one line and exit 3.
    """

    def __init__(self) -> None:
        sys.excepthook = functools.partial(_told_if_stopped, sys.excepthook)
        super().__init__(add_completion=False, pretty_exceptions_enable=False)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            status = self._status(*args, **kwargs)
            sys.stdout.flush()
            sys.stderr.flush()
        except KeyboardInterrupt:
            status = _said(_STOPPED, ExitStatus.MISSING_ROWS)
        # At once: Arrow's threads may still drop Python objects, and abort a process whose
        # interpreter is being taken down. All that has to be closed has been.
        os._exit(status or 0)

    def _status(self, *args: Any, **kwargs: Any) -> int | None:
        try:
            status = super().__call__(*args, standalone_mode=False, **kwargs)
        except typer.TyperException as error:
            return _said(f"{error.format_message()} (--help says more)", ExitStatus.CONFIG)
        except SystemExit as ended:
            return ended.code
        if status == _INTERRUPTED:
            raise KeyboardInterrupt
        return status


def _told_if_stopped(
    before: Callable[..., Any],
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    """For sys.excepthook: of Ctrl-C between a job's own imports."""
    if issubclass(kind, KeyboardInterrupt):
        os._exit(_said(_STOPPED, ExitStatus.MISSING_ROWS))
    before(kind, error, traceback)


def exits(main: Callable[..., int] | None = None, *, goes_on: bool = False) -> Callable[..., Any]:
    """Makes a job's function exit with the status that it returns, or that its error means.

    ConfigError → 2; OutputBusy → 4; Ctrl-C, SIGTERM, storage that stays away, no Ray → 3.
    `goes_on`: the same command does not begin anew.
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
            status = _said(error, ExitStatus.CONFIG)
        except OutputBusy as error:
            status = _said(error, ExitStatus.BUSY)
        except (StorageError, NoRay) as error:
            status = _said(f"{error}. {again}", ExitStatus.MISSING_ROWS)
        except KeyboardInterrupt:
            status = _said(f"stopped. {again}", ExitStatus.MISSING_ROWS)
        sys.exit(int(status))

    return run


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _said(message: object, status: ExitStatus) -> ExitStatus:
    print("error: " + shown(" ".join(str(message).split())), file=sys.stderr)
    return status


def read_config_file(path: Path | None) -> dict[str, Any]:
    """The settings in a YAML file, by name; none without a file. Raises ConfigError."""
    if path is None:
        return {}
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"--config {path}: not valid YAML: {error}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"--config {path}: not a mapping of names to values")
    return {str(name).replace("-", "_"): value for name, value in settings.items()}
