"""Completion of commands and flags by the user's shell, for a program of several commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer
from typer.completion import (  # type: ignore[attr-defined]  # what it has from a module of its own
    Shells,
    get_completion_script,
    install,
)
from typer.core import TyperGroup

from ah_ray.cli.job import CommandLine
from ah_ray.errors import ConfigError

SHOW, INSTALL = "--show-completion", "--install-completion"


class _Commands(TyperGroup):
    """A group whose commands are made when a line names them."""

    purposes: Mapping[str, str]
    load: Callable[[str], CommandLine]

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.purposes)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.purposes:
            return None
        command: Any = self.load(cmd_name)
        command.name, command.help = cmd_name, self.purposes[cmd_name]
        return command


def complete(
    program: str,
    purposes: Mapping[str, str],
    load: Callable[[str], CommandLine],
    arguments: Sequence[str],
) -> int | None:
    """Answer a shell that asks how a line goes on, or print or install what makes it ask.

    `purposes`: what each command does, by name. `load`: returns the command line of one.
    `arguments`: SHOW or INSTALL, perhaps with the name of a shell; or none, where the question is
    in the environment. Raise ConfigError if there is no such shell.
    """
    if len(arguments) > 1:
        _print_or_install(program, *arguments[:2])
        return None
    app = typer.Typer(cls=_Commands, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    group: Any = typer.main.get_command(app)
    group.purposes, group.load = purposes, load
    status: int | None = group(list(arguments), prog_name=program, standalone_mode=False)
    return status


def _print_or_install(program: str, option: str, shell: str) -> None:
    if shell not in set(Shells):
        raise ConfigError(f"{option} {shell}: give one of {', '.join(Shells)}")
    asks_by = f"_{program.replace('-', '_').upper()}_COMPLETE"
    if option == SHOW:
        print(get_completion_script(prog_name=program, complete_var=asks_by, shell=shell))
    else:
        _, path = install(shell=shell, prog_name=program, complete_var=asks_by)
        print(f"{path} is written; new shells complete {program}")
