"""A job's command line, made from its settings models."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer
from pydantic import BaseModel
from typer.core import TyperCommand

from ah_ray.cli.config_file import given_settings
from ah_ray.cli.flags import Flag, flags_of, switches_of
from ah_ray.cli.job import Given
from ah_ray.errors import ConfigError

_CONFIG = Flag(
    name="config",
    option="--config",
    kind=str,
    help="YAML file with settings by these same names. Flags win over it.",
    metavar="FILE",
)


class Command(TyperCommand):
    """A command line whose flags are the fields of settings models."""

    flags: tuple[Flag, ...] = ()

    def format_help(self, ctx: Any, _formatter: object) -> None:
        """Print the help page, as wide as the terminal."""
        from ah_ray.cli.help_page import HelpPage  # rich takes time to load

        HelpPage(self.flags).print(ctx.command_path, self.help or "")

    def parse(self, arguments: Sequence[str]) -> Given:
        """Return the settings that these arguments give. Raise ConfigError if they are wrong."""
        try:
            context = self.make_context(self.name, list(arguments))
        except typer.TyperException as error:
            raise ConfigError(f"flags of {self.name}: {error.format_message()}") from None
        return _settings_from_flags(context.params, self.flags)


def command_of(
    models: type[BaseModel] | Sequence[type[BaseModel]],
    run: Callable[[Given], int],
    *,
    switches: Mapping[str, str] | None = None,
) -> Command:
    """Return the command line of a job, which calls `run` with the settings that were given.

    `models`: the fields of these are the flags; see `ah_ray.flag`.
    `run`: checks the settings and does the work; returns an exit status. Its docstring is the help.
    `switches`: name and help text of flags that are no settings, such as `--demo`.
    """
    fields = flags_of(*([models] if isinstance(models, type) else models))
    flags = [*switches_of(switches or {}), *fields, _CONFIG]

    def callback(**values: Any) -> int:
        return run(_settings_from_flags(values, flags))

    parameters = [flag.as_parameter() for flag in flags]
    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # for typer
    callback.__annotations__ = {each.name: each.annotation for each in parameters}
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(cls=Command, help=inspect.getdoc(run), name=f"{run.__name__}.py")(callback)
    command = typer.main.get_command(app)
    assert isinstance(command, Command)
    command.flags = tuple(flags)
    return command


def _settings_from_flags(values: Mapping[str, Any], flags: Sequence[Flag]) -> Given:
    """Return the settings that were given, from the values of all flags by name."""
    settings = {flag.option.removeprefix("--").replace("-", "_"): flag.name for flag in flags}
    return given_settings(values, settings)
