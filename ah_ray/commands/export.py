"""Export scores and labels to ELAN, BORIS, Label Studio, BIDS, REDCap or spreadsheets.

ah-ray export scores --to elan --out for-elan
ah-ray export scores --to label-studio --labels labels --link-videos --out tasks
"""

from __future__ import annotations

from ah_ray.cli.job import CommandLine, Given, exits
from ah_ray.exit_status import ExitStatus


@exits
def export(given: Given) -> int:
    """Write what was scored, and what people labelled, as files of another tool.

    ELAN gets a file for each recording; BORIS, Label Studio, BIDS and REDCap get one project;
    csv is tables for spreadsheets. Without --link-videos and --plain-participants the files name no
    recording and nobody. prepare.py reads annotations of ELAN, BORIS and Label Studio back.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped, or storage failed.
    """
    from rich.console import Console

    from ah_ray.study.exchange.export import export as export_scores
    from ah_ray.study.exchange.settings import export_settings
    from ah_ray.study.exchange.view import print_exported

    print_exported(Console(), export_scores(export_settings(**given)))
    return ExitStatus.COMPLETE


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.study.exchange.settings import ExportSettings

    return command_of(ExportSettings, export)
