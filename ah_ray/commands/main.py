"""`ah-ray COMMAND …`: all jobs under one name, where the package is installed.

Only the command that is asked for is imported, so help, versions and errors come at once.
"""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

from ah_ray.cli.job import CommandLine, run_job
from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus
from ah_ray.installation import ah_ray_version

COMMANDS = {
    "score": "Score every video of a cohort: one Parquet row per video.",
    "nightly": "Score a cohort on a cluster each night, and report the outcome.",
    "status": "Show what is done, running and failed in OUT; remove a participant.",
    "reduce": "Form new verdicts from finished outputs, without a model or a video.",
    "report": "Make one HTML page of an output.",
    "clips": "Cut videos or moments for a reviewer, and take the answers back.",
    "export": "Write scores and labels for ELAN, BORIS, Label Studio, REDCap …",
    "prepare": "Prepare labelled videos for training and evaluation.",
    "train": "Fine-tune the model on labelled videos.",
    "evaluate": "Measure verdicts against people's labels.",
    "merge": "Merge LoRA adapters into a model.",
}
"""Every command, and what it does, in the order of the help."""


_QUESTION = "_AH_RAY_COMPLETE"
"""What a shell sets in the environment when it asks how a line goes on."""


def main() -> NoReturn:
    """Run the command that the first argument of this process names, and exit."""
    arguments = sys.argv[1:]
    name = arguments[0] if arguments else "--help"
    if name in ("--install-completion", "--show-completion") or _QUESTION in os.environ:
        run_job(lambda: _complete)
    if name in ("--help", "-h", "help"):
        print(_help())
        sys.exit(ExitStatus.COMPLETE)
    if name == "--version":
        print(f"ah_ray {ah_ray_version()}")
        sys.exit(ExitStatus.COMPLETE)
    del sys.argv[1]
    run_job(lambda: _load(name), program=f"ah-ray {name}")


def _complete(**_: object) -> int | None:
    from ah_ray.cli.completion import complete

    return complete("ah-ray", COMMANDS, _load, sys.argv[1:])


def _load(name: str) -> CommandLine:
    """Return the command line of a command. Raise ConfigError if there is no such command."""
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        advice = f"did you mean `ah-ray {near[0]}`?" if near else "`ah-ray --help` lists all"
        raise ConfigError(f"there is no command {name}: {advice}")
    command: CommandLine = import_module(f"ah_ray.commands.{name}").command()
    return command


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: ah-ray COMMAND [FLAGS]",
            "",
            "Score every video of a cohort for ambivalence/hesitancy (A/H).",
            "",
            *lines,
            "",
            "ah-ray COMMAND --help describes the flags of a command.",
            "ah-ray --version prints the version; ah-ray --install-completion lets your shell",
            "complete commands and flags (--show-completion prints what it installs).",
            "To begin: ah-ray score --demo",
        ]
    )
