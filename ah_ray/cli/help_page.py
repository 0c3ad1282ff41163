"""What `--help` prints: a job's purpose, and its flags in panels, on 80 columns or more."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ah_ray.cli.flags import Flag

_ARGUMENTS, _OPTIONS = "Arguments", "Options"
_WIDEST_NAME = 29  # columns of a flag and its value, beyond which the value goes below
_LONGEST_UNBROKEN = 24  # characters of a note that stands on one line
_SWITCHES = "Each switch has an opposite, as in {}, which also wins over --config."


class HelpPage:
    """The help of one command."""

    def __init__(self, flags: Sequence[Flag]):
        self._flags = flags

    def print(self, name: str, purpose: str) -> None:
        """Print usage, purpose and all flags to standard output. `name`: of the command."""
        console = Console(highlight=False)
        arguments = [str(_name(flag)) for flag in self._flags if flag.is_argument]
        usage = " ".join(("Usage:", name, "[OPTIONS]", *arguments))
        console.print(Padding(Text(usage, style="bold"), (1, 1)))
        for paragraph in purpose.split("\n\n"):
            console.print(Padding(Text(" ".join(paragraph.split())), (0, 1, 1, 1)))
        for title, flags in self._panels().items():
            console.print(Panel(_table(flags), title=title, title_align="left", border_style="dim"))
        if switches := [flag.negation for flag in self._flags if flag.negation]:
            console.print(Padding(Text(_SWITCHES.format(switches[-1])), (0, 1, 1, 1)))

    def _panels(self) -> dict[str, list[Flag]]:
        """Return the flags by panel: arguments first, then what has no panel, then the others."""
        panels: dict[str, list[Flag]] = {_ARGUMENTS: [], _OPTIONS: []}
        for flag in self._flags:
            title = _ARGUMENTS if flag.is_argument else flag.panel or _OPTIONS
            panels.setdefault(title, []).append(flag)
        panels[_OPTIONS].append(
            Flag(name="help", option="--help", kind=str, help="Show this message and exit.")
        )
        return {title: flags for title, flags in panels.items() if flags}


def _table(flags: Sequence[Flag]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for flag in flags:
        table.add_row(_name(flag), _help(flag))
    return table


def _name(flag: Flag) -> Text:
    name = Text(flag.option, style="cyan")
    if flag.is_argument:
        return name.append("…") if flag.is_list else name
    metavar = flag.metavar + ("…" if flag.is_list else "")
    is_wide = len(flag.option) + 1 + len(metavar) > _WIDEST_NAME
    return name.append(("\n  " if is_wide else " ") * bool(metavar) + metavar, style="yellow")


def _help(flag: Flag) -> Text:
    notes = [
        f"[{' | '.join(flag.choices)}]" if flag.choices else "",
        f"[default: {flag.default}]" if flag.default else "",
        f"[env: {flag.envvar}]" if flag.envvar else "",
        "[required]" if flag.is_required and not flag.is_argument else "",
    ]
    text = "".join(f" {_unbroken(note)}" for note in notes if note)
    return Text(flag.help).append(text, style="dim")


def _unbroken(note: str) -> str:
    """Return a short note with blanks at which no line breaks."""
    return note.replace(" ", "\N{NO-BREAK SPACE}") if len(note) <= _LONGEST_UNBROKEN else note
